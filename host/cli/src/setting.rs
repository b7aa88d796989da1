//! Parsing of settings, with errors that name the setting's source.
//!
//! A line feed at the end of an environment variable is what `$(cat secret)` in a wrong place, a
//! secret's file or an editor leaves there. It means nothing, so it is cut off. What is left must be
//! usable, or the command ends before it does anything: a mistake must never look like a server that
//! does not answer, which a service manager tries again for ever.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};

use super::exit::InputError;

/// A value, and where it was given: `--ledger`, `HONGBAO_LEDGER`, or `ledger in hongbao.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
}

impl Setting {
    /// Trims a value. One that is empty, or has a control character within, is refused. The value is
    /// not shown: it may have a password in it.
    pub(super) fn new(name: impl Into<String>, value: &str) -> Result<Self, InputError> {
        let (name, value) = (name.into(), value.trim());
        let refused = |why: String| Err(InputError::Setting { code: "usage", setting: name.clone(), why });
        if value.is_empty() {
            return refused("it is empty".into());
        }
        match value.chars().find(|character| character.is_control()) {
            Some(found) => refused(format!("it has a control character within ({})", found.escape_default())),
            None => Ok(Self { name, value: value.to_owned() }),
        }
    }

    /// From the command line or a file.
    pub(super) fn given(name: &str, value: Option<&str>) -> Result<Option<Self>, InputError> {
        value.map(|value| Self::new(name, value)).transpose()
    }

    /// From the environment, where an empty variable is one that is not set.
    pub(super) fn in_the_environment(name: &str) -> Result<Option<Self>, InputError> {
        match env::var(name) {
            Ok(value) if value.trim().is_empty() => Ok(None),
            Ok(value) => Self::new(name, &value).map(Some),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Self::refused(name, "usage", "it is not text in UTF-8")),
        }
    }

    /// A path is trimmed as well. One that is no text is taken as it is.
    pub(super) fn path(name: &str, path: Option<&Path>) -> Result<Option<PathBuf>, InputError> {
        let Some(path) = path else { return Ok(None) };
        let Some(text) = path.to_str() else { return Ok(Some(path.to_owned())) };
        Ok(Some(PathBuf::from(Self::new(name, text)?.value)))
    }

    pub(super) fn path_in_the_environment(name: &str) -> Result<Option<PathBuf>, InputError> {
        match env::var_os(name) {
            Some(value) if value.to_str().is_some_and(|value| value.trim().is_empty()) => Ok(None),
            value => Self::path(name, value.as_deref().map(Path::new)),
        }
    }

    /// Why this setting cannot be used.
    pub(super) fn unusable(&self, code: &'static str, why: impl ToString) -> InputError {
        Self::refused(&self.name, code, why)
    }

    fn refused(name: &str, code: &'static str, why: impl ToString) -> InputError {
        InputError::Setting { code, setting: name.to_owned(), why: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_value_is_cut_off_and_what_is_within_is_refused() {
        for text in ["redis://a", " redis://a", "redis://a\n", "\u{a0}redis://a \r\n\t", "redis://a\u{85}"] {
            assert_eq!(Setting::new("HONGBAO_COUNTER", text).unwrap().value, "redis://a", "{text:?}");
        }
        for (text, why) in
            [("", "empty"), (" \n", "empty"), ("redis://:secret@a\nb", "\\n"), ("a\u{1b}[2J", "\\u{1b}")]
        {
            let error = Setting::new("HONGBAO_COUNTER", text).unwrap_err().to_string();
            assert!(error.starts_with("HONGBAO_COUNTER: ") && error.contains(why), "{error}");
            assert!(!error.contains("secret") && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn a_path_is_trimmed_and_one_that_is_no_text_stays() {
        let path = |text: &str| Setting::path("--data", Some(Path::new(text))).unwrap();
        assert_eq!(path(" ./books\n"), Some("./books".into()));
        assert_eq!(path("./my books"), Some("./my books".into()));
        assert!(Setting::path("--data", Some(Path::new(" "))).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            let odd = Path::new(std::ffi::OsStr::from_bytes(b"books\xff\n"));
            assert_eq!(Setting::path("--data", Some(odd)).unwrap().as_deref(), Some(odd));
        }
    }
}

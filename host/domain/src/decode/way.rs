//! The position of an error in a document: the path of keys and indices, and in TOML the line.

use std::fmt;

use serde_path_to_error::{Path, Segment};
use toml::de::DeTable;

/// The keys of tables and the places in lists that lead to a value. Empty for the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Place(usize),
}

impl Way {
    /// Through tables by these keys.
    #[must_use]
    pub fn of_keys(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// A sentence about what stands there. One about an unknown key names it already.
    pub(super) fn told(&self, why: &str) -> String {
        let steps = self.0.as_slice();
        let steps = match steps {
            [before @ .., _] if why.starts_with("unknown field") => before,
            all => all,
        };
        if steps.is_empty() { why.to_owned() } else { format!("{}: {why}", Self(steps.to_vec())) }
    }

    /// Where in a document in TOML the key stands that a sentence is about: of those in the table at the end
    /// of the way, the one that the sentence names first; otherwise the nearest table above it.
    pub(super) fn offset(&self, text: &str, why: &str) -> Option<usize> {
        let document = DeTable::parse(text).ok()?;
        let (mut table, mut nearest) = (document.get_ref(), None);
        for step in &self.0 {
            let Step::Key(key) = step else { return nearest };
            let Some((name, value)) = table.get_key_value(key.as_str()) else { return nearest };
            nearest = Some(name.span().start);
            let Some(inner) = value.get_ref().as_table() else { return nearest };
            table = inner;
        }
        let mut words = why.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let named = words.find_map(|word| table.get_key_value(word));
        named.map(|(name, _)| name.span().start).or(nearest)
    }
}

impl From<&Path> for Way {
    fn from(path: &Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Place(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

impl fmt::Display for Way {
    /// As TOML writes it: `tenants."a.b".limits`. A key that needs quotes has them, or `..` would be read as
    /// a part of the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |key: &str| {
            !key.is_empty()
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Place(place) => write!(f, "[{place}]")?,
                Step::Key(key) => {
                    let joint = if at == 0 { "" } else { "." };
                    if is_bare(key) { write!(f, "{joint}{key}")? } else { write!(f, "{joint}{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// A value that was understood and cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The way to the table that it stands in.
    pub way: Way,
    /// Why, in a sentence that begins with the key.
    pub why: String,
}

impl Misfit {
    /// Something in the table that these keys lead to.
    #[must_use]
    pub fn new(keys: &[&str], why: impl Into<String>) -> Self {
        Self { way: Way::of_keys(keys), why: why.into() }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.way.told(&self.why))
    }
}

impl std::error::Error for Misfit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_be_misread_stands_in_quotes() {
        let told = |keys: &[&str]| Way::of_keys(keys).to_string();
        assert_eq!(told(&["tenants", "acme-1", "limits"]), "tenants.acme-1.limits");
        assert_eq!(told(&["tenants", ".."]), r#"tenants."..""#);
        assert_eq!(told(&["tenants", "", "微信"]), r#"tenants.""."微信""#);
        assert_eq!(told(&["a\nb"]), r#""a\nb""#);
    }

    #[test]
    fn the_key_that_a_sentence_names_is_found() {
        let text = "[tenants.acme.policy]\nmax_shares = 1\nmax_expires_in_ms = 5\n[tenants.b]\nlimits = { keys = 0 }\n";
        let line = |keys: &[&str], why: &str| {
            let before = Way::of_keys(keys).offset(text, why).and_then(|at| text.get(..at));
            before.map(|before| before.matches('\n').count() + 1)
        };
        let policy = ["tenants", "acme", "policy"];
        assert_eq!(line(&policy, "max_shares must be less"), Some(2));
        assert_eq!(line(&policy, "default_expires_in_ms must not be above max_expires_in_ms"), Some(3));
        assert_eq!(line(&policy, "lease_ms must be less"), Some(1), "the table");
        assert_eq!(line(&["tenants", "b", "limits"], "keys must be more"), Some(5));
        assert_eq!(line(&["tenants", "b", "policy"], "keys must be more"), Some(4), "the nearest");
        assert_eq!(line(&["serve"], "streams"), None);
    }
}

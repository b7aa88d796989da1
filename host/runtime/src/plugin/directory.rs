//! Plugin directories: a component and a `plugin.toml` with its digest.
//!
//! The file is written by an operator and names what it trusts, so nothing in it is guessed: an
//! unknown key, a path that leads out and another digest are refused before the component is
//! looked at.

use std::io;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::read::{read_at_most, read_component, unreadable};
use super::{Digest, PluginError};
use hongbao_domain::decode;

/// What a `plugin.toml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginManifest {
    /// Lower-case letters, digits and hyphens, at most 64 of them.
    pub id: String,
    /// Three numbers with dots between them.
    pub version: String,
    /// Of the component.
    pub sha256: Digest,
}

const KEYS: [&str; 4] = ["id", "version", "file", "sha256"];
const DEFAULT_FILE: &str = "plugin.wasm";
/// Far more than four keys take.
const MOST_BYTES: u64 = 64 << 10;

/// The component of a directory, and what is said of it.
pub(super) fn read(directory: &Path) -> Result<(Vec<u8>, PluginManifest), PluginError> {
    let toml = directory.join("plugin.toml");
    let broken = |problem| PluginError::Manifest { file: toml.display().to_string(), problem };
    let bytes = read_at_most(&inside(directory, "plugin.toml")?, MOST_BYTES);
    let bytes = bytes.map_err(|source| unreadable(&toml, source))?;
    let bytes = bytes.ok_or_else(|| broken("a plugin.toml has at most 64 KiB".into()))?;
    let (manifest, file) = parse(&bytes).map_err(broken)?;
    let bytes = read_component(&inside(directory, &file)?)?;
    let found = Digest::of(&bytes);
    match found == manifest.sha256 {
        true => Ok((bytes, manifest)),
        false => Err(PluginError::DigestMismatch {
            file: directory.join(file).display().to_string(),
            expected: manifest.sha256,
            found,
        }),
    }
}

/// The true path of a file, which must be in the directory, wherever links lead.
fn inside(directory: &Path, file: &str) -> Result<PathBuf, PluginError> {
    let named = directory.join(file);
    let (directory, true_path) = directory
        .canonicalize()
        .and_then(|directory| Ok((directory, named.canonicalize()?)))
        .map_err(|source| unreadable(&named, source))?;
    if !true_path.starts_with(directory) {
        let problem = "this link leads out of the plugin's directory; put the file itself there".to_owned();
        return Err(PluginError::Manifest { file: named.display().to_string(), problem });
    }
    // A pipe would make whoever loads the plugin wait for ever.
    match true_path.is_file() {
        true => Ok(true_path),
        false => Err(unreadable(&named, io::Error::other("it is not a regular file"))),
    }
}

/// What the file says, and the name of the component's file.
fn parse(bytes: &[u8]) -> Result<(PluginManifest, String), String> {
    let text = decode::text(bytes).map_err(|error| error.to_string())?;
    let table: Table = text.parse().map_err(|error| syntax(text, &error))?;
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!(
            "the key `{}` is unknown; there are {}",
            unknown.escape_debug(),
            KEYS.join(", ")
        ));
    }
    let string = |key, must: &str| match table.get(key) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("`{key}` must be {must}")),
        None => Err(format!("`{key}` is missing; it must be {must}")),
    };
    let checked = |key, must, holds: fn(&str) -> bool| {
        let text = string(key, must)?;
        if holds(text) { Ok(text.to_owned()) } else { Err(format!("`{key}` must be {must}")) }
    };
    let id = checked("id", "1 to 64 lower-case letters, digits and hyphens", is_id)?;
    let version = checked("version", "three numbers with dots between them, such as \"1.0.0\"", is_version)?;
    let file = match table.contains_key("file") {
        true => checked("file", "the path of a file in this directory, such as \"plugin.wasm\"", is_within)?,
        false => DEFAULT_FILE.to_owned(),
    };
    const SHA256: &str = "the component's sha256 in 64 hexadecimal digits";
    let sha256 = string("sha256", SHA256)?.parse().map_err(|_| format!("`sha256` must be {SHA256}"))?;
    Ok((PluginManifest { id, version, sha256 }, file))
}

/// Where the syntax is broken. The parser's own message shows the line, over many lines.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let reason = super::error::one_line(error.message());
    format!("line {line} is no TOML: {reason}")
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_version(text: &str) -> bool {
    // As semver.org has it: a number has no zeros before it.
    let is_number = |part: &str| {
        let is_short = part.len() == 1 || !part.starts_with('0');
        part.bytes().all(|byte| byte.is_ascii_digit()) && is_short && part.parse::<u64>().is_ok()
    };
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

/// A way to a file that goes down alone.
fn is_within(text: &str) -> bool {
    let is_normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    !text.is_empty() && !text.contains('\0') && Path::new(text).components().all(is_normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers() {
        for version in ["0.1.0", "10.20.30", "0.0.0"] {
            assert!(is_version(version), "{version}");
        }
        for version in ["", "1", "1.2", "1.2.3.4", "1.2.", "01.2.3", "1.2.x", "1.2.3-rc", "+1.2.3", "1..3"] {
            assert!(!is_version(version), "{version}");
        }
    }

    #[test]
    fn a_way_down_stays_within() {
        for file in ["plugin.wasm", "build/plugin.wasm", "插件.wasm", "..wasm"] {
            assert!(is_within(file), "{file}");
        }
        for file in ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a\0b", "./../x"] {
            assert!(!is_within(file), "{file}");
        }
    }
}

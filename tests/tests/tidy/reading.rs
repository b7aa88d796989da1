//! What comes from outside is read strictly: by `host/domain/src/decode`, into types that it sees through.
//!
//! Simplifications. Readers are found by their names. A `serde` attribute belongs to the last `derive`
//! above it. Stores read what they have written themselves, and are left out.

use crate::tree::{assert_none, files};

/// Ways around the strict reader.
const READERS: &[&str] = &[
    "serde_json::from_str",
    "serde_json::from_slice",
    "serde_json::from_reader",
    "serde_json::from_value",
    "toml::from_str",
    "toml::from_slice",
];

/// For these serde reads everything first, and takes an array for an object then.
const BUFFERED: &[&str] = &["tag = ", "untagged", "flatten"];

fn breaches(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_read = false;
    for (line, number) in text.lines().zip(1..) {
        let trimmed = line.trim_start();
        if let Some(reader) = READERS.iter().find(|reader| trimmed.contains(**reader)) {
            found.push(format!("{path}:{number}: read by `hongbao_domain::decode`, not by `{reader}`"));
        }
        if trimmed.starts_with("#[derive(") {
            is_read = trimmed.contains("Deserialize");
        }
        let is_attribute = trimmed.starts_with("#[serde(");
        let word = BUFFERED.iter().find(|word| is_attribute && is_read && trimmed.contains(**word));
        if let Some(word) = word {
            found.push(format!(
                "{path}:{number}: `{word}` lets an array pass for an object; read the members"
            ));
        }
    }
    found
}

#[test]
fn nothing_from_outside_is_read_carelessly() {
    let sources = files("host", &["rs"]);
    let sources = sources.iter().filter(|source| {
        let path = &source.path;
        !path.starts_with("host/domain/src/decode/") && !path.starts_with("host/store")
    });
    assert_none(&sources.flat_map(|source| breaches(&source.path, &source.text)).collect::<Vec<_>>());
}

#[test]
fn a_careless_reader_is_found() {
    assert_eq!(breaches("a.rs", "let a: A = serde_json::from_str(text)?;").len(), 1);
    assert_eq!(breaches("a.rs", "fn a() {\n    toml::from_str::<A>(text)").len(), 1);
    let tagged = "#[derive(Debug, Deserialize)]\n#[serde(tag = \"op\")]\nenum A {}";
    assert_eq!(
        breaches("a.rs", tagged),
        ["a.rs:2: `tag = ` lets an array pass for an object; read the members"]
    );
    assert_eq!(
        breaches("a.rs", "#[derive(Deserialize)]\nstruct A {\n    #[serde(flatten)]\n    b: B,").len(),
        1
    );
    assert!(breaches("a.rs", "#[derive(Serialize)]\n#[serde(untagged)]\nenum A {}").is_empty());
    assert!(
        breaches("a.rs", "#[derive(Deserialize)]\n#[serde(deny_unknown_fields)]\nstruct A {}").is_empty()
    );
}

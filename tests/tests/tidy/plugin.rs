//! What the plugin is made of: safe code over two crates.

use crate::tokens::tokens;
use crate::tree::{assert_none, file, files};

/// Everything that may end up in the component beside the plugin's own code.
const DEPENDENCIES: &[&str] = &["rand_core", "wit-bindgen"];

/// The keyword, not the lint `unsafe_code`: words are compared whole.
fn unsafe_breaches(path: &str, text: &str) -> Vec<String> {
    let found = tokens(text).into_iter().filter(|token| token.text == "unsafe");
    found.map(|token| format!("{path}:{}: the plugin is safe code", token.line)).collect()
}

/// Dependencies of the library and of its build, for any target; those of its tests do not enter
/// the component.
fn dependency_breaches(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut section = "";
    for (line, number) in manifest.lines().zip(1..) {
        let line = line.split('#').next().unwrap().trim();
        let name = if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            section.rsplit_once("dependencies.").map(|(_, name)| name)
        } else {
            line.split(['.', '=', ' '])
                .next()
                .filter(|name| !name.is_empty() && section.ends_with("dependencies"))
        };
        let name = name.filter(|_| !section.contains("dev-dependencies")).map(|name| name.trim_matches('"'));
        found.extend(name.filter(|name| !DEPENDENCIES.contains(name)).map(|name| {
            format!(
                "guest/Cargo.toml:{number}: the plugin depends on {DEPENDENCIES:?} alone, not on `{name}`"
            )
        }));
    }
    found
}

#[test]
fn the_plugin_is_safe_code() {
    let sources = files("guest/src", &["rs"]);
    assert_none(
        &sources.iter().flat_map(|source| unsafe_breaches(&source.path, &source.text)).collect::<Vec<_>>(),
    );
}

#[test]
fn the_plugin_depends_on_two_crates() {
    let manifest = file("guest/Cargo.toml").text;
    assert!(DEPENDENCIES.iter().all(|name| manifest.contains(name)), "the table names what is not used");
    assert_none(&dependency_breaches(&manifest));
}

#[test]
fn unsafe_code_is_found() {
    assert_eq!(unsafe_breaches("a.rs", "fn a() { unsafe { b() } }").len(), 1);
    assert_eq!(unsafe_breaches("a.rs", "#[unsafe(no_mangle)]\npub fn a() {}").len(), 1);
    assert!(unsafe_breaches("a.rs", "#![expect(unsafe_code, reason = \"unsafe\")] // unsafe").is_empty());
}

#[test]
fn a_third_dependency_is_found() {
    assert!(
        dependency_breaches("[dependencies]\nrand_core.workspace = true\n\n[dev-dependencies]\na = \"1\"")
            .is_empty()
    );
    assert_eq!(
        dependency_breaches("[dependencies]\nrand_core = \"1\" # why\nserde = { version = \"1\" }").len(),
        1
    );
    assert_eq!(dependency_breaches("[dependencies.serde]\nversion = \"1\"").len(), 1);
    assert_eq!(dependency_breaches("[target.'cfg(unix)'.dependencies]\nlibc = \"1\"").len(), 1);
    assert_eq!(dependency_breaches("[build-dependencies]\ncc = \"1\"").len(), 1);
}

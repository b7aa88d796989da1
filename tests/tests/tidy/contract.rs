//! Every item of the contract says since when it is there, and what it is.

use crate::tree::{assert_none, files};

const KEYWORDS: &[&str] = &["world", "interface", "record", "variant", "enum", "flags", "resource", "type"];

/// The item that a line begins, such as `record card`; none where it begins none.
///
/// An item and its gate start their own lines. Cases and fields need neither.
fn item(line: &str) -> Option<String> {
    let line = line.trim_start();
    if line.starts_with("//") {
        return None;
    }
    let mut words = line.split([' ', '{', ';']);
    let (first, second) = (words.next()?, words.next()?);
    if KEYWORDS.contains(&first) {
        return Some(format!("{first} {second}"));
    }
    let (name, kind) = line.split_once(':')?;
    let kind = kind.trim_start().trim_start_matches("static ").trim_start_matches("async ");
    kind.starts_with("func(").then(|| format!("func {name}"))
}

fn breaches(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(item) = item(line) else { continue };
        let above = lines[..at].iter().rev().map(|line| line.trim_start());
        let above: Vec<_> =
            above.take_while(|line| line.starts_with("///") || line.starts_with('@')).collect();
        for (start, what) in [("@since(", "an `@since` gate"), ("/// ", "a `///` line")] {
            if !above.iter().any(|line| line.starts_with(start)) {
                found.push(format!("{path}:{}: give `{item}` {what}", at + 1));
            }
        }
    }
    found
}

#[test]
fn every_item_of_the_contract_has_a_gate_and_a_sentence() {
    let sources = files("wit", &["wit"]);
    let items: usize = sources.iter().map(|source| source.text.lines().filter_map(item).count()).sum();
    assert!(items > 0, "no item was understood");
    assert_none(&sources.iter().flat_map(|source| breaches(&source.path, &source.text)).collect::<Vec<_>>());
}

#[test]
fn an_item_without_a_gate_or_a_sentence_is_found() {
    let items = [
        "interface a {",
        "record a {",
        "variant a {",
        "enum a {",
        "type a = u64;",
        "%a: func();",
        "a: async func(b: u8);",
    ];
    for item in items {
        assert!(
            breaches("a.wit", &format!("  /// B.\n  @since(version = 0.1.0)\n  {item}")).is_empty(),
            "{item}"
        );
        assert_eq!(breaches("a.wit", &format!("  /// B.\n  {item}")).len(), 1, "{item}");
        assert_eq!(
            breaches("a.wit", &format!("  /// B.\n\n  @since(version = 0.1.0)\n  {item}")).len(),
            1,
            "{item}"
        );
        assert_eq!(breaches("a.wit", &format!("}}\n{item}")).len(), 2, "{item}");
    }
    assert!(
        breaches(
            "a.wit",
            "package a:b;\n/// c: func();\n// type d\nuse types.{c};\n  type-of: u8,\n  import d;\n"
        )
        .is_empty()
    );
}

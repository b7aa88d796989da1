//! Marks that somebody meant to come back.

use crate::tree::{assert_none, files};

/// Put together from halves, so that the rule does not find itself.
fn marks() -> Vec<String> {
    let halves = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ig", "nore"],
        ["db", "g!("],
    ];
    halves.iter().map(|half| half.concat()).collect()
}

fn breaches(path: &str, text: &str) -> Vec<String> {
    let marks = marks();
    let lines = text.lines().zip(1..);
    let found = lines.flat_map(|(line, number)| {
        marks.iter().filter(|mark| has(line, mark)).map(move |mark| (number, mark))
    });
    found.map(|(number, mark)| format!("{path}:{number}: finish what `{mark}` was left for")).collect()
}

/// Whether the mark stands in the line and not inside of a longer word.
fn has(line: &str, mark: &str) -> bool {
    let word = |one: char| one == '_' || one.is_alphanumeric();
    line.match_indices(mark).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + mark.len()..]);
        !(mark.starts_with(word) && before.ends_with(word) || mark.ends_with(word) && after.starts_with(word))
    })
}

#[test]
fn nothing_is_left_over() {
    let sources = files("", &["rs", "wit", "sql", "md", "toml"]);
    assert_none(&sources.iter().flat_map(|source| breaches(&source.path, &source.text)).collect::<Vec<_>>());
}

#[test]
fn every_mark_is_found() {
    for mark in marks() {
        assert_eq!(breaches("a.rs", &format!("fine\n    {mark} later")).len(), 1, "{mark}");
    }
    assert_eq!(breaches("a.rs", &format!("{} = \"slow\"]", marks()[5])).len(), 1);
    assert!(breaches("a.rs", &format!("{}L, my_{}x), mastodons", marks()[2], marks()[6])).is_empty());
}

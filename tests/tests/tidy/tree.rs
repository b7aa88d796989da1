//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A file's path from the repository's root, with `/`, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file under `folder` with one of these endings, in order. There is always at least one:
/// a rule that looks at nothing would pass for ever.
pub fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)));
    paths.sort();
    assert!(!paths.is_empty(), "no file of {endings:?} under {folder:?}");
    paths
        .into_iter()
        .map(|path| Source { text: fs::read_to_string(&path).unwrap(), path: relative(&path) })
        .collect()
}

/// One file that must be there.
pub fn file(path: &str) -> Source {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Source { path: path.into(), text }
}

/// Fails with every breach at once, so that one run shows all there is to do.
#[track_caller]
pub fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Symbolic links are not followed, so the walk ends.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_file() {
            found.push(entry.path());
        } else if kind.is_dir() && entry.file_name() != "target" && entry.file_name() != ".git" {
            walk(&entry.path(), found);
        }
    }
}

fn relative(path: &Path) -> String {
    let parts = path.strip_prefix(root()).unwrap().components();
    parts.map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}

#[test]
fn a_walk_sees_this_file_and_nothing_that_was_built() {
    let found = files("", &["rs"]);
    assert!(found.iter().any(|source| source.path == "tests/tests/tidy/tree.rs"));
    assert!(found.iter().all(|source| !source.path.starts_with("target/")));
}

#[test]
#[should_panic(expected = "no file of")]
fn a_walk_that_finds_nothing_fails() {
    files("tests/tests/tidy", &["no-such-ending"]);
}

#[test]
#[should_panic(expected = "1 breaches:\na.rs:1: no")]
fn a_breach_fails_the_test() {
    assert_none(&["a.rs:1: no".into()]);
}

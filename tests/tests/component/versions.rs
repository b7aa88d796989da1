//! Versions of the contract: within 0.2 a later one only adds.

use std::fs;
use std::path::PathBuf;

use wit_component::semver_check;
use wit_parser::{Resolve, UnresolvedPackageGroup};

const VERSION: &str = "package hongbao:plugin@0.2.0;";

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wit").join(name)
}

/// All files of a version in one text, as they are or with a change, of a later version.
fn later(change: impl Fn(String) -> String) -> String {
    let mut files: Vec<_> = fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wit"));
    files.sort();
    let texts: String = files.iter().map(|file| change(fs::read_to_string(file).unwrap())).collect();
    let (head, rest) = texts.split_once(VERSION).expect("the version is the one that this test knows");
    // A package is named before anything else in its file.
    format!("package hongbao:plugin@0.2.99;\n{}{rest}", head.replace("///", "//"))
}

/// Whether a host of this later version runs a plugin of the frozen one.
fn is_compatible(later: &str) -> bool {
    let mut resolve = Resolve::default();
    let (frozen, _) = resolve.push_dir(folder("frozen/0.2.0")).unwrap();
    let group = UnresolvedPackageGroup::parse("later.wit", later).unwrap();
    let later = resolve.push_group(group).unwrap();
    ["core", "plugin"].iter().all(|world| {
        let before = resolve.select_world(&[frozen], Some(world)).unwrap();
        let after = resolve.select_world(&[later], Some(world)).unwrap();
        semver_check(resolve.clone(), before, after).is_ok()
    })
}

#[test]
fn what_was_frozen_is_kept() {
    assert!(is_compatible(&later(|text| text)));
}

#[test]
fn a_later_version_may_add_and_may_not_change() {
    let with = |from: &str, to: &str| {
        let changed = later(|text| text.replace(from, to));
        assert_ne!(changed, later(|text| text), "nothing was changed");
        is_compatible(&changed)
    };
    let now = "  now-ms: func() -> timestamp-ms;";
    let more = format!("{now}\n\n  @since(version = 0.2.1)\n  uptime-ms: func() -> u64;");
    assert!(with(now, &more), "one more function of the host");
    assert!(!with(now, "  now-ms: func() -> u32;"), "another type");
    assert!(!with("now-ms: func", "time-ms: func"), "a function less");
    assert!(!with("    slots: u32,", "    slots: u64,"), "another field");
    assert!(!with("    cache-away,\n", ""), "a case less");
    assert!(!with("  grab: func(tasks: list<task>)", "  grab: func(tasks: list<u32>)"), "another parameter");
}

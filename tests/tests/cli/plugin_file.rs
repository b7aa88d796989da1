//! `--plugin`: a file that is a plugin, and files that are none.

use std::fs;
use std::path::Path;

use hongbao_host::runtime::Plugin;
use serde_json::json;
use tempfile::tempdir;

use crate::events::{equal, fund, grab, open, outcome};
use crate::process::{Play, run};

/// Every command that loads a plugin refuses these bytes with this code; gives the sentence.
#[track_caller]
fn refused(bytes: &[u8], code: &str) -> String {
    let directory = tempdir().unwrap();
    let file = directory.path().join("plugin.wasm");
    fs::write(&file, bytes).unwrap();
    fails(&file, 65, code)
}

#[track_caller]
fn fails(file: &Path, exit: i32, code: &str) -> String {
    let plugin = ["--plugin", file.to_str().unwrap()];
    let commands: [&[&str]; 3] = [
        &["play", "-"],
        &["demo", "--users", "10"],
        &["simulate", "--strategy", "equal", "--total", "10", "--shares", "1", "--packets", "1"],
    ];
    let mut said = String::new();
    for command in commands {
        let ended = run(&[command, &plugin].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(exit), ""), "{ended:?}");
        let sentence = ended.err.strip_prefix(&format!("hongbao: {code}: "));
        said = sentence.unwrap_or_else(|| panic!("{ended:?}")).trim_end().to_owned();
        assert!(said.len() > 10 && !said.contains('\n'), "{said:?} is no sentence");
    }
    said
}

#[test]
fn the_embedded_plugin_may_stand_in_a_file() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("红包.wasm");
    fs::write(&file, Plugin::EMBEDDED).unwrap();
    let mut play = Play::start(&["--plugin", file.to_str().unwrap()]);
    play.check(fund("alice", 100), json!({ "outcome": "ok", "balance": 100 }));
    play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.check(open("p", "bob"), json!({ "outcome": "opened", "amount": 100, "sequence": 1 }));
    play.end_well();
}

#[test]
fn a_file_that_is_not_there_or_a_directory_cannot_be_read() {
    let directory = tempdir().unwrap();
    let missing = directory.path().join("none.wasm");
    assert!(fails(&missing, 66, "not-found").contains("none.wasm"));
    fails(directory.path(), 66, "not-found");
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence_whatever_it_lacks() {
    refused(b"plain text", "not-a-component");
    let texts = [
        ("(module)", "not-a-component", "core module"),
        ("(component)", "missing-export", "hongbao:plugin/packets@0.2.0"),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#,
            "foreign-import",
            "wasi:cli/environment@0.2.0",
        ),
        (
            r#"(component (import "hongbao:plugin/ledger@9.0.0" (instance)))"#,
            "contract-version",
            "hongbao:plugin/ledger@9.0.0",
        ),
        (
            r#"(component (instance $empty) (export "hongbao:plugin/packets@0.2.0" (instance $empty))
                (export "hongbao:plugin/chat@0.2.0" (instance $empty)))"#,
            "contract-mismatch",
            "hongbao:plugin@0.2.0",
        ),
    ];
    for (text, code, part) in texts {
        let said = refused(&wat::parse_str(text).unwrap(), code);
        assert!(said.contains(part), "{said}");
    }
}

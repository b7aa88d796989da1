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

fn refused_text(text: &str, code: &str) -> String {
    refused(&wat::parse_str(text).unwrap(), code)
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
fn what_is_no_component_is_said_so() {
    let half = &Plugin::EMBEDDED[..Plugin::EMBEDDED.len() / 2];
    for bytes in [&b""[..], b"plain text", b"\0asm", half] {
        refused(bytes, "not-a-component");
    }
    refused_text("(module)", "not-a-component");
    refused_text("(module (func (export \"grab\")))", "not-a-component");
}

#[test]
fn a_component_that_lacks_an_export_is_told_which() {
    let said = refused_text("(component)", "missing-export");
    assert!(said.contains("hongbao:plugin/packets@0.2.0"), "{said}");
}

#[test]
fn an_export_of_that_name_that_is_something_else_does_not_count() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "packets" (func $f)))"#;
    refused_text(text, "missing-export");
}

#[test]
fn a_component_that_wants_more_than_is_given_is_told_what() {
    let imports = [
        ("wasi:cli/environment@0.2.0", "foreign-import"),
        ("wasi:random/random@0.2.0", "foreign-import"),
        ("hongbao:plugin/ledger@9.0.0", "contract-version"),
    ];
    for (import, code) in imports {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        let said = refused_text(&text, code);
        assert!(said.contains(import), "{said}");
    }
}

#[test]
fn interfaces_of_the_right_name_and_another_shape_do_not_fit() {
    refused_text(
        r#"(component
            (instance $empty)
            (export "hongbao:plugin/packets@0.2.0" (instance $empty))
            (export "hongbao:plugin/chat@0.2.0" (instance $empty)))"#,
        "contract-mismatch",
    );
}

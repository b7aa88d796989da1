//! The configuration file: what is right, what is not, and that its document names every key.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::process::{Ended, run};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn check(text: &str) -> Ended {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("hongbao.toml");
    fs::write(&file, text).unwrap();
    run(&["config", "check", file.to_str().unwrap()])
}

/// The keys that the program would take in place of one that nobody knows.
fn known(before: &str) -> BTreeSet<String> {
    let said = check(&format!("{before}nobody_knows = 1\n"));
    assert_eq!(said.code, Some(65), "{said:?}");
    let (_, list) = said.err.split_once("expected ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys in the tables of a section of the document.
fn documented(heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let section = text
        .split("\n#")
        .find(|section| section.lines().next().unwrap().trim_start_matches('#').trim() == heading);
    let rows = section.unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

#[test]
fn the_document_names_every_key_and_no_other() {
    let sections = [
        ("", "At the top"),
        ("[serve]\n", "`[serve]`"),
        ("[serve.webhooks]\n", "`[serve.webhooks]`"),
        ("[tenants.a]\n", "`[tenants.NAME]`"),
        ("[tenants.a.policy]\n", "`[tenants.NAME.policy]`"),
        ("[tenants.a.limits]\n", "`[tenants.NAME.limits]`"),
    ];
    for (table, heading) in sections {
        assert_eq!(known(table), documented(heading), "{heading}");
    }
}

#[test]
fn the_example_of_the_document_and_that_of_deploy_are_right() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let (_, rest) = text.split_once("## A complete example").unwrap();
    let example = rest.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let deployed = fs::read_to_string(root().join("deploy/hongbao.toml")).unwrap();
    for text in [example, &deployed] {
        // The plugin that it names is nobody's; all else must be right.
        let without: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("plugin =") && !line.contains("= \"plugins/"))
            .collect();
        let said = check(&without.join("\n"));
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
        assert!(said.out.contains("is right."), "{said:?}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_another_encoding_is_named() {
    let text = "[tenants.acme]\r\npolicy = { currency = 'JPY', currency_digits = 0 }\r\n";
    let said = check(&format!("\u{feff}{text}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("acme: hongbao") && said.out.contains("JPY, grants: counter, ledger, entropy"),
        "{said:?}"
    );
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("hongbao.toml");
    let utf_16 = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (bytes, why) in
        [(utf_16, "the text is in UTF-16; save it as UTF-8"), (b"\xe9".to_vec(), "not in UTF-8")]
    {
        fs::write(&file, bytes).unwrap();
        let said = run(&["config", "check", file.to_str().unwrap()]);
        assert!(said.code == Some(66) && said.err.contains(why), "{said:?}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    refused(&[
        ("ledger = 'postgres://a'\ndata = 'b'", 64, "either in a directory or at a URL"),
        (
            "data = 'x'\n[tenants.a.limits]\nkeys = -1",
            65,
            "line 3, column 8: tenants.a.limits.keys: invalid value",
        ),
        (
            "[tenants.a]\nlimits = { batch = 5, requests_per_second = 0 }",
            65,
            "line 2, column 45: tenants.a.limits.requests_per_second: it must be at least 1; left out it is no limit",
        ),
        (
            "[tenants.a]\n\n[tenants.a.policy]\nmax_sahres = 1",
            65,
            "line 4, column 1: tenants.a.policy: unknown field `max_sahres`",
        ),
        ("[plugins]\nx = 1", 65, "line 2, column 5: plugins.x: invalid type: integer `1`"),
        ("[tenants.a]\ngrants = []", 65, "does not grant"),
        ("[tenants]\na = ['x', ['ledger']]", 65, "sequence, expected a table"),
        ("[tenants.a]\npolicy = []", 65, "sequence, expected a table"),
        (
            "[tenants.'..']",
            65,
            "line 1, column 10: tenants.\"..\": the name of a tenant must not be `.` or `..`",
        ),
        ("[tenants.a.policy]\nmax_shares = 0", 65, "max_shares must be 1 to 1000000"),
        ("[plugins]\nx = 'nowhere.wasm'\n[tenants.a]\nplugin = 'x'", 66, "nowhere.wasm cannot be read"),
    ]);
    assert_eq!(run(&["config", "check", "/nowhere/hongbao.toml"]).code, Some(66));
}

#[test]
fn what_is_wrong_with_the_service_is_said_with_its_place() {
    refused(&[
        (
            "[serve]\nlisten = 'localhost:80'",
            65,
            "line 2, column 10: serve.listen: it must be a numeric address",
        ),
        ("[serve]\ntls_key = 'key.pem'", 65, "tls_certificate and tls_key stand together"),
        (
            "[serve]\nmetrics = true\nrequest_seconds = 0",
            65,
            "hongbao.toml is no configuration: line 3, column 1: serve: request_seconds must be at least 1",
        ),
        (
            "[serve]\nrequest_seconds = 10",
            65,
            "line 2, column 1: serve: request_seconds = 10 must be longer than two",
        ),
        (
            "[tenants.a]\n[tenants.a.limits]\ncall_ms = 15000",
            65,
            "line 3, column 1: tenants.a.limits: call_ms = 15000 must be less than half of request_seconds",
        ),
        ("[serve]\nrequest_seconds = 30\n[tenants.a.limits]\ncall_ms = 15000", 65, "a has call_ms = 15000"),
        ("[serve]\nbody_bytes = 10", 65, "body_bytes must be at least 1024"),
        ("[serve]\ncompile_at_once = 0", 65, "compile_at_once must be at least 1"),
        ("[serve]\ncompile_seconds = 30", 65, "compile_seconds must be shorter than request_seconds"),
        ("[serve]\ncompile_memory_bytes = 1000000", 65, "compile_memory_bytes must be at least 67108864"),
        ("[serve]\ncompile_code_bytes = 0", 65, "compile_code_bytes must be at least 1024"),
        ("[serve]\nconnections = 0", 65, "connections must be at least 1"),
        ("[serve]\nconnections_per_address = 0", 65, "connections_per_address must be at least 1"),
        ("[serve]\ndemo_names = ['http://example.org']", 65, "demo_names are names of hosts"),
        ("[serve]\ndemo_names = ['example.org:80']", 65, "demo_names are names of hosts"),
        ("[serve]\nport = 1", 65, "unknown field `port`"),
        ("[[serve]]\nmetrics = true", 65, "sequence, expected a table"),
        ("serve = ['127.0.0.1:1']", 65, "sequence, expected a table"),
    ]);
}

/// Texts, each with the exit code and a part of what is said.
#[track_caller]
fn refused(cases: &[(&str, i32, &str)]) {
    for (text, code, expected) in cases {
        let said = check(text);
        assert_eq!(said.code, Some(*code), "{text}: {said:?}");
        assert!(said.err.contains(expected), "{text}: {said:?}");
    }
}

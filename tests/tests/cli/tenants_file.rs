//! `--config`: tenants and their plugins in a file.

use std::fs;

use hongbao_host::runtime::Plugin;
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, run};

/// A file with this in it; plugins/ours.wasm lies beside it.
fn written(text: &str) -> TempDir {
    let directory = tempdir().unwrap();
    fs::create_dir(directory.path().join("plugins")).unwrap();
    fs::write(directory.path().join("plugins/ours.wasm"), Plugin::EMBEDDED).unwrap();
    fs::write(directory.path().join("hongbao.toml"), text).unwrap();
    directory
}

fn demo(text: &str, tenant: &str) -> Ended {
    let directory = written(text);
    let config = directory.path().join("hongbao.toml");
    run(&["demo", "--users", "20", "--config", config.to_str().unwrap(), "--tenant", tenant])
}

const ACME: &str = r#"
[plugins]
ours = "plugins/ours.wasm"

[tenants.acme]
plugin = "ours"
grants = ["counter", "ledger", "entropy", "clock", "log", "policy"]
policy = { currency = "EUR", max_shares = 200 }
"#;

#[test]
fn a_tenant_is_served_as_the_file_says() {
    let ended = demo(ACME, "acme");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("€1,000.00"), "{}", ended.out);
    let other = demo(ACME, "somebody");
    assert!(other.code == Some(0) && !other.out.contains('€'), "{other:?}");
}

#[track_caller]
fn refuses(text: &str, code: &str, sentence: &str) {
    let ended = demo(text, "acme");
    assert_eq!((ended.code, ended.out.as_str()), (Some(65), ""), "{ended:?}");
    assert!(ended.err.starts_with(&format!("hongbao: {code}: ")), "{ended:?}");
    assert!(ended.err.contains(sentence), "{sentence}: {ended:?}");
}

#[test]
fn what_a_tenant_does_not_grant_is_not_given() {
    let missing = "the plugin asks for counter, entropy, clock, log, policy, which the tenant does not grant";
    refuses("[tenants.acme]\ngrants = ['ledger']", "not-granted", missing);
}

#[test]
fn what_cannot_be_is_refused_by_its_place() {
    refuses(
        "[tenants.acme]\nplugin = 'x'",
        "invalid-argument",
        "line 2, column 1: tenants.acme: plugin: there is no \"x\" under plugins",
    );
    refuses("[tenants.acme.limits]\nmemory = 1", "invalid-argument", "unknown field `memory`");
    refuses(
        "[tenants.acme.limits]\nbatch = 0",
        "invalid-argument",
        "line 2, column 1: tenants.acme.limits: batch must be 1 to 4096",
    );
    refuses("[tenant.acme]", "invalid-argument", "hongbao.toml is no configuration");
    let text = ACME.replace("ours.wasm", "theirs.wasm");
    let ended = demo(&text, "acme");
    assert!(ended.code == Some(66) && ended.err.starts_with("hongbao: not-found: "), "{ended:?}");
}

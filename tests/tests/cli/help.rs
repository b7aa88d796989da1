//! What the command says of itself.

use insta::assert_snapshot;

use crate::process::run;

/// Help as it is printed, under the name that people know the command by.
fn help(args: &[&str]) -> String {
    let ended = run(args);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    ended.out.replace("hongbao-under-test", "hongbao")
}

#[test]
fn the_command_explains_itself() {
    assert_snapshot!(help(&["--help"]));
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "serve",
        "key",
        "config",
        "demo",
        "play",
        "simulate",
        "audit",
        "reconcile",
        "settle",
        "events",
        "migrate",
        "plugin",
        "webhook",
    ] {
        assert_snapshot!(command, help(&[command, "--help"]));
        assert!(help(&["--help"]).contains(command));
        assert!(
            help(&[command, "--help"]).contains(&format!("hongbao {command} ")),
            "{command} has examples"
        );
    }
}

#[test]
fn every_command_about_keys_explains_itself() {
    for command in ["create", "list", "revoke"] {
        assert_snapshot!(format!("key_{command}"), help(&["key", command, "--help"]));
        assert!(help(&["key", "--help"]).contains(&format!("hongbao key {command} ")));
    }
    assert_snapshot!("config_check", help(&["config", "check", "--help"]));
}

#[test]
fn every_command_about_webhooks_explains_itself() {
    assert_snapshot!("webhook_listen", help(&["webhook", "listen", "--help"]));
    assert!(help(&["webhook", "--help"]).contains("hongbao webhook listen "));
}

#[test]
fn every_command_about_plugins_explains_itself() {
    for command in ["inspect", "validate", "pack", "run"] {
        assert_snapshot!(format!("plugin_{command}"), help(&["plugin", command, "--help"]));
        assert!(help(&["plugin", "--help"]).contains(&format!("hongbao plugin {command} ")));
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(help(&["--version"]), format!("hongbao {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_line_that_means_nothing_is_a_usage_error() {
    let wrong: [&[&str]; 16] = [
        &[],
        &["sell"],
        &["play"],
        &["play", "-", "more"],
        &["play", "-", "--seed", "-1"],
        &["play", "-", "--seed", "eight"],
        &["play", "-", "--data"],
        &["audit"],
        &["reconcile", "--dat", "books"],
        &["settle", "--data", "books", "--parked", "--retry"],
        &["plugin"],
        &["plugin", "inspect"],
        &["plugin", "pack", "module.wasm"],
        &["plugin", "run"],
        &["plugin", "run", "plugin.wasm", "--fund", "9223372036854775808"],
        &["audit", "--data", "books", "--ledger", "postgres://localhost"],
    ];
    for args in wrong {
        let ended = run(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{args:?}: {ended:?}");
        assert!(ended.err.contains("--help") || ended.err.contains("Usage: "), "{args:?}: {}", ended.err);
    }
}

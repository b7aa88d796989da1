//! `audit` and `reconcile`: the books of a directory, looked at from outside.

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::events::{advance, equal, op, play_with, with};
use crate::process::{self, Ended, Play, run};

/// Books in which something is claimed, settled, refunded and left; and their audit in the play.
fn books() -> (TempDir, Value) {
    let directory = tempdir().unwrap();
    let mut play = play_with(&["--data", directory.path().to_str().unwrap()]);
    play.send(with(equal("p", 300, 3), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.tell(&op("settle"));
    play.tell(&advance(1_000));
    play.send(equal("q", 500, 5));
    play.take("q", "bob");
    let mut audit = play.tell(&op("audit"));
    play.end_well();
    ["op", "outcome"].iter().for_each(|name| drop(audit.as_object_mut().unwrap().remove(*name)));
    (directory, audit)
}

fn look(command: &str, directory: &TempDir, more: &[&str]) -> Ended {
    run(&[&[command, "--data", directory.path().to_str().unwrap()], more].concat())
}

#[test]
fn an_audit_from_outside_is_the_plays_own() {
    let (directory, expected) = books();
    let ended = look("audit", &directory, &["--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(process::json(&ended), of_default(&expected));
    let ended = look("audit", &directory, &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out.matches('✓').count(), 4, "{}", ended.out);
    assert!(ended.out.contains("2 packets, 2 claims"), "{}", ended.out);
}

#[test]
fn a_reconciliation_from_outside_finds_the_open_packets() {
    let (directory, _) = books();
    let ended = look("reconcile", &directory, &["--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let expected = json!({
        "tenant": "default", "clean": true, "packets": 1, "counters": 0,
        "found": 0, "repaired": 0, "mismatches": [], "overdue": [], "hanging": [], "discrepancies": [],
    });
    assert_eq!(process::json(&ended), expected);
    let ended = look("reconcile", &directory, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines[..2], ["  Tenant default", "  1 open packet looked at, 0 of them with a counter."]);
    assert_eq!(lines.len(), 3, "{ended:?}");
}

/// What a play says of its tenant, as it is said from outside.
fn of_default(found: &Value) -> Value {
    let mut found = found.clone();
    found["tenant"] = json!("default");
    found
}

#[test]
fn a_tenant_that_nobody_knows_is_refused_by_the_setting_that_named_it() {
    let (directory, _) = books();
    for command in ["audit", "reconcile"] {
        for more in [&[][..], &["--json"]] {
            let ended = look(command, &directory, &[&["--tenant", "nosuch"][..], more].concat());
            assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{ended:?}");
            let begins =
                "hongbao: unknown-tenant: --tenant: \"nosuch\": there is nothing of it in the ledger";
            assert!(ended.err.starts_with(begins), "{ended:?}");
        }
        let ended = look(command, &directory, &["--tenant", "default"]);
        assert!(ended.code == Some(0) && ended.out.starts_with("  Tenant default\n"), "{ended:?}");
    }
    assert!(!directory.path().join("registry.db").exists(), "looking makes nothing");
    // The configuration knows it.
    let file = directory.path().join("hongbao.toml");
    std::fs::write(&file, "[tenants.acme]").unwrap();
    let ended = look("audit", &directory, &["--config", file.to_str().unwrap(), "--tenant", "acme"]);
    assert!(ended.code == Some(0) && ended.out.starts_with("  Tenant acme\n"), "{ended:?}");
    // Nobody has paid into an empty ledger, and it is nobody's mistake.
    let empty = tempdir().unwrap();
    assert_eq!(run(&["migrate", "--data", empty.path().to_str().unwrap()]).code, Some(0));
    for command in ["audit", "reconcile"] {
        assert_eq!(look(command, &empty, &[]).code, Some(0));
        assert_eq!(look(command, &empty, &["--tenant", "acme"]).code, Some(64));
    }
}

#[test]
fn looking_changes_nothing() {
    let (directory, expected) = books();
    for _ in 0..2 {
        look("reconcile", &directory, &[]);
        assert_eq!(process::json(&look("audit", &directory, &["--json"])), of_default(&expected));
    }
}

#[test]
fn a_cent_too_much_is_found_by_everybody() {
    let (directory, _) = books();
    let db = Connection::open(directory.path().join("hongbao.db")).unwrap();
    assert_eq!(db.execute("UPDATE wallets SET balance = balance + 1 WHERE user = 'bob'", []).unwrap(), 1);
    drop(db);
    let audit = look("audit", &directory, &["--json"]);
    assert_eq!((audit.code, &process::json(&audit)["conserved"]), (Some(1), &json!(false)));
    assert_eq!(process::json(&audit)["postings"], 1);
    let audit = look("audit", &directory, &[]);
    assert_eq!(audit.code, Some(1));
    assert!(audit.out.contains('✗') && audit.out.contains("NOT add up"), "{}", audit.out);

    let reconciliation = look("reconcile", &directory, &["--json"]);
    assert_eq!(reconciliation.code, Some(1));
    let found = json!([{
        "subject": "wallet:bob", "rule": "a balance is the sum of its postings", "expected": 100, "found": 101,
    }]);
    assert_eq!(process::json(&reconciliation)["discrepancies"], found);
    assert!(look("reconcile", &directory, &[]).out.contains("wallet:bob"));

    let mut play = Play::start(&["--data", directory.path().to_str().unwrap()]);
    assert_eq!(play.tell(&op("reconcile"))["clean"], false);
    let (summary, ended) = play.end();
    assert_eq!((&summary["conserved"], ended.code), (&json!(false), Some(1)));
}

//! Data directories that cannot be used, and one that two use at once.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::events::{advance, balance, equal, fund, grab, op, open, outcome, play_with};
use crate::process::{Ended, Play, run};
use crate::serve::Service;

const FILE: &str = "hongbao.db";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A directory with a ledger that holds a wallet and a packet.
fn books() -> TempDir {
    let directory = tempdir().unwrap();
    let mut play = play_with(&["--data", text(directory.path())]);
    play.send(equal("p", 100, 1));
    play.end_well();
    directory
}

/// The commands that make a ledger where there is none.
fn makers(data: &Path) -> Vec<Ended> {
    let data = text(data);
    [run(&["play", "-", "--data", data]), run(&["demo", "--users", "10", "--data", data])].into()
}

/// The commands that look at a ledger.
fn lookers(data: &Path) -> Vec<Ended> {
    ["audit", "reconcile"].map(|command| run(&[command, "--data", text(data)])).into()
}

#[track_caller]
fn fails(ended: &Ended, exit: i32, code: &str) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(exit), ""), "{ended:?}");
    assert!(ended.err.starts_with(&format!("hongbao: {code}: ")), "{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

/// A directory in which nothing may change, whoever opens it.
#[track_caller]
fn refused(directory: &Path, code: &str) {
    let file = directory.join(FILE);
    let before = fs::read(&file).unwrap();
    for ended in makers(directory).into_iter().chain(lookers(directory)) {
        fails(&ended, 73, code);
        assert!(ended.err.contains(text(&file)), "{}", ended.err);
    }
    assert!(fs::read(&file).unwrap() == before, "the file was changed");
}

#[test]
fn books_that_are_gone_beside_records_that_know_of_them_are_not_begun_anew() {
    let directory = tempdir().unwrap();
    let data = text(directory.path());
    let file = directory.path().join("hongbao.toml");
    fs::write(&file, "[tenants.acme]\n").unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--config", text(&file)];
    let mut service = Service::start(&serve[3..]);
    service.address();
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    fs::remove_file(directory.path().join(FILE)).unwrap();
    let ended = run(&serve);
    fails(&ended, 66, "ledger-missing");
    assert!(ended.err.contains(FILE) && ended.err.contains("registry.db"), "{}", ended.err);
    assert!(!directory.path().join(FILE).exists());
}

#[test]
fn a_directory_below_a_file_cannot_be_made() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "mine").unwrap();
    for data in [file.clone(), file.join("books")] {
        for ended in makers(&data) {
            fails(&ended, 73, "ledger-directory");
            assert!(ended.err.contains(text(&data)), "{}", ended.err);
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let directory = books();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    db.pragma_update(None, "user_version", version + 1).unwrap();
    drop(db);
    refused(directory.path(), "ledger-newer");
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
    drop(db);
    let mut play = Play::start(&["--data", text(directory.path())]);
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_900 }));
    play.end_well();
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join(FILE), "Dear diary, ".repeat(1_000)).unwrap();
    refused(directory.path(), "ledger-damaged");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let directory = tempdir().unwrap();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch("CREATE TABLE diary (page TEXT); INSERT INTO diary VALUES ('Dear diary')").unwrap();
    drop(db);
    refused(directory.path(), "ledger-foreign");
}

#[test]
fn a_ledger_that_is_a_directory_is_said_so() {
    let directory = tempdir().unwrap();
    fs::create_dir(directory.path().join(FILE)).unwrap();
    let ended = run(&["play", "-", "--data", text(directory.path())]);
    fails(&ended, 73, "ledger-directory");
}

#[test]
fn looking_at_books_that_are_not_there_makes_none() {
    let directory = tempdir().unwrap();
    let missing = directory.path().join("books");
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for data in [&missing, &empty] {
        for ended in lookers(data) {
            fails(&ended, 66, "no-ledger");
        }
    }
    assert!(!missing.exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
}

#[test]
fn a_directory_is_made_with_those_above_it() {
    let directory = tempdir().unwrap();
    let data: PathBuf = directory.path().join("家").join("账本");
    let mut play = Play::start(&["--data", text(&data)]);
    play.check(fund("bob", 1), json!({ "outcome": "ok", "balance": 1 }));
    play.end_well();
    assert!(data.join(FILE).is_file());
}

#[test]
fn two_processes_on_one_directory_share_the_books() {
    let directory = tempdir().unwrap();
    let data = ["--data", text(directory.path())];
    let (mut one, mut other) = (Play::start(&data), Play::start(&data));
    one.check(fund("alice", 1_000), json!({ "outcome": "ok", "balance": 1_000 }));
    other.check(balance("alice"), json!({ "outcome": "ok", "balance": 1_000 }));
    let packet = one.send(equal("p", 200, 2));
    // A packet's own id is known to everybody.
    other.check(grab(&packet, "bob"), outcome("admitted"));
    one.check(grab("p", "carol"), outcome("admitted"));
    one.check(grab("p", "dave"), outcome("admitted"));
    other.check(open(&packet, "bob"), json!({ "outcome": "opened", "amount": 100, "sequence": 1 }));
    one.check(open("p", "carol"), json!({ "outcome": "opened", "amount": 100, "sequence": 2 }));
    // Two caches let three through: the ledger has the last word.
    one.check(open("p", "dave"), outcome("exhausted"));
    other.check(open(&packet, "carol"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 2 }));
    assert_eq!(one.tell(&advance(86_400_000))["expired"], json!([]));
    one.end_well();
    other.end_well();
}

#[test]
fn a_play_and_a_service_do_not_share_a_directory() {
    let directory = books();
    let data = ["--data", text(directory.path())];
    let mut play = Play::start(&data);
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_900 }));
    let serve = run(&[&["serve", "--listen", "127.0.0.1:0"], &data[..]].concat());
    fails(&serve, 73, "data-in-use");
    let who = format!("process {}", play.child.id());
    assert!(serve.err.contains(&who) && serve.err.contains(text(directory.path())), "{}", serve.err);
    fails(&run(&[&["migrate"], &data[..]].concat()), 73, "data-in-use");
    // What only looks, or works on what is real, needs nobody's leave.
    for command in ["audit", "reconcile", "settle"] {
        assert_eq!(run(&[&[command], &data[..]].concat()).code, Some(0), "{command}");
    }
    play.end_well();
    assert_eq!(run(&[&["migrate"], &data[..]].concat()).code, Some(0));
}

#[test]
fn a_ledger_that_has_lost_a_guard_is_refused_with_what_is_missing() {
    let directory = books();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch("DROP TRIGGER wallets_are_kept").unwrap();
    drop(db);
    refused(directory.path(), "ledger-damaged");
    let said = run(&["audit", "--data", text(directory.path())]).err;
    assert!(said.contains("the trigger wallets_are_kept is missing"), "{said}");
}

#[test]
fn a_ledger_that_is_locked_is_unavailable_and_loses_nothing() {
    let directory = books();
    let mut play = play_with(&["--data", text(directory.path())]);
    let packet = play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    play.check(open("p", "bob"), outcome("unavailable"));
    db.execute_batch("ROLLBACK").unwrap();
    // The seat stayed, and what is unknown is found out by asking again.
    let opened = play.tell(&open("p", "bob"));
    assert!(opened["outcome"] == "opened" || opened["outcome"] == "already-opened", "{opened}");
    assert_eq!((&opened["amount"], &opened["sequence"]), (&json!(100), &json!(1)));
    let shown = play.tell(&json!({ "op": "details", "ref": packet }));
    assert_eq!(shown["claimed_shares"], 1);
    assert_eq!(play.tell(&op("settle"))["settled"], 1);
    play.end_well();
}

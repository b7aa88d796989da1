//! What people read on a terminal: money in their currency, and names that turn nothing around them.

use std::fs;

use rusqlite::Connection;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::events::{equal, play_with};
use crate::plugin_run::chat;
use crate::process::run;

/// Whether a text moves no cursor and turns nothing.
#[track_caller]
fn is_tame(text: &str) {
    let turns = |one: char| matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let wild: Vec<char> =
        text.chars().filter(|one| turns(*one) || one.is_control() && *one != '\n').collect();
    assert!(wild.is_empty(), "{wild:?}: {text}");
}

#[test]
fn names_and_greetings_turn_nothing_around_them() {
    let ended = chat(
        "al\u{202e}ice: /hongbao 8.88 2 Happy\u{202e} new\u{2067} year\n\
         b\u{2066}ob\u{200f}: press grab\nb\u{2066}ob\u{200f}: press open\nb\u{2066}ob\u{200f}: press details\n\
         al\u{202e}ice: /hongbao \u{202e}8.88 2\n",
        &[],
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    is_tame(&ended.out);
    for part in [
        "alice  sent a red packet",
        "Happy new year",
        "for bob alone",
        "bob     ¥1,0",
        "“8.88” is not an amount",
    ] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    // Programs are told the names as they are.
    let ended = chat("al\u{202e}ice: /hongbao 8.88 2 hi\n", &["--json"]);
    let end: serde_json::Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(end["wallets"][0]["user"], "al\u{202e}ice");
}

#[test]
fn a_name_that_is_too_long_or_heaped_up_breaks_no_table() {
    let (long, heaped) = ("x".repeat(256), format!("z{}", "\u{301}".repeat(100)));
    let ended = chat(format!("{long}: /hongbao 1 1\n{heaped}: press grab\n"), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let row = ended.out.lines().find(|line| line.contains('…') && line.contains("¥999.00")).unwrap();
    assert_eq!(row.chars().count(), 2 + 40 + 2 + 9, "{row}");
    assert!(!ended.out.contains(&"\u{301}".repeat(5)), "{}", ended.out);
}

#[test]
fn a_label_of_a_key_turns_nothing_either() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let made = run(&["key", "create", "--label", "ba\u{202e}nk", "--operator", data[0], data[1]]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let listed = run(&["key", "list", "--operator", data[0], data[1]]);
    is_tame(&listed.out);
    assert!(listed.out.contains("bank"), "{listed:?}");
    let id = listed.out.lines().nth(2).unwrap().split(' ').next().unwrap();
    let revoked = run(&["key", "revoke", id, "--operator", data[0], data[1]]);
    assert_eq!(revoked.out, format!("{id} (bank) is revoked.\n"));
}

const YEN: &str = "
[tenants.default]
grants = ['counter', 'ledger', 'entropy', 'clock', 'log', 'policy']
policy = { currency = 'JPY', currency_digits = 0, max_share = 9223372036854775807 }
";

/// Books in yen, and the arguments that lead to them.
fn yen() -> (TempDir, Vec<String>) {
    let directory = tempdir().unwrap();
    let config = directory.path().join("hongbao.toml");
    fs::write(&config, YEN).unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let args = ["--data".into(), path(directory.path()), "--config".into(), path(&config)];
    (directory, args.into())
}

#[test]
fn every_command_writes_money_as_the_tenants_currency_is_written() {
    let (directory, args) = yen();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut play = play_with(&args);
    let poor = play.tell(&equal("p", 3_000_000, 3));
    assert_eq!(poor["error"]["message"], "the wallet holds ¥1,000,000, which is not enough", "{poor}");
    play.send(equal("q", 30_000, 3));
    play.take("q", "bob");
    play.end_well();

    let audit = run(&[&["audit"], &args[..]].concat());
    assert_eq!(audit.code, Some(0), "{audit:?}");
    for part in ["¥30,000 ", "claimed ¥10,000 + refunded ¥0 + remaining ¥20,000"] {
        assert!(audit.out.contains(part), "{part}: {}", audit.out);
    }
    let settled = run(&[&["settle"], &args[..]].concat());
    assert!(settled.out.contains("¥10,000 "), "{settled:?}");

    let db = Connection::open(directory.path().join("hongbao.db")).unwrap();
    assert_eq!(db.execute("UPDATE wallets SET balance = balance + 1 WHERE user = 'bob'", []).unwrap(), 1);
    drop(db);
    let found = run(&[&["reconcile"], &args[..]].concat());
    assert!(found.out.contains("expected ¥10,000, found ¥10,001"), "{found:?}");
}

#[test]
fn a_simulation_is_told_in_money_and_its_numbers_in_minor_units() {
    let args = ["simulate", "--strategy", "equal", "--total", "100000", "--shares", "8", "--packets", "2"];
    let told = run(&args);
    assert!(told.out.starts_with("2 packets of ¥1,000.00 in 8 shares, equal\n"), "{}", told.out);
    assert!(told.out.contains("¥125.0000") && told.out.contains("¥125.00 "), "{}", told.out);
    let told = run(&[&args[..], &["--json"]].concat());
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&told["total"], &told["positions"][0]["mean"]), (&json!(100_000), &json!(12_500.0)));
}

#[test]
fn a_command_that_nobody_knows_is_told_and_the_closest_is_named() {
    let ended = chat("alice: /hognbao 5 2\nalice: /weather\nalice: ／红包 1 1\nalice: /红包1元1个 hi\n", &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out.contains("  (the plugin has no such command; did you mean /hongbao?)\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("› alice: /weather\n  (the plugin has no such command)\n"), "{}", ended.out);
    assert!(ended.out.contains("¥2.00 sent"), "{}", ended.out);
    let told = chat("alice: /hognbao 5 2\n", &["--json"]);
    let first: serde_json::Value = serde_json::from_str(told.out.lines().next().unwrap()).unwrap();
    assert_eq!(first, json!({"line": 1, "kind": "unknown", "did_you_mean": "/hongbao"}));
}

//! `demo`: a crowd, and the sums after it.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{json, run};

fn demo(more: &[&str]) -> Value {
    let ended = run(&[&["demo", "--json", "--users", "50", "--seed", "1"], more].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    json(&ended)
}

fn number(of: &Value, field: &str) -> u64 {
    of[field].as_u64().unwrap_or_else(|| panic!("{field} of {of}"))
}

fn total(of: &Value, field: &str) -> u64 {
    of.as_array().unwrap().iter().map(|one| number(one, field)).sum()
}

/// Whether everything that the demo says of itself adds up.
fn adds_up(demo: &Value) {
    assert_eq!((&demo["audit"]["conserved"], &demo["reconciliation"]["clean"]), (&json!(true), &json!(true)));
    for packet in demo["packets"].as_array().unwrap() {
        assert_eq!(total(&packet["claims"], "amount"), number(packet, "claimed_amount"), "{packet}");
        assert_eq!(packet["claims"].as_array().unwrap().len() as u64, number(packet, "claimed_shares"));
        let best = packet["claims"].as_array().unwrap().iter().filter(|claim| claim["best_luck"] == true);
        assert_eq!(best.count(), 1, "{packet}");
    }
    let claimed = total(&demo["packets"], "claimed_amount");
    assert_eq!(number(&demo["settlement"], "amount"), claimed);
    assert_eq!(number(&demo["settlement"], "settled"), total(&demo["packets"], "claimed_shares"));
    assert_eq!(demo["settlement"]["large_first"], true);
    let left = total(&demo["packets"], "total") - claimed;
    assert_eq!(total(&demo["refunds"], "refunded"), left);
    let opened = demo["opens"].as_array().unwrap().iter().find(|told| told["outcome"] == "opened").unwrap();
    assert_eq!(number(opened, "users"), total(&demo["packets"], "claimed_shares"));
}

#[test]
fn a_demo_accounts_for_every_cent() {
    let demo = demo(&[]);
    adds_up(&demo);
    let audit = &demo["audit"];
    assert_eq!(number(audit, "sent"), total(&demo["packets"], "total"));
    assert_eq!(number(audit, "claimed"), total(&demo["packets"], "claimed_amount"));
    assert_eq!(number(audit, "refunded"), total(&demo["refunds"], "refunded"));
    assert_eq!(["remaining", "escrow", "unsettled", "postings"].map(|sum| number(audit, sum)), [0; 4]);
    assert_eq!(number(audit, "packets"), demo["packets"].as_array().unwrap().len() as u64);
}

#[test]
fn a_second_demo_on_the_same_directory_continues() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let first = demo(&data);
    let second = demo(&data);
    [&first, &second].into_iter().for_each(adds_up);
    for sum in ["packets", "sent", "funded"] {
        assert_eq!(number(&second["audit"], sum), 2 * number(&first["audit"], sum), "{sum}");
    }
    let claimed = [&first, &second].map(|demo| total(&demo["packets"], "claimed_amount"));
    assert_eq!(number(&second["audit"], "claimed"), claimed.iter().sum::<u64>());
    let mut audit = json(&run(&["audit", "--json", data[0], data[1]]));
    assert_eq!(audit.as_object_mut().unwrap().remove("tenant"), Some("default".into()));
    assert_eq!(audit, second["audit"]);
}

#[test]
fn a_demo_tells_a_story() {
    let ended = run(&["demo", "--users", "50", "--seed", "1"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    for part in ["👑 best luck", "50 users", "█", "Settlement", "sender", "Reconciliation", "Audit", "✓"]
    {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    assert!(!ended.out.contains('✗') && !ended.out.contains('\u{1b}'), "{}", ended.out);
}

#[test]
fn crowds_out_of_range_are_usage_errors() {
    for users in ["0", "9", "100001", "-1", "many", "18446744073709551616"] {
        let ended = run(&["demo", "--users", users]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{ended:?}");
    }
}

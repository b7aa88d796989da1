//! `events`: what happened to a tenant's money, printed line by line.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::events::{advance, equal, op, play_with, with};
use crate::process::{hongbao, run};

/// Books in which a packet of 300 was sent, claimed once, settled and refunded.
fn books() -> TempDir {
    let directory = tempdir().unwrap();
    let mut play = play_with(&["--data", directory.path().to_str().unwrap()]);
    play.send(with(equal("p", 300, 3), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.tell(&op("settle"));
    play.tell(&advance(1_000));
    play.end_well();
    directory
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_are_printed_in_order_and_from_any_of_them_on() {
    let directory = books();
    let data = ["events", "--data", directory.path().to_str().unwrap()];
    let ended = run(&data);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let all = lines(&ended.out);
    let kinds: Vec<_> = all.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let expected = ["wallet.funded", "packet.sent", "share.claimed", "share.settled", "packet.refunded"];
    assert_eq!(kinds, expected);
    assert_eq!(
        (&all[2]["user"], &all[2]["amount"], &all[4]["amount"]),
        (&json!("bob"), &json!(100), &json!(200))
    );
    for (index, event) in all.iter().enumerate() {
        let ended = run(&[&data[..], &["--after", event["id"].as_str().unwrap()]].concat());
        assert_eq!((ended.code, lines(&ended.out)), (Some(0), all[index + 1..].to_vec()));
    }
}

#[test]
fn what_cannot_be_told_is_refused() {
    let directory = books();
    let data = ["events", "--data", directory.path().to_str().unwrap()];
    for (more, code, words) in [
        (&["--after", "1-2"][..], 64, "must be the id of an event as it was given"),
        (&["--after", "1-a77-00000000"], 64, "cursor-gone"),
        (&["--tenant", "acem"], 64, "unknown-tenant"),
    ] {
        let ended = run(&[&data[..], more].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.err.contains(words), "{ended:?}");
    }
    let ended = run(&["events", "--data", "/nowhere"]);
    assert_eq!(ended.code, Some(66), "{ended:?}");
}

#[test]
fn whoever_follows_is_told_what_happens_next() {
    let directory = books();
    let data = directory.path().to_str().unwrap();
    let mut following =
        hongbao(&["events", "--follow", "--data", data]).stdin(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(following.stdout.take().unwrap()).lines();
    for _ in 0..5 {
        out.next().unwrap().unwrap();
    }
    play_with(&["--data", data]).end_well();
    let next: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
    assert_eq!(next["kind"], "wallet.funded");
    following.kill().unwrap();
    following.wait().unwrap();
}

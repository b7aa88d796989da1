//! The log as a stream: lines in, lines out, and how it ends.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{balance, equal, fund, grab, op, open, play};
use crate::process::{Ended, Play, hongbao, run};

fn lines(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_answer_is_there_before_the_next_event_is_written() {
    // `Play` reads each answer before it writes again, so a late flush would stop this for ever.
    let mut play = Play::start(&["--json"]);
    for amount in 1..=50 {
        play.check(fund("bob", 1), json!({ "outcome": "ok", "balance": amount }));
    }
    let summary = json!({
        "op": "summary", "events": 50, "answered": 50, "errors": 0, "malformed": 0, "conserved": true,
    });
    assert_eq!(play.end_well(), summary);
}

#[test]
fn the_summary_counts_answers_and_errors() {
    let mut play = play();
    play.refuses(equal("p", 1_001, 2), "invalid-argument");
    play.check(balance("bob"), json!({ "outcome": "ok", "balance": 0 }));
    let (summary, ended) = play.end();
    let expected = json!({
        "op": "summary", "events": 3, "answered": 2, "errors": 1, "malformed": 0, "conserved": true,
    });
    assert_eq!(summary, expected);
    // An event that was refused is a well-formed one.
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

#[test]
fn with_json_standard_error_stays_empty() {
    let mut play = Play::start(&["--json"]);
    play.say("no event");
    let (_, ended) = play.end();
    assert_eq!((ended.code, ended.err.as_str()), (Some(65), ""));
}

#[test]
fn an_empty_log_has_a_summary_alone() {
    let (summary, ended) = Play::start(&[]).end();
    assert_eq!((&summary["events"], &summary["conserved"]), (&json!(0), &json!(true)));
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_log_may_be_a_file_with_any_line_ends_and_without_the_last() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("日志.jsonl");
    let events = [fund("alice", 100), equal("p", 100, 1), grab("p", "bob"), open("p", "bob"), op("settle")];
    let [fund, send, grab, open, settle] = events.map(|event| event.to_string());
    fs::write(&file, format!("{fund}\r\n\n   \n{send}\n  {grab}  \n\t\r\n{open}\n{settle}")).unwrap();
    let ended = run(&["play", file.to_str().unwrap()]);
    let answers = lines(&ended);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ops: Vec<&str> = answers.iter().map(|answer| answer["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["fund", "send", "grab", "open", "settle", "summary"]);
    assert_eq!(answers[4]["settled"], 1);
    assert_eq!(answers[5]["events"], 5);
}

#[test]
fn a_byte_order_mark_costs_no_event() {
    let directory = tempdir().unwrap();
    let (first, second) = (fund("alice", 100), balance("alice"));
    let text = format!("\u{feff}{first}\r\n{second}\r\n\u{feff}{second}\n");
    let file = directory.path().join("marked.jsonl");
    fs::write(&file, &text).unwrap();
    let ended = run(&["play", file.to_str().unwrap()]);
    let answers = lines(&ended);
    assert_eq!(
        (ended.code, answers[1]["balance"].as_u64(), answers[2]["balance"].as_u64()),
        (Some(0), Some(100), Some(100))
    );
    // The same from a pipe.
    let mut child = hongbao(&["play", "-", "--json"]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.iter().filter(|byte| **byte == b'\n').count()),
        (Some(0), 4)
    );
}

#[test]
fn a_log_in_another_encoding_is_said_so_once() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("utf-16.jsonl");
    let text = format!("\u{feff}{}\r\n{}\r\n", fund("alice", 100), balance("alice"));
    fs::write(&file, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let ended = run(&["play", file.to_str().unwrap()]);
    let answers = lines(&ended);
    assert_eq!((ended.code, answers.len()), (Some(65), 2), "{ended:?}");
    assert_eq!(answers[0]["error"]["message"], "the text is in UTF-16; save it as UTF-8");
}

#[test]
fn a_log_that_is_not_there_is_said_so() {
    let directory = tempdir().unwrap();
    let missing = directory.path().join("none.jsonl");
    for path in [missing.as_path(), directory.path()] {
        let ended = run(&["play", path.to_str().unwrap()]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(66), ""), "{ended:?}");
        assert!(ended.err.starts_with("hongbao: not-found: "), "{}", ended.err);
        assert!(ended.err.contains(path.to_str().unwrap()), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
}

#[test]
fn a_cause_is_said_once() {
    let directory = tempdir().unwrap();
    let (missing, file) = (directory.path().join("none"), directory.path().join("file"));
    fs::write(&file, "mine").unwrap();
    let (missing, file) = (missing.to_str().unwrap(), file.to_str().unwrap());
    let commands = [
        (run(&["play", missing]), "(os error"),
        (run(&["play", "-", "--plugin", missing]), "(os error"),
        (run(&["play", "-", "--data", file]), "is a file and no directory"),
    ];
    for (ended, cause) in commands {
        assert_eq!(ended.err.matches(cause).count(), 1, "{}", ended.err);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_play_without_a_fuss() {
    let mut child = hongbao(&["play", "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    writeln!(input, "{}", fund("bob", 1)).unwrap();
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    drop(out);
    // From now on a write may find that nobody reads, on either side.
    let _ = writeln!(input, "{}", fund("bob", 1));
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    assert!(first.contains("\"balance\":1"), "{first}");
}

#[test]
fn an_exit_code_is_the_same_when_nobody_hears_the_sentence() {
    let directory = tempdir().unwrap();
    let missing = directory.path().join("none.jsonl");
    for (args, code) in [(["play", missing.to_str().unwrap()], 66), (["play", "-"], 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = hongbao(&args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer).status();
        assert_eq!(status.unwrap().code(), Some(code), "{args:?}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_of_output() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        // Not every system has such a device.
        return;
    };
    let output = hongbao(&["play", "-"]).stdin(Stdio::null()).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.starts_with("hongbao: input-output: "), "{said}");
}

#[test]
fn a_log_that_breaks_off_keeps_what_was_answered() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut play = Play::start(&data);
    play.check(fund("bob", 7), json!({ "outcome": "ok", "balance": 7 }));
    drop(play);
    let mut later = Play::start(&data);
    later.check(balance("bob"), json!({ "outcome": "ok", "balance": 7 }));
    later.end_well();
}

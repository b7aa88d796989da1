//! Processes that are killed in the middle of their work, and processes that share a directory.
//!
//! What a line of output has said is true for good: after any kill the directory is opened again,
//! and everything that was answered before is asked for once more.

// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod load;
mod payouts;
#[path = "../cli/process.rs"]
mod process;
mod told;

use std::io::Write as _;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use load::{Moments, day};
use process::{Play, json, run};
use told::Told;

const FUNDING: u64 = 100_000_000;

/// Writes events for as long as somebody reads them, far ahead of the answers.
fn pour(play: &mut Play, events: impl Iterator<Item = Value> + Send + 'static) -> JoinHandle<()> {
    let mut input = play.input.take().unwrap();
    thread::spawn(move || {
        for event in events {
            if writeln!(input, "{event}").is_err() {
                return;
            }
        }
    })
}

/// Kills a process; gives what it had said that was not read yet.
fn kill(mut play: Play) -> Vec<Value> {
    play.child.kill().unwrap();
    play.child.wait().unwrap();
    std::iter::from_fn(|| play.next()).collect()
}

/// One process under load from its first to its last moment.
fn live_and_die(data: &[&str], name: &str, told: &mut Told, moments: &mut Moments) {
    let mut play = Play::start(data);
    told.hear(&play.tell(&json!({ "op": "fund", "user": "alice", "amount": FUNDING })));
    let log = (0..).flat_map({
        let name = name.to_owned();
        move |number| day(&format!("{name}-{number}"))
    });
    let writer = pour(&mut play, log);
    for _ in 0..moments.below(60) {
        told.hear(&play.next().unwrap());
    }
    // Not to wait for anything: this is the moment.
    thread::sleep(Duration::from_micros(moments.below(30_000)));
    kill(play).iter().for_each(|answer| told.hear(answer));
    writer.join().unwrap();
}

#[track_caller]
fn audit_conserves(data: &[&str]) -> Value {
    let ended = run(&[&["audit", "--json"], data].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    json(&ended)
}

/// Events after one, as the command prints them.
#[track_caller]
fn events(data: &[&str], after: Option<&str>) -> Vec<Value> {
    let after: Vec<_> = after.into_iter().flat_map(|id| ["--after", id]).collect();
    let ended = run(&[&["events"], data, &after].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_was_answered_before_a_kill_is_there_after_it() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let (mut told, mut moments) = (Told::default(), Moments::new(8));
    let mut read: Vec<Value> = Vec::new();
    for life in 0..8 {
        live_and_die(&data, &format!("life-{life}"), &mut told, &mut moments);
        audit_conserves(&data);
        let after = read.last().map(|event| event["id"].as_str().unwrap().to_owned());
        read.extend(events(&data, after.as_deref()));
        told.is_in(&read);
        let mut play = Play::start(&data);
        told.holds(&mut play);
        let (summary, ended) = play.end();
        assert_eq!((&summary["conserved"], ended.code), (&json!(true), Some(0)), "{summary}");
    }
    assert!(told.opened() > 500, "{} opens are too few to tell anything", told.opened());
    let whole = events(&data, None);
    assert!(whole.starts_with(&read), "what was read between the deaths is what there is");
    let mut play = Play::start(&data);
    told.comes_to_an_end(&mut play);
    play.end();
    let audit = audit_conserves(&data);
    assert_eq!(
        ["remaining", "escrow", "unsettled"].map(|sum| audit[sum].clone()),
        [0, 0, 0].map(Value::from)
    );
}

#[test]
fn a_process_killed_while_it_opens_leaves_a_directory_that_opens() {
    let mut moments = Moments::new(9);
    for _ in 0..4 {
        let directory = tempdir().unwrap();
        let data = ["--data", directory.path().to_str().unwrap()];
        for _ in 0..4 {
            let play = Play::start(&data);
            // Around the time that a process takes from its start to its first answer.
            thread::sleep(Duration::from_micros(moments.below(400_000)));
            assert_eq!(kill(play), Vec::<Value>::new());
        }
        let mut play = Play::start(&data);
        let answer = play.tell(&json!({ "op": "fund", "user": "alice", "amount": 1 }));
        assert_eq!(answer["balance"], 1, "{answer}");
        play.end();
        audit_conserves(&data);
    }
}

#[test]
fn two_processes_with_the_same_work_do_it_once() {
    const DAYS: u32 = 12;
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut told = Told::default();
    let mut plays = [Play::start(&data), Play::start(&data)];
    told.hear(&plays[0].tell(&json!({ "op": "fund", "user": "alice", "amount": FUNDING })));
    let log = || (0..DAYS).flat_map(|number| day(&format!("day-{number}")));
    let writers = plays.each_mut().map(|play| pour(play, log()));
    for play in &plays {
        while let Some(answer) = play.next() {
            told.hear(&answer);
        }
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    for play in &mut plays {
        assert_eq!(play.child.wait().unwrap().code(), Some(0));
    }
    let mut play = Play::start(&data);
    told.holds(&mut play);
    told.comes_to_an_end(&mut play);
    play.end();
    audit_conserves(&data);
}

#[test]
fn a_process_goes_on_when_its_neighbour_is_killed() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let (mut told, mut moments) = (Told::default(), Moments::new(10));
    let mut survivor = Play::start(&data);
    told.hear(&survivor.tell(&json!({ "op": "fund", "user": "alice", "amount": FUNDING })));
    for life in 0..3 {
        let events: Vec<Value> =
            (0..3).flat_map(|number| day(&format!("survivor-{life}-{number}"))).collect();
        let neighbour = thread::spawn({
            let (data, mut moments) = (data.map(str::to_owned), Moments::new(moments.below(u64::MAX)));
            move || {
                let mut told = Told::default();
                let data = data.each_ref().map(String::as_str);
                live_and_die(&data, &format!("neighbour-{life}"), &mut told, &mut moments);
                told
            }
        });
        for event in events {
            let answer = survivor.tell(&event);
            assert_eq!(answer.get("error"), None, "{answer}");
            told.hear(&answer);
        }
        told.join(neighbour.join().unwrap());
    }
    told.holds(&mut survivor);
    told.comes_to_an_end(&mut survivor);
    survivor.end();
    audit_conserves(&data);
}

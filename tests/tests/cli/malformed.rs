//! Lines that are no events: each is answered, and the rest still runs.

use serde_json::{Value, json};

use crate::events::{balance, equal, fund, grab, op, outcome, play, sentence, together, with};
use crate::process::Play;

/// Says a line that is no event: its number is in the answer, nothing moves and the play goes on.
#[track_caller]
fn rejects(play: &mut Play, line: impl AsRef<[u8]>, number: u64) -> Value {
    let before = play.tell(&op("audit"));
    let shown = String::from_utf8_lossy(line.as_ref()).chars().take(200).collect::<String>();
    let answer = play.say(line);
    assert_eq!(answer["error"]["code"], "invalid-argument", "{shown}: {answer}");
    assert_eq!(answer["error"]["line"], number, "{shown}: {answer}");
    assert_eq!(answer.get("outcome"), None, "{shown}: {answer}");
    sentence(&answer["error"]);
    assert_eq!(play.tell(&op("audit")), before, "{shown}");
    answer
}

/// Each of these lines, in one play that ends with exit code 65.
#[track_caller]
fn reject_all<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) {
    let mut play = play();
    let mut count = 0;
    for line in lines {
        // The line itself stands after the funding, an audit, and three lines for each before it.
        rejects(&mut play, line, 3 + 3 * count);
        count += 1;
    }
    play.check(fund("alice", 1), json!({ "outcome": "ok", "balance": 1_000_001 }));
    let (summary, ended) = play.end();
    assert_eq!(summary["malformed"], count, "{summary}");
    assert_eq!((summary["errors"].as_u64(), summary["conserved"].as_bool()), (Some(count), Some(true)));
    assert_eq!(ended.code, Some(65), "{ended:?}");
}

#[test]
fn what_is_no_json_is_malformed() {
    reject_all([
        "hello",
        "{",
        "}",
        r#"{"op":"settle"}}"#,
        r#"{"op":"settle"} {"op":"settle"}"#,
        r#"{"op":"fund","user":"alice","amount":1"#,
        r#"{'op':'settle'}"#,
        r#"{"op":"fund","user":"\ud800","amount":1}"#,
        r#"{"op":"fund","user":"alice","amount":0x10}"#,
        r#"{"op":"fund","user":"alice","amount":NaN}"#,
        r#"{"op":"fund","user":"alice","amount":01}"#,
    ]);
}

#[test]
fn json_that_is_no_object_is_malformed() {
    reject_all(["null", "1", r#""settle""#, "[]", r#"["settle"]"#, r#"["fund","alice",5]"#]);
}

#[test]
fn an_array_is_no_event_within_another_either() {
    reject_all([
        r#"{"op":"together","events":[["fund","alice",5]]}"#,
        r#"{"op":"together","events":[{"op":"fund","user":"alice","amount":5},["settle"]]}"#,
        r#"{"op":"together","events":[[]]}"#,
        r#"{"op":["fund"],"user":"alice","amount":5}"#,
        r#"{"op":{"fund":null},"user":"alice","amount":5}"#,
        r#"{"op":"together","events":[{"op":"fund","user":["alice"],"amount":5}]}"#,
        r#"{"op":"together","events":[{"op":"fund","user":"alice","amount":5,"ms":1}]}"#,
    ]);
}

#[test]
fn events_of_another_shape_are_malformed() {
    reject_all([
        "{}",
        r#"{"op":"nope"}"#,
        r#"{"op":"Fund","user":"alice","amount":1}"#,
        r#"{"op":5}"#,
        r#"{"user":"alice","amount":1}"#,
        r#"{"op":"fund","user":"alice"}"#,
        r#"{"op":"fund","amount":1}"#,
        r#"{"op":"fund","user":"alice","amount":1,"currency":"CNY"}"#,
        r#"{"op":"fund","user":"alice","user":"bob","amount":1}"#,
        r#"{"op":"fund","user":["alice"],"amount":1}"#,
        r#"{"op":"settle","now":true}"#,
        r#"{"op":"grab","ref":"p"}"#,
        r#"{"op":"grab","user":"bob"}"#,
        r#"{"op":"open","ref":1,"user":"bob"}"#,
        r#"{"op":"details"}"#,
        r#"{"op":"advance"}"#,
        r#"{"op":"advance","ms":-1}"#,
        r#"{"op":"advance","ms":18446744073709551616}"#,
        r#"{"op":"together"}"#,
        r#"{"op":"together","events":{}}"#,
    ]);
}

#[test]
fn amounts_that_are_no_whole_numbers_are_malformed() {
    let amounts =
        ["-1", "1.5", "1.0", "1e3", "18446744073709551616", "1e400", "\"5\"", "null", "true", "[1]"];
    reject_all(amounts.map(|amount| format!(r#"{{"op":"fund","user":"alice","amount":{amount}}}"#)));
}

#[test]
fn sends_of_another_shape_are_malformed() {
    let send = |other: Value| with(equal("p", 100, 1), other).to_string();
    let without = |name: &str| {
        let mut send = equal("p", 100, 1);
        send.as_object_mut().unwrap().remove(name);
        send.to_string()
    };
    let changed = [
        json!({ "total": -1 }),
        json!({ "total": 1.5 }),
        json!({ "shares": -1 }),
        json!({ "shares": 4_294_967_296_u64 }),
        json!({ "kind": "unlucky" }),
        json!({ "strategy": "Fair!" }),
        json!({ "expires_in_ms": -1 }),
        json!({ "to": "bob" }),
        json!({ "to": [1] }),
        json!({ "greeting": 1 }),
        json!({ "key": 1 }),
        json!({ "colour": "red" }),
    ];
    reject_all(changed.map(send));
    reject_all(["ref", "room", "sender", "kind", "total", "shares"].map(without));
}

#[test]
fn names_that_are_none_are_malformed_wherever_they_stand() {
    let names = ["", "bell\u{7}", "null\0", "line\nbreak", "delete\u{7f}", "next\u{85}line"];
    let long = "x".repeat(257);
    // Four bytes each: 65 of them are 260.
    let wide = "🧧".repeat(65);
    let names = || names.iter().copied().chain([long.as_str(), wide.as_str()]);
    let sends = |name: &str| {
        [
            with(equal("p", 100, 1), json!({ "sender": name })),
            with(equal("p", 100, 1), json!({ "to": [name] })),
        ]
    };
    reject_all(names().flat_map(|name| [fund(name, 1), balance(name)]).map(|event| event.to_string()));
    reject_all(names().flat_map(sends).map(|event| event.to_string()));
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    reject_all([
        &b"\xff\xfe"[..],
        b"{\"op\":\"fund\",\"user\":\"al\xffice\",\"amount\":1}",
        b"{\"op\":\"fund\",\"user\":\"\xed\xa0\x80\",\"amount\":1}",
        b"{\"op\":\"fund\",\"user\":\"\xc0\xaf\",\"amount\":1}",
        b"\0\0\0\0",
    ]);
}

#[test]
fn a_line_of_more_than_a_mebibyte_is_malformed_however_long_it_is() {
    let padded = |length: usize| {
        let event = fund("alice", 1).to_string();
        format!("{event}{}", " ".repeat(length - event.len()))
    };
    reject_all([padded(1 << 20), padded((1 << 20) + 1), "x".repeat(5 << 20), "[".repeat(2 << 20)]);
    let mut play = Play::start(&[]);
    let answer = play.say(padded((1 << 20) - 1));
    assert_eq!(answer["balance"], 1, "{answer}");
    play.end_well();
}

#[test]
fn a_line_that_is_nested_deeply_is_malformed() {
    reject_all(["[".repeat(100_000), "{\"op\":".repeat(100_000), "[".repeat(500) + &"]".repeat(500)]);
}

#[test]
fn together_within_together_is_malformed() {
    let inner = together([op("settle")]);
    let deep = (0..100).fold(op("settle"), |event, _| together([event]));
    reject_all([together([inner]), together([fund("alice", 1), together([])]), deep].map(|e| e.to_string()));
}

#[test]
fn one_bad_event_makes_the_whole_of_together_malformed() {
    let good = fund("alice", 1);
    let bad = [op("nope"), json!({}), json!(1), json!({ "op": "grab", "ref": "p" }), fund("", 1)];
    reject_all(bad.map(|bad| together([good.clone(), bad, good.clone()]).to_string()));
}

#[test]
fn a_malformed_line_repeats_what_could_be_read_of_it() {
    let mut play = play();
    let answer = rejects(&mut play, r#"{"op":"grab","ref":"p","user":"bob","when":"now"}"#, 3);
    assert_eq!(
        (&answer["op"], &answer["ref"], &answer["user"]),
        (&json!("grab"), &json!("p"), &json!("bob"))
    );
    let answer = rejects(&mut play, r#"{"op":"grab","ref":"p"}"#, 6);
    assert_eq!((&answer["op"], &answer["ref"], answer.get("user")), (&json!("grab"), &json!("p"), None));
    let answer = rejects(&mut play, "grab", 9);
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
}

#[test]
fn empty_lines_count_in_the_numbers_but_are_no_events() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.write("");
    play.write("  \t ");
    assert_eq!(play.say("no event")["error"]["line"], 5);
    play.check(grab("p", "bob"), outcome("admitted"));
    let (summary, _) = play.end();
    assert_eq!((&summary["events"], &summary["malformed"]), (&json!(4), &json!(1)));
}

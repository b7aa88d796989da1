//! `hongbao plugin run`: the little chat, in words and as JSON, and lines that are none.

use std::fs;
use std::io::Write as _;

use hongbao_host::runtime::Plugin;
use hongbao_tests::guests::{Deed, misbehaving};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, hongbao, run};

/// A directory with the embedded plugin in it, and its path.
fn plugin() -> (TempDir, String) {
    let directory = tempdir().unwrap();
    let file = directory.path().join("plugin.wasm");
    fs::write(&file, Plugin::EMBEDDED).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (directory, path)
}

/// A chat of these lines on standard input.
pub fn chat(lines: impl AsRef<[u8]>, args: &[&str]) -> Ended {
    let (_directory, plugin) = plugin();
    let mut child = hongbao(&[&["plugin", "run", &plugin, "--seed", "8"], args].concat()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_ref()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The same as JSON; the last of them is the end.
fn objects(lines: &str) -> (Vec<Value>, Option<i32>) {
    let ended = chat(lines, &["--json"]);
    assert_eq!(ended.err, "");
    (ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), ended.code)
}

#[test]
fn an_evening_is_shown_to_people() {
    let ended = chat(
        "# An evening\n\
         alice: /hongbao 8.88 2 Happy new year\n\
         bob: press grab\nbob: press open\nagain\n\
         carol@zh: press grab 1\nlose-cache\ncarol@zh: press open\n\
         carol@zh: /红包 帮助\n\
         carol@zh: /红包 给 @bob @dave 20 恭喜发财，大吉大利，红包拿来，恭喜发财，大吉大利，红包拿来\n\
         alice: press grab\n\
         +25h\n\
         dave: press grab 9\n\
         bob: press nothing 1\n\
         alice: /unknown\n",
        &[],
    );
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_snapshot!("plugin_run_evening", ended.out);
}

#[test]
fn lines_that_cannot_be_followed_are_named_and_the_chat_goes_on() {
    let lines = b"nonsense\n\nalice: hello\nalice: press grab\nalice: press grab 3\nalice: /hongbao help\n\
                  alice: press grab 1\nagain\n\xff\xfe\n+1w\n+9999999999d\n: /x\nbob: /hongbao help\n";
    let ended = chat(lines, &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(65), ""));
    assert_snapshot!("plugin_run_malformed", ended.out);
    let ended = chat("again\n", &[]);
    assert_eq!(ended.code, Some(65));
    assert!(ended.out.contains("  line 1: nothing was said or pressed before\n"), "{}", ended.out);
}

#[test]
fn a_chat_is_told_to_programs() {
    let (told, code) =
        objects("alice: /hongbao 8.88 1 Hi\nbob: press grab\nbob: press open\nbob: /hongbao 0 1\nx\n");
    assert_eq!(code, Some(65));
    let packet = told[0]["packet"].clone();
    let expected = json!({
        "line": 1, "kind": "card", "number": 1, "for": null, "packet": packet, "theme": "sealed",
        "title": "Red packet 🧧", "body": "Hi",
        "fields": [
            { "user": "alice", "label": "From", "value": "sent a red packet" },
            { "user": null, "label": "Kind", "value": "lucky draw" },
            { "user": null, "label": "Shares", "value": "1" },
        ],
        "buttons": [{ "action": "grab", "label": "Grab", "emphasis": "primary" }],
    });
    assert_eq!(told[0], expected);
    assert_eq!((&told[1]["for"], &told[1]["packet"]), (&json!("bob"), &packet));
    // Whoever takes the last share brings the room its card.
    assert_eq!(
        (&told[2]["line"], &told[2]["title"], &told[2]["theme"]),
        (&json!(3), &json!("¥8.88"), &json!("opened"))
    );
    assert_eq!(
        (&told[3]["line"], &told[3]["for"], &told[3]["theme"]),
        (&json!(3), &Value::Null, &json!("finished"))
    );
    assert_eq!((&told[4]["kind"], &told[4]["code"]), (&json!("problem"), &json!("invalid-amount")));
    assert_eq!(
        (&told[5]["line"], &told[5]["kind"], &told[5]["code"]),
        (&json!(5), &json!("failed"), &json!("invalid-argument"))
    );
    let wallets = json!([{ "user": "alice", "balance": 99_112 }, { "user": "bob", "balance": 100_888 }]);
    assert_eq!((&told[6]["kind"], &told[6]["wallets"]), (&json!("end"), &wallets));
    assert_eq!(told[6]["audit"]["conserved"], true);
    assert_eq!(told.len(), 7);
}

#[test]
fn a_lost_answer_told_again_is_the_same() {
    let (told, code) =
        objects("alice: /hongbao 8.88 3 Hi\nagain\nbob: press grab\nagain\nbob: press open\nagain\n+25h\n");
    assert_eq!(code, Some(0));
    for pair in told[..6].chunks(2) {
        let [one, two] = [0, 1].map(|at| json!({ "title": pair[at]["title"], "packet": pair[at]["packet"] }));
        assert_eq!(one, two);
    }
    let (refund, audit) = (&told[6]["refunded"][0], &told[7]["audit"]);
    assert_eq!(refund["packet"], told[0]["packet"]);
    let back = refund["refunded"].as_u64().unwrap();
    assert_eq!(audit["claimed"].as_u64().unwrap() + back, 888);
    assert_eq!((&audit["packets"], &audit["claims"]), (&json!(1), &json!(1)));
}

#[test]
fn wallets_begin_with_what_is_said() {
    for (fund, code) in [("888", "sealed"), ("0", "insufficient-funds")] {
        let ended = chat("alice: /hongbao 8.88 3\n", &["--json", "--fund", fund]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains(code), "{ended:?}");
    }
}

#[test]
fn nothing_happens_where_nobody_says_anything() {
    let ended = chat("", &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.ends_with("¥0.00 remaining; every cent is accounted for\n"), "{}", ended.out);
}

#[test]
fn a_script_is_a_file() {
    let (directory, plugin) = plugin();
    let script = directory.path().join("evening.txt");
    fs::write(&script, "alice: /hongbao help").unwrap();
    let script = script.to_str().unwrap();
    let ended = run(&["plugin", "run", &plugin, "--script", script]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains("How to send red packets"), "{}", ended.out);
    let missing = format!("{script}.none");
    let ended = run(&["plugin", "run", &plugin, "--script", &missing]);
    let said =
        format!("hongbao: not-found: {missing} cannot be read: No such file or directory (os error 2)\n");
    assert_eq!((ended.code, ended.out.as_str(), ended.err), (Some(66), "", said));
}

#[test]
fn what_is_no_plugin_is_not_run() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("plugin.wasm");
    fs::write(&file, misbehaving(Deed::Trap)).unwrap();
    let ended = run(&["plugin", "run", file.to_str().unwrap()]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(70), ""));
    // Behind a line of the log, with the trap.
    let begin = "\nhongbao: no-manifest: the plugin does not say what it is: the plugin failed: ";
    assert!(ended.err.contains(begin), "{ended:?}");
    fs::write(&file, "text").unwrap();
    let ended = run(&["plugin", "run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(65));
}

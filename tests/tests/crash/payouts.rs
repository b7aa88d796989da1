//! Withdrawals of processes that are killed between the phases.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::load::Moments;
use crate::process::Play;
use crate::{audit_conserves, kill, pour};

const FUNDING: u64 = 10_000_000;

/// What the platform says of the `number`th withdrawal after its bank has answered; nothing where it never does.
const fn end(number: u64) -> Option<&'static str> {
    match number % 3 {
        0 => Some("complete"),
        1 => Some("cancel"),
        _ => None,
    }
}

const fn amount(number: u64) -> u64 {
    1 + number % 7
}

fn withdraw(number: u64) -> Value {
    let name = format!("payout {number}");
    json!({ "op": "withdraw", "ref": name, "key": name, "user": "dora", "amount": amount(number), "reference": name })
}

fn ended(number: u64, id: &str) -> Option<Value> {
    end(number).map(|op| json!({ "op": op, "ref": id, "user": "dora" }))
}

/// What was answered: ids of withdrawals by their numbers, and how those ended that did.
#[derive(Default)]
struct Heard {
    ids: BTreeMap<u64, String>,
    ends: BTreeMap<u64, String>,
}

impl Heard {
    fn hear(&mut self, answer: &Value) {
        let Some(number) = answer["ref"].as_str().and_then(|name| name.strip_prefix("payout ")) else {
            return;
        };
        let (number, text) =
            (number.parse().unwrap(), |field: &str| answer[field].as_str().unwrap().to_owned());
        assert_eq!(answer.get("error"), None, "{answer}");
        match answer["op"].as_str().unwrap() {
            "withdraw" => {
                let before = self.ids.insert(number, text("withdrawal"));
                assert!(before.is_none_or(|before| before == text("withdrawal")), "{answer}");
            }
            _ => drop(self.ends.insert(number, text("outcome"))),
        }
    }

    /// Asks for everything again: what was told is as it was told, and what was not is done now. Gives how many
    /// withdrawals there are.
    fn holds(&self, play: &mut Play, most: u64) {
        for number in 0..most {
            let answer = play.tell(&withdraw(number));
            let id = answer["withdrawal"].as_str().unwrap_or_else(|| panic!("{answer}"));
            if let Some(told) = self.ids.get(&number) {
                assert_eq!((answer["outcome"].as_str(), id), (Some("replayed"), told.as_str()), "{answer}");
            }
            let Some(event) = ended(number, id) else { continue };
            let other = if event["op"] == "complete" { "cancel" } else { "complete" };
            if let Some(outcome) = self.ends.get(&number) {
                let refused = play.tell(&json!({ "op": other, "ref": id, "user": "dora" }));
                assert_eq!(refused["error"]["code"], format!("withdrawal-{outcome}"), "{refused}");
            }
            let told = play.tell(&event);
            let expected = if event["op"] == "complete" { "completed" } else { "cancelled" };
            assert_eq!(
                (&told["outcome"], &told["amount"]),
                (&json!(expected), &json!(amount(number))),
                "{told}"
            );
        }
    }
}

#[test]
fn what_was_told_of_withdrawals_before_a_kill_is_so_after_it() {
    const EACH: u64 = 400;
    const LIVES: u64 = 6;
    // What was asked for and not told may be in the books as well.
    const ALL: u64 = LIVES * EACH;
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let (mut heard, mut moments) = (Heard::default(), Moments::new(11));
    let mut first = Play::start(&data);
    first.tell(&json!({ "op": "fund", "user": "dora", "amount": FUNDING }));
    first.end();
    for life in 0..LIVES {
        let mut play = Play::start(&data);
        // The end of one is said by the name that its beginning gave it, so both are in flight when the process dies.
        let log = (life * EACH..(life + 1) * EACH).flat_map(|number| {
            let end = ended(number, &format!("payout {number}"));
            [Some(withdraw(number)), end].into_iter().flatten()
        });
        let writer = pour(&mut play, log);
        for _ in 0..moments.below(200) {
            heard.hear(&play.next().unwrap());
        }
        thread::sleep(Duration::from_micros(moments.below(20_000)));
        kill(play).iter().for_each(|answer| heard.hear(answer));
        writer.join().unwrap();
        audit_conserves(&data);
    }
    assert!(heard.ids.len() > 100 && heard.ends.len() > 50, "{} are too few", heard.ids.len());
    let mut play = Play::start(&data);
    heard.holds(&mut play, ALL);
    let sum = |kept: fn(u64) -> bool| (0..ALL).filter(|number| kept(*number)).map(amount).sum::<u64>();
    let (outside, held) =
        (sum(|number| end(number) == Some("complete")), sum(|number| end(number).is_none()));
    let left = play.tell(&json!({ "op": "balance", "user": "dora" }))["balance"].as_u64().unwrap();
    assert_eq!(left, FUNDING - outside - held);
    play.end();
    let audit = audit_conserves(&data);
    let sums = ["funded", "wallets", "held", "withdrawn"].map(|sum| audit[sum].as_u64().unwrap());
    assert_eq!(sums, [FUNDING, left, held, outside]);
}

//! What processes have said, and whether it still holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::load::{USERS, day, user};
use crate::process::Play;

/// A share as it was told: its amount and its place.
type Share = (u64, u64);

/// Everything that was answered. Nothing else is known: an event whose answer was lost may have
/// taken effect or not.
#[derive(Default)]
pub struct Told {
    funded: u64,
    /// Packets by the log's names for them, which are their keys as well.
    packets: BTreeMap<String, String>,
    shares: BTreeMap<(String, String), Share>,
    credited: u64,
    refunded: BTreeMap<String, u64>,
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_else(|| panic!("{field} of {of}")).to_owned()
}

fn number(of: &Value, field: &str) -> u64 {
    of[field].as_u64().unwrap_or_else(|| panic!("{field} of {of}"))
}

impl Told {
    pub fn opened(&self) -> usize {
        self.shares.len()
    }

    /// Takes note of an answer. What contradicts an earlier one ends the test.
    pub fn hear(&mut self, answer: &Value) {
        match answer["op"].as_str() {
            Some("fund") => self.funded = number(answer, "balance").max(self.funded),
            Some("send") => self.sent(answer),
            Some("together") => answer["results"].as_array().unwrap().iter().for_each(|one| self.hear(one)),
            Some("open") => self.share(answer),
            Some("settle") => self.settled(answer),
            Some("advance") => self.swept(answer),
            _ => {}
        }
    }

    /// What another has heard of the same directory.
    pub fn join(&mut self, other: Self) {
        self.packets.extend(other.packets);
        self.shares.extend(other.shares);
        self.refunded.extend(other.refunded);
        self.credited += other.credited;
    }

    fn sent(&mut self, answer: &Value) {
        assert!(matches!(answer["outcome"].as_str(), Some("sent" | "replayed")), "{answer}");
        let (reference, packet) = (text(answer, "ref"), text(answer, "packet"));
        let before = self.packets.insert(reference, packet.clone()).unwrap_or_else(|| packet.clone());
        assert_eq!(before, packet, "{answer}");
    }

    fn share(&mut self, answer: &Value) {
        let outcome = answer["outcome"].as_str();
        if !matches!(outcome, Some("opened" | "already-opened")) {
            return;
        }
        let key = (text(answer, "ref"), text(answer, "user"));
        let share = (number(answer, "amount"), number(answer, "sequence"));
        let before = *self.shares.entry(key).or_insert(share);
        assert_eq!(before, share, "{answer}");
    }

    fn settled(&mut self, answer: &Value) {
        self.credited += number(answer, "settled");
    }

    fn swept(&mut self, answer: &Value) {
        for refund in answer["expired"].as_array().unwrap() {
            let (packet, amount) = (text(refund, "packet"), number(refund, "refunded"));
            assert_eq!(self.refunded.insert(packet.clone(), amount), None, "{packet} was refunded twice");
        }
    }

    /// Asks for everything again, in another process.
    #[track_caller]
    pub fn holds(&mut self, play: &mut Play) {
        let sends: Vec<Value> = self.sends();
        for send in &sends {
            let answer = play.tell(send);
            assert_eq!(answer["outcome"], "replayed", "{answer}");
            assert_eq!(answer["packet"], self.packets[&text(send, "ref")], "{answer}");
        }
        let shares: Vec<_> = self.shares.clone().into_iter().collect();
        for some in shares.chunks(500) {
            let opens =
                some.iter().map(|((packet, user), _)| json!({ "op": "open", "ref": packet, "user": user }));
            let answer = play.tell(&json!({ "op": "together", "events": opens.collect::<Vec<_>>() }));
            for (result, (_, share)) in answer["results"].as_array().unwrap().iter().zip(some) {
                assert_eq!(result["outcome"], "already-opened", "{result}");
                assert_eq!((number(result, "amount"), number(result, "sequence")), *share, "{result}");
            }
        }
        for send in &sends {
            is_whole(send, &play.tell(&json!({ "op": "details", "ref": send["ref"] })));
        }
        let audit = play.tell(&json!({ "op": "audit" }));
        assert_eq!(audit["conserved"], true, "{audit}");
        assert!(number(&audit, "funded") >= self.funded, "{audit}");
        assert!(number(&audit, "claims") >= self.shares.len() as u64, "{audit}");
    }

    /// Whether events tell of all that was answered.
    #[track_caller]
    pub fn is_in(&self, events: &[Value]) {
        let named = |kind: &str| events.iter().filter(move |event| event["kind"] == kind).collect::<Vec<_>>();
        let packets: BTreeSet<_> = named("packet.sent").iter().map(|sent| text(sent, "packet")).collect();
        for (reference, packet) in &self.packets {
            assert!(packets.contains(packet), "{reference} was sent as {packet}");
        }
        let share = |event: &Value| (number(event, "amount"), number(event, "sequence"));
        let claims: BTreeMap<_, _> = named("share.claimed")
            .iter()
            .map(|claim| ((text(claim, "packet"), text(claim, "user")), share(claim)))
            .collect();
        for ((reference, user), share) in &self.shares {
            let key = (self.packets[reference].clone(), user.clone());
            assert_eq!(claims.get(&key), Some(share), "{reference} of {user}");
        }
        assert!(named("share.settled").len() as u64 >= self.credited);
        let refunds: BTreeMap<_, _> = named("packet.refunded")
            .iter()
            .map(|refund| (text(refund, "packet"), number(refund, "amount")))
            .collect();
        for (packet, amount) in &self.refunded {
            assert_eq!(refunds.get(packet), Some(amount), "{packet}");
        }
    }

    /// The sends that were answered, as they were said.
    fn sends(&self) -> Vec<Value> {
        let days: BTreeSet<&str> = self.packets.keys().map(|name| name.rsplit_once('-').unwrap().0).collect();
        let events = days.into_iter().flat_map(day);
        events
            .filter(|event| event["op"] == "send" && self.packets.contains_key(&text(event, "ref")))
            .collect()
    }

    /// Settles and refunds all there is: every claim has then reached its wallet, exactly once.
    #[track_caller]
    pub fn comes_to_an_end(&self, play: &mut Play) {
        let settled = number(&play.tell(&json!({ "op": "settle" })), "settled");
        play.tell(&json!({ "op": "advance", "ms": 2 * 86_400_000_u64 }));
        let audit = play.tell(&json!({ "op": "audit" }));
        assert_eq!(["remaining", "escrow", "unsettled"].map(|sum| number(&audit, sum)), [0; 3], "{audit}");
        assert!(number(&audit, "claims") >= self.credited + settled, "{audit}");
        let users: Vec<u64> = (0..USERS).map(|number| balance(play, &user(number))).collect();
        assert_eq!(users.iter().sum::<u64>(), number(&audit, "claimed"), "{users:?}");
        assert_eq!(balance(play, "alice"), number(&audit, "funded") - number(&audit, "claimed"));
        let reconciliation = play.tell(&json!({ "op": "reconcile" }));
        assert_eq!(reconciliation["discrepancies"], json!([]), "{reconciliation}");
    }
}

fn balance(play: &mut Play, user: &str) -> u64 {
    number(&play.tell(&json!({ "op": "balance", "user": user })), "balance")
}

/// Whether a packet gave at most what it had: each user one share, in unbroken order.
#[track_caller]
fn is_whole(send: &Value, details: &Value) {
    let claims = details["claims"].as_array().unwrap();
    assert_eq!((&details["total"], &details["shares"]), (&send["total"], &send["shares"]));
    assert!(claims.len() as u64 <= number(details, "shares"), "{details}");
    let sequences: Vec<u64> = claims.iter().map(|claim| number(claim, "sequence")).collect();
    assert_eq!(sequences, (1..=claims.len() as u64).collect::<Vec<_>>(), "{details}");
    let users: BTreeSet<String> = claims.iter().map(|claim| text(claim, "user")).collect();
    assert_eq!(users.len(), claims.len(), "{details}");
    let amount: u64 = claims.iter().map(|claim| number(claim, "amount")).sum();
    assert_eq!(amount, number(details, "claimed_amount"), "{details}");
    assert!(amount + number(details, "refunded") <= number(details, "total"), "{details}");
    assert!(details["state"] != "finished" || amount == number(details, "total"), "{details}");
}

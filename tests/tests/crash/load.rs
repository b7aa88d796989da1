//! Work for a process, and moments to end it at.

use serde_json::{Value, json};

/// Users of every packet.
pub const USERS: u32 = 30;

pub fn user(number: u32) -> String {
    format!("user-{number:02}")
}

/// Shares of each packet of a day; together they ask for less than there are users.
const SHARES: [u32; 6] = [1, 5, 10, 20, 25, 29];

/// Packets that are sent, grabbed, opened and settled, some of them only in part. The last ones
/// expire before all of their shares are taken. Names tell days apart, in any process.
pub fn day(name: &str) -> Vec<Value> {
    let packets: Vec<String> = (0..SHARES.len()).map(|number| format!("{name}-{number}")).collect();
    let mut log: Vec<Value> =
        packets.iter().zip(SHARES).map(|(packet, shares)| send(packet, shares)).collect();
    log.push(taps(&packets, &["grab"], 0..USERS));
    log.push(taps(&packets, &["open"], 0..USERS / 2));
    log.push(json!({ "op": "settle" }));
    // Grabs and opens of the rest in no order, and once more by those who have theirs.
    log.push(taps(&packets, &["open", "grab", "open"], 0..USERS));
    log.push(json!({ "op": "lose-cache" }));
    log.push(taps(&packets[..4], &["grab", "open"], 0..USERS));
    log.push(json!({ "op": "advance", "ms": 1_000 }));
    log.push(json!({ "op": "settle" }));
    log
}

fn send(packet: &str, shares: u32) -> Value {
    let kind = if shares.is_multiple_of(2) { "equal" } else { "lucky" };
    let expires_in_ms = if shares > 20 { 1_000 } else { 86_400_000 };
    // Large enough that some claims are settled before others.
    let total = shares * 9_000;
    json!({
        "op": "send", "ref": packet, "key": packet, "room": "r1", "sender": "alice", "kind": kind,
        "total": total, "shares": shares, "expires_in_ms": expires_in_ms,
    })
}

fn taps(packets: &[String], ops: &[&str], users: std::ops::Range<u32>) -> Value {
    let mut events = Vec::new();
    for number in users {
        for op in ops {
            let tap = |packet| json!({ "op": op, "ref": packet, "user": user(number) });
            events.extend(packets.iter().map(tap));
        }
    }
    json!({ "op": "together", "events": events })
}

/// Always the same moments for the same seed (SplitMix64).
pub struct Moments(u64);

impl Moments {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

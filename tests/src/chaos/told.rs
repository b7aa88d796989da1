//! What all processes have told, and where they contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::books::Books;
use super::line::Line;

/// A packet's id and a user's name.
pub type Tap = (String, String);

/// Everything that was acknowledged. Nothing else is known: a call without an answer may have taken
/// effect or not.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Amount and place of each share that an open told, at first or again.
    pub shares: BTreeMap<Tap, (u64, u32)>,
    /// Amounts that a grab told.
    pub held: BTreeMap<Tap, u64>,
    /// Who was told by an open that there is nothing left.
    pub nothing: BTreeSet<Tap>,
    /// Packets by their number in the run.
    pub packets: BTreeMap<u64, String>,
    /// Withdrawals by their number in the run.
    pub withdrawals: BTreeMap<u64, String>,
    /// How withdrawals ended, by their ids.
    pub ends: BTreeMap<String, String>,
    /// Taps that were answered `opened`.
    pub opened: BTreeSet<Tap>,
    /// How often a call had no answer for now, by code.
    pub again: BTreeMap<String, u64>,
    /// Opens that were acknowledged, and then forgotten by a ledger that went on from an earlier moment.
    pub forgotten: u64,
    /// What cannot be true together, and what must not be said at all.
    pub odd: Vec<String>,
}

impl Told {
    /// Takes note of a line.
    pub fn hear(&mut self, line: &Line) {
        match line {
            Line::Ready | Line::Resting | Line::Settled(_) => {}
            Line::Sent { number, packet } => {
                let before = self.packets.entry(*number).or_insert_with(|| packet.clone());
                if before != packet {
                    self.odd.push(format!("packet number {number} was sent twice, as {before} and {packet}"));
                }
            }
            Line::Opened { packet, user, amount, sequence, .. } => {
                let tap = (packet.clone(), user.clone());
                self.share(&tap, (*amount, *sequence));
                if !self.opened.insert(tap) {
                    self.odd.push(format!("{user} was told twice to have opened {packet} just now"));
                }
            }
            Line::Already { packet, user, amount, sequence } => {
                self.share(&(packet.clone(), user.clone()), (*amount, *sequence));
            }
            Line::Held { packet, user, amount } => {
                let before = *self.held.entry((packet.clone(), user.clone())).or_insert(*amount);
                if before != *amount {
                    self.odd.push(format!("{user} was told {before} and then {amount} by grabs of {packet}"));
                }
            }
            Line::Nothing { packet, user } => {
                self.nothing.insert((packet.clone(), user.clone()));
            }
            Line::Taken { number, withdrawal } => {
                let before = self.withdrawals.entry(*number).or_insert_with(|| withdrawal.clone());
                if before != withdrawal {
                    let what =
                        format!("withdrawal number {number} was taken twice, as {before} and {withdrawal}");
                    self.odd.push(what);
                }
            }
            Line::Ended { withdrawal, state } => {
                let before = self.ends.entry(withdrawal.clone()).or_insert_with(|| state.clone());
                if before != state {
                    self.odd.push(format!("{withdrawal} was told to be {before} and then {state}"));
                }
            }
            Line::Again(code) => *self.again.entry(code.clone()).or_default() += 1,
            Line::Odd(what) => self.odd.push(what.clone()),
        }
    }

    fn share(&mut self, tap: &Tap, share: (u64, u32)) {
        let before = *self.shares.entry(tap.clone()).or_insert(share);
        if before != share {
            let (packet, user) = tap;
            self.odd.push(format!(
                "{user} was told {} (number {}) and then {} (number {}) of {packet}",
                before.0, before.1, share.0, share.1
            ));
        }
    }

    /// The ledger goes on from these books, which may lack the last moments: what was told of those holds no more.
    /// Gives whose shares are not there any more.
    pub fn go_on_from(&mut self, books: &Books) -> Vec<Tap> {
        let claims: BTreeSet<(&str, &str)> =
            books.claims.iter().map(|claim| (claim.packet.as_str(), claim.user.as_str())).collect();
        let is_there = |(packet, user): &Tap| claims.contains(&(packet.as_str(), user.as_str()));
        let forgotten: Vec<Tap> = self.shares.keys().filter(|tap| !is_there(tap)).cloned().collect();
        self.forgotten += forgotten.len() as u64;
        self.shares.retain(|tap, _| is_there(tap));
        self.held.retain(|tap, _| is_there(tap));
        self.opened.retain(is_there);
        self.packets.retain(|_, packet| books.packets.contains_key(packet));
        self.withdrawals.retain(|_, withdrawal| books.withdrawals.contains_key(withdrawal));
        self.ends.retain(|id, state| books.withdrawals.get(id).is_some_and(|found| found.state == *state));
        let is_open = |packet: &str| books.packets.get(packet).is_none_or(|packet| packet.status == "open");
        self.nothing.retain(|(packet, _)| !is_open(packet));
        forgotten
    }

    /// Opens that were acknowledged, the forgotten ones included.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shares.len() as u64 + self.forgotten
    }
}

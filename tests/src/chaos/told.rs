//! What all processes have told, and where they contradict each other.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Taps that were answered `opened`.
    pub opened: BTreeSet<Tap>,
    /// How often a call had no answer for now, by code.
    pub again: BTreeMap<String, u64>,
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

    /// Opens that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shares.len() as u64
    }
}

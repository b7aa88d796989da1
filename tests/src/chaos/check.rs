//! The books compared with what was told, and with themselves. Written for clarity alone: plain
//! maps, and none of the code under test.

use std::collections::BTreeMap;

use super::books::{Books, Claim, Movement};
use super::told::Told;

/// What kind of harm was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Something that was acknowledged is not in the books, or not as it was told.
    Lost,
    /// A packet gave more than it has.
    OverIssued,
    /// Anything else that must not be.
    Other,
}

/// Something that is wrong, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// What kind of harm it is.
    pub harm: Harm,
    /// What is wrong.
    pub what: String,
}

/// Everything that is wrong. Settlement has to be done by now; empty where all is well.
#[must_use]
pub fn compare(told: &Told, books: &Books) -> Vec<Wrong> {
    let mut wrongs = Wrongs(Vec::new());
    for what in &told.odd {
        wrongs.add(Harm::Other, what.clone());
    }
    let claims = claims(books, &mut wrongs);
    acknowledged(told, books, &claims, &mut wrongs);
    for (id, claims) in by_packet(books) {
        issued(books, id, &claims, &mut wrongs);
    }
    settled(books, &claims, &mut wrongs);
    sent_and_refunded(books, &claims, &mut wrongs);
    withdrawn(books, &mut wrongs);
    balances(books, &mut wrongs);
    wrongs.0
}

struct Wrongs(Vec<Wrong>);

impl Wrongs {
    fn add(&mut self, harm: Harm, what: String) {
        self.0.push(Wrong { harm, what });
    }

    fn unless(&mut self, is_so: bool, harm: Harm, what: impl FnOnce() -> String) {
        if !is_so {
            self.add(harm, what());
        }
    }
}

type Claims<'b> = BTreeMap<(&'b str, &'b str), &'b Claim>;

/// Claims by packet and user, of whom none has two.
fn claims<'b>(books: &'b Books, wrongs: &mut Wrongs) -> Claims<'b> {
    let mut claims = Claims::new();
    for claim in &books.claims {
        let twin = claims.insert((&claim.packet, &claim.user), claim);
        wrongs.unless(twin.is_none(), Harm::OverIssued, || {
            format!("{} has two claims on {}", claim.user, claim.packet)
        });
    }
    claims
}

fn by_packet(books: &Books) -> BTreeMap<&str, Vec<&Claim>> {
    let mut packets = BTreeMap::<&str, Vec<&Claim>>::new();
    for claim in &books.claims {
        packets.entry(&claim.packet).or_default().push(claim);
    }
    packets
}

fn acknowledged(told: &Told, books: &Books, claims: &Claims<'_>, wrongs: &mut Wrongs) {
    let found = |packet: &str, user: &str| claims.get(&(packet, user)).copied();
    for ((packet, user), (amount, sequence)) in &told.shares {
        let claim = found(packet, user).map(|claim| (claim.amount, claim.sequence));
        let is_there = claim == Some((amount.cast_signed(), i64::from(*sequence)));
        wrongs.unless(is_there, Harm::Lost, || {
            format!("{user} was told {amount} (number {sequence}) of {packet}; the ledger has {claim:?}")
        });
    }
    for ((packet, user), amount) in &told.held {
        let claim = found(packet, user).map(|claim| claim.amount);
        wrongs.unless(claim == Some(amount.cast_signed()), Harm::Lost, || {
            format!("{user} was told {amount} of {packet} by the cache; the ledger has {claim:?}")
        });
    }
    for (packet, user) in &told.nothing {
        wrongs.unless(found(packet, user).is_none(), Harm::Other, || {
            format!("{user} was told that nothing is left of {packet}, and has a claim on it")
        });
    }
    for (number, id) in &told.withdrawals {
        wrongs.unless(books.withdrawals.contains_key(id), Harm::Lost, || {
            format!("withdrawal number {number} was told to be taken as {id}, which is not in the ledger")
        });
    }
    for (id, state) in &told.ends {
        let found = books.withdrawals.get(id).map(|withdrawal| withdrawal.state.as_str());
        wrongs.unless(found == Some(state), Harm::Lost, || {
            format!("withdrawal {id} was told to be {state}; the ledger has {found:?}")
        });
    }
    for (number, packet) in &told.packets {
        wrongs.unless(books.packets.contains_key(packet), Harm::Lost, || {
            format!("packet number {number} was told to be sent as {packet}, which is not in the ledger")
        });
    }
}

/// No more shares and no more money than a packet has, and places without gaps.
fn issued(books: &Books, id: &str, claims: &[&Claim], wrongs: &mut Wrongs) {
    let Some(packet) = books.packets.get(id) else {
        return wrongs.add(Harm::OverIssued, format!("there are claims on {id}, which is no packet"));
    };
    let (count, sum) = (claims.len() as i64, claims.iter().map(|claim| claim.amount).sum::<i64>());
    wrongs.unless(count <= packet.shares, Harm::OverIssued, || {
        format!("{id} has {} shares and {count} claims", packet.shares)
    });
    wrongs.unless(sum <= packet.total, Harm::OverIssued, || {
        format!("{id} has a total of {} and claims of {sum}", packet.total)
    });
    wrongs.unless(claims.iter().all(|claim| claim.amount >= 1), Harm::Other, || {
        format!("{id} has a claim of nothing")
    });
    let mut places: Vec<_> = claims.iter().map(|claim| claim.sequence).collect();
    places.sort_unstable();
    wrongs.unless(places.into_iter().eq(1..=count), Harm::Other, || {
        format!("the claims of {id} are not numbered from 1 to {count}")
    });
    wrongs.unless((packet.claimed_shares, packet.claimed_amount) == (count, sum), Harm::Other, || {
        format!("{id} counts other claims than it has: {count} of {sum} together")
    });
}

fn movements<'b>(books: &'b Books, kind: &str) -> BTreeMap<(&'b str, &'b str), Vec<&'b Movement>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for movement in books.movements.iter().filter(|movement| movement.kind == kind) {
        found.entry((movement.packet.as_str(), movement.user.as_str())).or_default().push(movement);
    }
    found
}

/// Every claim reached its wallet once, and nothing else did.
fn settled(books: &Books, claims: &Claims<'_>, wrongs: &mut Wrongs) {
    let outbox = books.outbox;
    wrongs.unless(outbox == 0, Harm::Other, || format!("{outbox} claims still wait for settlement"));
    let settled = movements(books, "settle");
    for ((packet, user), claim) in claims {
        let amounts: Vec<_> =
            settled.get(&(*packet, *user)).into_iter().flatten().map(|m| m.amount).collect();
        wrongs.unless(amounts == [claim.amount], Harm::Other, || {
            format!("the claim of {user} on {packet} is {}, and was settled by {amounts:?}", claim.amount)
        });
    }
    for (packet, user) in settled.keys().filter(|key| !claims.contains_key(*key)) {
        wrongs.add(Harm::OverIssued, format!("{user} was paid for {packet} without a claim"));
    }
}

/// Every packet was paid for once; what nobody claimed of an expired one went back once.
fn sent_and_refunded(books: &Books, claims: &Claims<'_>, wrongs: &mut Wrongs) {
    let (mut sent, mut refunded) = (movements(books, "send"), movements(books, "refund"));
    let mut claimed = BTreeMap::<&str, i64>::new();
    for claim in claims.values() {
        *claimed.entry(&claim.packet).or_default() += claim.amount;
    }
    let mut keys = BTreeMap::new();
    for (id, packet) in &books.packets {
        let key = (id.as_str(), packet.sender.as_str());
        let amounts = |moved: Option<Vec<&Movement>>| -> Vec<i64> {
            moved.into_iter().flatten().map(|movement| movement.amount).collect()
        };
        let paid = amounts(sent.remove(&key));
        wrongs.unless(paid == [packet.total], Harm::Other, || {
            format!("{id} of {} was paid for by {paid:?}", packet.total)
        });
        let rest = packet.total - claimed.get(id.as_str()).copied().unwrap_or_default();
        let due = if packet.status == "expired" { vec![rest] } else { Vec::new() };
        let back = amounts(refunded.remove(&key));
        wrongs.unless(back == due, Harm::Other, || {
            format!("{id}, {}, has to be refunded by {due:?}, and was by {back:?}", packet.status)
        });
        if let Some(twin) = keys.insert((&packet.sender, &packet.key), id) {
            wrongs.add(Harm::Other, format!("{id} and {twin} were sent with one key"));
        }
    }
    for (packet, user) in sent.keys().chain(refunded.keys()) {
        wrongs.add(Harm::Other, format!("{user} paid or got back money for {packet}, wrongly"));
    }
}

/// Every withdrawal was taken out once, and ended as it stands, once.
fn withdrawn(books: &Books, wrongs: &mut Wrongs) {
    let kinds = ["withdraw", "complete", "cancel"];
    let mut moved = kinds.map(|kind| movements(books, kind));
    for (id, withdrawal) in &books.withdrawals {
        let key = (id.as_str(), withdrawal.user.as_str());
        let amounts: Vec<Vec<i64>> = moved
            .iter_mut()
            .map(|moved| moved.remove(&key).into_iter().flatten().map(|movement| movement.amount).collect())
            .collect();
        let if_it =
            |ended: &str| if withdrawal.state == ended { vec![withdrawal.amount] } else { Vec::new() };
        let due = [vec![withdrawal.amount], if_it("completed"), if_it("cancelled")];
        wrongs.unless(amounts == due, Harm::Other, || {
            format!(
                "withdrawal {id}, {}, has to be {kinds:?} by {due:?}, and was by {amounts:?}",
                withdrawal.state
            )
        });
    }
    for (id, user) in moved.iter().flat_map(BTreeMap::keys) {
        wrongs.add(Harm::Other, format!("money of {user} moved for withdrawal {id}, wrongly"));
    }
}

/// Every balance is the sum of what came and went, none is below zero, and what was funded is all
/// there is.
fn balances(books: &Books, wrongs: &mut Wrongs) {
    let (mut wallets, mut escrows) = (BTreeMap::new(), BTreeMap::new());
    let (mut funded, mut outside) = (0, 0);
    for Movement { kind, packet, user, amount } in &books.movements {
        let (to_wallet, to_escrow) = match kind.as_str() {
            "fund" => (*amount, 0),
            "send" => (-amount, *amount),
            "withdraw" => (-amount, 0),
            "complete" => (0, 0),
            "cancel" => (*amount, 0),
            _ => (*amount, -amount),
        };
        funded += if kind == "fund" { *amount } else { 0 };
        outside += if kind == "complete" { *amount } else { 0 };
        *wallets.entry(user.clone()).or_default() += to_wallet;
        if ["send", "settle", "refund"].contains(&kind.as_str()) {
            *escrows.entry(packet.clone()).or_default() += to_escrow;
        }
    }
    for (what, summed, held) in [("wallet", &wallets, &books.wallets), ("escrow", &escrows, &books.escrows)] {
        for name in summed.keys().chain(held.keys().filter(|name| !summed.contains_key(*name))) {
            let (summed, held) = (summed.get(name).unwrap_or(&0), held.get(name).unwrap_or(&0));
            wrongs.unless(summed == held && *held >= 0, Harm::Other, || {
                format!("the {what} of {name} holds {held}, and its movements come to {summed}")
            });
        }
    }
    let held = books.withdrawals.values().filter(|one| one.state == "held").map(|one| &one.amount);
    let there: i64 = books.wallets.values().chain(books.escrows.values()).chain(held).sum();
    wrongs.unless(there + outside == funded, Harm::Other, || {
        format!("{funded} was funded, {there} is there and {outside} is outside")
    });
}

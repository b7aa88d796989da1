//! A host in memory: a counter and a ledger that keep to their contracts, and a count of calls.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use hongbao_guest::bindings::hongbao::plugin::counter::{
    Card, Holder, OpenedSeat, Opening, Seat, Seating, Swapped, View,
};
use hongbao_guest::bindings::hongbao::plugin::ledger::{
    Claimed, Closed, Loaded, Order, Packet, Receipt, Recorded, Share,
};
use hongbao_guest::bindings::hongbao::plugin::log::Level;
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::{Claim, Error, PacketId, Status, Strategy};
use hongbao_guest::{Counter, Host, Ledger};

const DAY_MS: u64 = 86_400_000;

/// The default policy.
pub fn limits() -> Limits {
    Limits {
        currency: "CNY".to_owned(),
        currency_digits: 2,
        max_shares: 100,
        max_share: 20_000,
        max_greeting_chars: 200,
        default_strategy: Strategy::DoubleAverage,
        default_expires_in_ms: DAY_MS,
        max_expires_in_ms: 30 * DAY_MS,
        large_from: 10_000,
        sender_may_grab: true,
        lease_ms: 60_000,
    }
}

/// Another currency, with room for any amount.
pub fn currency(code: &str, digits: u8) -> Limits {
    Limits { currency: code.into(), currency_digits: digits, max_share: u64::MAX, ..limits() }
}

struct Sent {
    order: Order,
    packet: Packet,
    claims: Vec<Claim>,
}

struct Slots {
    version: u64,
    shares: u32,
    card: Card,
    seats: HashMap<String, Seat>,
}

pub struct Fake {
    pub limits: Limits,
    pub now_ms: Cell<u64>,
    /// What each call of a store answers while it is set.
    pub ledger_away: RefCell<Option<Error>>,
    pub counter_away: Cell<bool>,
    /// Has no room for another call.
    pub counter_busy: Cell<bool>,
    /// What everybody's wallet holds.
    pub balance: Cell<u64>,
    /// The stores' functions, as they were called.
    pub calls: RefCell<Vec<&'static str>>,
    pub logged: RefCell<Vec<String>>,
    sent: RefCell<Vec<Sent>>,
    slots: RefCell<HashMap<u64, Slots>>,
    random: Cell<u64>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new(limits())
    }
}

impl Fake {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            now_ms: Cell::new(1_771_200_000_000),
            ledger_away: RefCell::default(),
            counter_away: Cell::default(),
            counter_busy: Cell::default(),
            balance: Cell::new(u64::MAX),
            calls: RefCell::default(),
            logged: RefCell::default(),
            sent: RefCell::default(),
            slots: RefCell::default(),
            random: Cell::new(88),
        }
    }

    pub fn advance(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    /// The orders that were recorded, in their order.
    pub fn orders(&self) -> Vec<Order> {
        self.sent.borrow().iter().map(|sent| sent.order.clone()).collect()
    }

    /// What a text sends, and nothing else.
    pub fn order(&self) -> Order {
        let mut orders = self.orders();
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders.remove(0)
    }

    pub fn claims_of(&self, id: PacketId) -> Vec<Claim> {
        self.sent.borrow()[id.low as usize].claims.clone()
    }

    /// Loses every counter.
    pub fn lose_cache(&self) {
        self.slots.borrow_mut().clear();
    }

    pub fn count(&self, call: &str) -> usize {
        self.calls.borrow().iter().filter(|called| **called == call).count()
    }

    fn ledger(&self, call: &'static str) -> Result<(), Error> {
        self.calls.borrow_mut().push(call);
        self.ledger_away.borrow().clone().map_or(Ok(()), Err)
    }

    fn counter(&self, call: &'static str) -> Result<(), Error> {
        self.calls.borrow_mut().push(call);
        match (self.counter_away.get(), self.counter_busy.get()) {
            (true, _) => Err(Error::Unavailable),
            (false, true) => Err(Error::Busy),
            (false, false) => Ok(()),
        }
    }
}

impl Host for Fake {
    fn counter(&self) -> &impl Counter {
        self
    }
    fn ledger(&self) -> &impl Ledger {
        self
    }
    fn u64s(&self, count: u32) -> Vec<u64> {
        let next = || {
            // Marsaglia's xorshift: any numbers do.
            let mut number = self.random.get();
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            self.random.set(number);
            number
        };
        (0..count).map(|_| next()).collect()
    }
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }
    fn limits(&self) -> Limits {
        self.limits.clone()
    }
    fn log(&self, _: Level, message: &str) {
        self.logged.borrow_mut().push(message.into());
    }
}

impl Slots {
    fn opened(&self) -> usize {
        self.seats.values().filter(|seat| matches!(seat, Seat::Opened(_))).count()
    }

    fn free(&self) -> u32 {
        self.shares.saturating_sub(self.seats.len() as u32)
    }

    fn holders(&self, users: &[String]) -> Vec<Holder> {
        let seats = (0..).zip(users).filter_map(|(index, user)| Some((index, *self.seats.get(user)?)));
        seats.map(|(index, seat)| Holder { index, seat }).collect()
    }

    fn view(&self, users: &[String]) -> View {
        View {
            version: self.version,
            slots: self.free(),
            finished: self.opened() >= self.shares as usize,
            holders: self.holders(users),
            card: self.card.clone(),
        }
    }
}

impl Counter for Fake {
    fn open(&self, packet: PacketId, opening: &Opening) -> Result<(), Error> {
        Fake::counter(self, "counter.open")?;
        let seats = opening.opened.iter().map(|seat| (seat.user.clone(), Seat::Opened(seat.amount)));
        let (card, shares, seats) = (opening.card.clone(), opening.shares, seats.collect());
        self.slots.borrow_mut().entry(packet.low).or_insert(Slots { version: 1, shares, card, seats });
        Ok(())
    }
    fn load(&self, packet: PacketId, users: &[String]) -> Result<Option<View>, Error> {
        Fake::counter(self, "counter.load")?;
        Ok(self.slots.borrow().get(&packet.low).map(|slots| slots.view(users)))
    }
    fn swap(&self, packet: PacketId, version: u64, take: &[String]) -> Result<Swapped, Error> {
        Fake::counter(self, "counter.swap")?;
        let mut slots = self.slots.borrow_mut();
        let Some(slots) = slots.get_mut(&packet.low) else { return Ok(Swapped::Missing) };
        let is_new = |(index, user): (usize, &String)| {
            !slots.seats.contains_key(user) && !take[..index].contains(user)
        };
        let fits = take.len() <= slots.free() as usize && take.iter().enumerate().all(is_new);
        if slots.version != version || !fits {
            return Ok(Swapped::Stale(slots.view(take)));
        }
        slots.version += 1;
        slots.seats.extend(take.iter().map(|user| (user.clone(), Seat::Leased)));
        Ok(Swapped::Won(slots.free()))
    }
    fn admit(&self, _: PacketId, _: &[String]) -> Result<(), Error> {
        panic!("nobody races here")
    }
    fn seats(&self, packet: PacketId, users: &[String]) -> Result<Option<Seating>, Error> {
        Fake::counter(self, "counter.seats")?;
        let slots = self.slots.borrow();
        let holders = slots.get(&packet.low).map(|slots| slots.holders(users));
        Ok(holders.map(|holders| Seating { holders, lenient: false }))
    }
    fn confirm(&self, packet: PacketId, opened: &[OpenedSeat]) -> Result<(), Error> {
        Fake::counter(self, "counter.confirm")?;
        if let Some(slots) = self.slots.borrow_mut().get_mut(&packet.low) {
            slots.version += 1;
            slots.seats.extend(opened.iter().map(|seat| (seat.user.clone(), Seat::Opened(seat.amount))));
        }
        Ok(())
    }
    fn close(&self, packet: PacketId) -> Result<(), Error> {
        Fake::counter(self, "counter.close")?;
        if let Some(slots) = self.slots.borrow_mut().get_mut(&packet.low) {
            slots.shares = 0;
        }
        Ok(())
    }
}

impl Ledger for Fake {
    fn record(&self, order: &Order) -> Result<Recorded, Error> {
        Fake::ledger(self, "ledger.record")?;
        let mut sent = self.sent.borrow_mut();
        let receipt = |low: usize, sent: &Packet| Receipt {
            id: PacketId { high: 0, low: low as u64 },
            expires_at_ms: sent.expires_at_ms,
        };
        let same =
            sent.iter().position(|sent| sent.order.key == order.key && sent.order.sender == order.sender);
        if let Some(same) = same {
            return Ok(match sent[same].order == *order {
                true => Recorded::Replayed(receipt(same, &sent[same].packet)),
                false => Recorded::KeyReused,
            });
        }
        if self.balance.get() < order.total {
            return Ok(Recorded::InsufficientFunds(self.balance.get()));
        }
        let now_ms = self.now_ms.get();
        let packet = Packet {
            version: 1,
            status: Status::Open,
            room: order.room.clone(),
            sender: order.sender.clone(),
            strategy: order.strategy,
            total: order.total,
            shares: order.shares,
            audience: order.audience.clone(),
            greeting: order.greeting.clone(),
            claimed_amount: 0,
            claimed_shares: 0,
            refunded: 0,
            sent_at_ms: now_ms,
            expires_at_ms: now_ms + order.expires_in_ms,
        };
        let recorded = Recorded::Recorded(receipt(sent.len(), &packet));
        sent.push(Sent { order: order.clone(), packet, claims: Vec::new() });
        Ok(recorded)
    }

    fn load(&self, packet: PacketId, users: &[String]) -> Result<Option<Loaded>, Error> {
        Fake::ledger(self, "ledger.load")?;
        Ok(self.sent.borrow().get(packet.low as usize).map(|sent| {
            let claims = sent.claims.iter().filter(|claim| users.contains(&claim.user));
            Loaded { packet: sent.packet.clone(), claims: claims.cloned().collect() }
        }))
    }

    fn claim(&self, packet: PacketId, version: u64, shares: &[Share]) -> Result<Claimed, Error> {
        Fake::ledger(self, "ledger.claim")?;
        let mut sent = self.sent.borrow_mut();
        let Sent { packet, claims, .. } = &mut sent[packet.low as usize];
        assert_eq!(packet.version, version, "nobody races here");
        let first = packet.claimed_shares + 1;
        for (sequence, share) in (first..).zip(shares) {
            let (user, claimed_at_ms) = (share.user.clone(), self.now_ms.get());
            claims.push(Claim { user, amount: share.amount, sequence, claimed_at_ms });
            packet.claimed_amount += share.amount;
            packet.claimed_shares = sequence;
        }
        assert!(packet.claimed_amount <= packet.total && packet.claimed_shares <= packet.shares);
        packet.version += 1;
        if packet.claimed_shares == packet.shares {
            assert_eq!(packet.claimed_amount, packet.total);
            packet.status = Status::Finished;
        }
        Ok(Claimed::Committed(first))
    }

    fn close(&self, packet: PacketId, _: u64) -> Result<Closed, Error> {
        Fake::ledger(self, "ledger.close")?;
        let packet = &mut self.sent.borrow_mut()[packet.low as usize].packet;
        packet.status = Status::Expired;
        packet.refunded = packet.total - packet.claimed_amount;
        Ok(Closed::Refunded(packet.refunded))
    }

    fn claims(&self, packet: PacketId, cursor: u32, limit: u32) -> Result<Vec<Claim>, Error> {
        Fake::ledger(self, "ledger.claims")?;
        let sent = self.sent.borrow();
        let later = sent[packet.low as usize].claims.iter().filter(|claim| claim.sequence > cursor);
        Ok(later.take(limit as usize).cloned().collect())
    }

    fn recent(&self, room: &str, limit: u32) -> Result<Vec<PacketId>, Error> {
        Fake::ledger(self, "ledger.recent")?;
        let sent = self.sent.borrow();
        let here = (0..).zip(sent.iter()).filter(|(_, sent)| sent.packet.room == room);
        let mut ids: Vec<PacketId> = here.map(|(low, _)| PacketId { high: 0, low }).collect();
        ids.reverse();
        ids.truncate(limit as usize);
        Ok(ids)
    }
}

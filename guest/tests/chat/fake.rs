//! A host in memory: a counter and a ledger that keep to their contracts, and a count of calls.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use hongbao_guest::bindings::exports::hongbao::plugin::chat::Message;
use hongbao_guest::bindings::hongbao::plugin::counter::{
    Attempt, Group, Seat, Seatings, Swapped, View, Views,
};
use hongbao_guest::bindings::hongbao::plugin::entropy::Draw;
use hongbao_guest::bindings::hongbao::plugin::ledger::{
    Audience, ClaimAttempt, ClaimLine, Claimed, Order, OwnShare, PacketDetails, Receipt, Recorded, Share,
    Standing, State, States,
};
use hongbao_guest::bindings::hongbao::plugin::log::Level;
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::{Failure, Status};
use hongbao_guest::{Counter, Host, Ledger};

use crate::sent::{Claim, Sent};

const DAY_MS: u64 = 86_400_000;

/// The default policy.
pub fn limits() -> Limits {
    Limits {
        currency: "CNY".to_owned(),
        currency_digits: 2,
        max_shares: 100,
        max_share: 20_000,
        max_greeting_chars: 200,
        default_strategy: "double-average".to_owned(),
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

/// What the call is about: a message, or a button.
#[derive(Default)]
struct Call {
    /// Packets by their places; those of a message are all that there are.
    packet: Option<u32>,
    users: Vec<String>,
    message: Option<Message>,
}

pub struct Fake {
    pub limits: Limits,
    pub now_ms: Cell<u64>,
    /// What each call of a store answers while it is set.
    pub ledger_away: RefCell<Option<Failure>>,
    pub counter_away: Cell<bool>,
    /// Has no room for another call.
    pub counter_busy: Cell<bool>,
    /// What everybody's wallet holds.
    pub balance: Cell<u64>,
    /// The stores' functions, as they were called.
    pub calls: RefCell<Vec<&'static str>>,
    pub logged: RefCell<Vec<String>>,
    sent: RefCell<Vec<Sent>>,
    call: RefCell<Call>,
    random: RefCell<HashMap<(u32, u32), Vec<u64>>>,
    seed: Cell<u64>,
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
            call: RefCell::default(),
            random: RefCell::default(),
            seed: Cell::new(88),
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

    /// Whom the only packet is for.
    pub fn to(&self) -> Vec<String> {
        self.sent.borrow()[0].to.clone()
    }

    /// From where, and by whom, the only packet was sent.
    pub fn origin(&self) -> (String, String) {
        let sent = self.sent.borrow();
        (sent[0].room.clone(), sent[0].sender.clone())
    }

    pub fn claims_of(&self, id: u32) -> Vec<Claim> {
        self.sent.borrow()[id as usize].claims.clone()
    }

    /// The next call is about this message.
    pub fn typed(&self, message: &Message) {
        self.call.replace(Call { message: Some(message.clone()), ..Call::default() });
    }

    /// The next call is about a button of this packet, pressed by these users.
    pub fn pressed(&self, packet: u32, users: Vec<String>) {
        self.call.replace(Call { packet: Some(packet), users, message: None });
    }

    /// What the host does once a packet is past its time.
    pub fn refund(&self, id: u32) {
        let packet = &mut self.sent.borrow_mut()[id as usize];
        packet.status = Status::Expired;
        packet.refunded = packet.order.total - packet.claimed().0;
    }

    fn ledger(&self, call: &'static str) -> Result<(), Failure> {
        self.calls.borrow_mut().push(call);
        self.ledger_away.borrow().clone().map_or(Ok(()), Err)
    }

    fn counter(&self, call: &'static str) -> Result<(), Failure> {
        self.calls.borrow_mut().push(call);
        match (self.counter_away.get(), self.counter_busy.get()) {
            (true, _) => Err(Failure::CacheAway),
            (false, true) => Err(Failure::Busy),
            (false, false) => Ok(()),
        }
    }

    /// The packet at this place of the call. A card's packet is one of all that there are.
    pub fn packet_at(&self, place: u32) -> u32 {
        self.call.borrow().packet.map_or(place, |packet| {
            assert_eq!(place, 0, "the call is about one packet");
            packet
        })
    }

    fn with<T>(&self, place: u32, act: impl FnOnce(&mut Sent) -> T) -> Result<T, Failure> {
        let id = self.packet_at(place) as usize;
        self.sent.borrow_mut().get_mut(id).map(act).ok_or(Failure::NotFound)
    }

    fn users(&self) -> Vec<String> {
        self.call.borrow().users.clone()
    }

    fn next_number(&self) -> u64 {
        // Marsaglia's xorshift: any numbers do.
        let mut number = self.seed.get();
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        self.seed.set(number);
        number
    }
}

impl Host for Fake {
    fn counter(&self) -> &impl Counter {
        self
    }
    fn ledger(&self) -> &impl Ledger {
        self
    }
    fn numbers(&self, draws: &[Draw]) -> Vec<u64> {
        let (mut known, mut numbers) = (self.random.borrow_mut(), Vec::new());
        for draw in draws {
            for sequence in (draw.sequence..).take(draw.shares as usize) {
                let own = known.entry((self.packet_at(draw.packet), sequence)).or_default();
                let (skip, each) = (draw.skip as usize, draw.each as usize);
                while own.len() < skip + each {
                    own.push(self.next_number());
                }
                numbers.extend(&own[skip..skip + each]);
            }
        }
        numbers
    }
    fn u64s(&self, count: u32) -> Vec<u64> {
        (0..count).map(|_| self.next_number()).collect()
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

impl Counter for Fake {
    fn load(&self, packets: &[u32]) -> Views {
        let asked = self.counter("counter.load");
        let mut views = Views { packets: Vec::new(), seats: Vec::new() };
        for place in packets {
            let users = self.users();
            let view = asked.clone().and_then(|()| {
                self.with(*place, |sent| {
                    let seats: Vec<_> = users.iter().map(|user| sent.seat_of(user)).collect();
                    let view = View {
                        version: sent.slots_version,
                        slots: sent.free(),
                        finished: sent.claims.len() as u32 >= sent.order.shares,
                        expires_at_ms: sent.expires_at_ms(),
                    };
                    (view, seats)
                })
            });
            match view {
                Ok((view, seats)) => {
                    views.packets.push(Ok(view));
                    views.seats.extend(seats);
                }
                Err(failure) => {
                    views.packets.push(Err(failure));
                    views.seats.extend(users.iter().map(|_| Seat::None));
                }
            }
        }
        views
    }
    fn swap(&self, attempts: &[Attempt], places: &[u32]) -> Vec<Result<Swapped, Failure>> {
        let asked = self.counter("counter.swap");
        let [attempt] = attempts else { panic!("a button is about one packet") };
        let users = self.users();
        let take: Vec<String> = places.iter().map(|place| users[*place as usize].clone()).collect();
        vec![asked.and_then(|()| {
            self.with(attempt.packet, |sent| {
                assert_eq!((attempt.version, attempt.users as usize), (sent.slots_version, take.len()));
                assert!(take.iter().all(|user| sent.seat_of(user) == Seat::None));
                assert!(take.len() <= sent.free() as usize, "nobody races here");
                sent.slots_version += 1;
                sent.leased.extend(take);
                Swapped::Won
            })
        })]
    }
    fn admit(&self, _: &[Group], _: &[u32]) -> Vec<Result<(), Failure>> {
        panic!("nobody races here")
    }
    fn seats(&self, packets: &[u32]) -> Seatings {
        let asked = self.counter("counter.seats");
        let users = self.users();
        let mut seatings = Seatings { packets: Vec::new(), may_open: Vec::new() };
        for place in packets {
            let own = asked.clone().and_then(|()| {
                let is_seated = |seat| matches!(seat, Seat::Leased | Seat::Opened);
                self.with(*place, |sent| {
                    users.iter().map(|user| is_seated(sent.seat_of(user))).collect::<Vec<_>>()
                })
            });
            seatings.may_open.extend(own.clone().unwrap_or_else(|_| vec![false; users.len()]));
            seatings.packets.push(own.map(drop));
        }
        seatings
    }
}

impl Ledger for Fake {
    fn record(&self, order: &Order) -> Recorded {
        if let Err(failure) = self.ledger("ledger.record") {
            return Recorded::Failed(failure);
        }
        let call = self.call.borrow();
        let message = call.message.as_ref().expect("a button records nothing");
        // Messages of a test have their ids in their languages.
        let (key, sender) = (message.language.clone(), message.sender.clone());
        let to = match &order.audience {
            Audience::Everyone | Audience::EveryoneButSender => Vec::new(),
            Audience::Only(places) => {
                places.iter().map(|place| message.mentions[*place as usize].user.clone()).collect()
            }
        };
        let mut sent = self.sent.borrow_mut();
        let receipt = |packet: usize, sent: &Sent| Receipt {
            packet: packet as u32,
            expires_at_ms: sent.expires_at_ms(),
            commitment: None,
        };
        if let Some(same) = sent.iter().position(|sent| sent.key == key && sent.sender == sender) {
            return match sent[same].order == *order && sent[same].to == to {
                true => Recorded::Replayed(receipt(same, &sent[same])),
                false => Recorded::KeyReused,
            };
        }
        if self.balance.get() < order.total {
            return Recorded::InsufficientFunds(self.balance.get());
        }
        let new = Sent {
            key,
            room: message.room.clone(),
            sender,
            order: order.clone(),
            to,
            version: 1,
            status: Status::Open,
            refunded: 0,
            sent_at_ms: self.now_ms.get(),
            claims: Vec::new(),
            slots_version: 1,
            leased: Vec::new(),
        };
        let recorded = Recorded::Recorded(receipt(sent.len(), &new));
        sent.push(new);
        recorded
    }

    fn load(&self, packets: &[u32]) -> States {
        let asked = self.ledger("ledger.load");
        let mut states = States { packets: Vec::new(), users: Vec::new() };
        for place in packets {
            let users = self.users();
            let state = asked.clone().and_then(|()| {
                self.with(*place, |sent| {
                    let standing = |user: &String| match (sent.claim_of(user), sent.admits(user)) {
                        (Some(claim), _) => {
                            let Claim { amount, sequence, .. } = *claim;
                            Standing::Claimed(OwnShare { amount, sequence })
                        }
                        (None, true) => Standing::Free,
                        (None, false) => Standing::NotEligible,
                    };
                    let (claimed_amount, claimed_shares) = sent.claimed();
                    let state = State {
                        version: sent.version,
                        status: sent.status,
                        strategy: sent.order.strategy.clone(),
                        total: sent.order.total,
                        shares: sent.order.shares,
                        max_share: sent.order.max_share,
                        claimed_amount,
                        claimed_shares,
                        expires_at_ms: sent.expires_at_ms(),
                    };
                    (state, users.iter().map(standing).collect::<Vec<_>>())
                })
            });
            match state {
                Ok((state, standings)) => {
                    states.packets.push(Ok(state));
                    states.users.extend(standings);
                }
                Err(failure) => {
                    states.packets.push(Err(failure));
                    states.users.extend(users.iter().map(|_| Standing::Free));
                }
            }
        }
        states
    }

    fn claim(&self, attempts: &[ClaimAttempt], shares: &[Share]) -> Vec<Claimed> {
        if let Err(failure) = self.ledger("ledger.claim") {
            return vec![Claimed::Failed(failure); attempts.len()];
        }
        let [attempt] = attempts else { panic!("a button is about one packet") };
        let (users, now_ms) = (self.users(), self.now_ms.get());
        let claimed = self.with(attempt.packet, |sent| {
            assert_eq!((attempt.version, attempt.shares as usize), (sent.version, shares.len()));
            let first = sent.claimed().1 + 1;
            for (sequence, share) in (first..).zip(shares) {
                let user = users[share.user as usize].clone();
                sent.leased.retain(|name| *name != user);
                sent.claims.push(Claim { user, amount: share.amount, sequence, claimed_at_ms: now_ms });
            }
            let (amount, count) = sent.claimed();
            assert!(amount <= sent.order.total && count <= sent.order.shares);
            sent.version += 1;
            sent.slots_version += 1;
            if count == sent.order.shares {
                assert_eq!(amount, sent.order.total);
                sent.status = Status::Finished;
            }
            first
        });
        vec![Claimed::Committed(claimed.unwrap())]
    }

    fn details(&self, packet: u32, with_claims: bool) -> Result<PacketDetails, Failure> {
        self.ledger(if with_claims { "ledger.details with claims" } else { "ledger.details" })?;
        let now_ms = self.now_ms.get();
        self.with(packet, |sent| {
            let is_over = sent.status == Status::Open && now_ms >= sent.expires_at_ms();
            let most = sent.claims.iter().map(|claim| claim.amount).max();
            let best =
                sent.claims.iter().find(|claim| Some(claim.amount) == most).map(|claim| claim.sequence);
            let line = |claim: &Claim| ClaimLine {
                user: claim.user.clone(),
                amount: claim.amount,
                sequence: claim.sequence,
                claimed_at_ms: claim.claimed_at_ms,
                best_luck: best == Some(claim.sequence),
            };
            let (claimed_amount, claimed_shares) = sent.claimed();
            PacketDetails {
                status: if is_over { Status::Expired } else { sent.status },
                sender: sent.sender.clone(),
                strategy: sent.order.strategy.clone(),
                greeting: sent.order.greeting.clone(),
                total: sent.order.total,
                shares: sent.order.shares,
                to: sent.to.clone(),
                claimed_amount,
                claimed_shares,
                refunded: sent.refunded,
                sent_at_ms: sent.sent_at_ms,
                expires_at_ms: sent.expires_at_ms(),
                claims: if with_claims { sent.claims.iter().map(line).collect() } else { Vec::new() },
            }
        })
    }

    fn recent(&self, limit: u32) -> Result<Vec<u32>, Failure> {
        self.ledger("ledger.recent")?;
        let (call, sent) = (self.call.borrow(), self.sent.borrow());
        let room = &call.message.as_ref().expect("a button has no room").room;
        let here = (0..).zip(sent.iter()).filter(|(_, sent)| sent.room == *room);
        let mut places: Vec<u32> = here.map(|(place, _)| place).collect();
        places.reverse();
        places.truncate(limit as usize);
        Ok(places)
    }
}

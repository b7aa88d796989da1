//! The checks of a ledger, and the bench they work at.

use std::sync::Arc;

use super::{Check, Parts, RACERS, START, amount, packet, race, tenant, user, users};
use crate::{
    Attempt, Audit, Backlog, Claimed, Closed, Discrepancy, Due, Funded, LARGE_HEAD_START_MS, Ledger, Loaded,
    Lookup, NewPacket, PacketLedger, Parked, Queue, RETRY_MS, Receipt, Recorded, Refusal, Settled,
    StoreError,
};
use hongbao_domain::{
    Amount, Audience, Claim, Name, Order, Packet, PacketId, PacketKey, Priority, Share, Status, Strategy,
    TenantId,
};

mod claiming;
mod closing;
mod funding;
mod hostile;
mod keyed;
mod listing;
mod many;
mod money_events;
mod races;
mod received;
mod recent;
mod replaying;
mod sending;
mod sent;
mod settling;
mod statement;
mod withdrawing;
mod withdrawn;

pub(super) fn checks() -> Vec<Check<Parts>> {
    let sending = [funding::CHECKS, keyed::CHECKS, sending::CHECKS, replaying::CHECKS].concat();
    let claiming = [claiming::CHECKS, hostile::CHECKS, closing::CHECKS].concat();
    let rest = [listing::CHECKS, many::CHECKS, settling::CHECKS, races::CHECKS].concat();
    let lists =
        [recent::CHECKS, sent::CHECKS, received::CHECKS, statement::CHECKS, money_events::CHECKS].concat();
    let withdrawing = [withdrawing::CHECKS, withdrawn::CHECKS].concat();
    [sending, claiming, rest, lists, withdrawing].concat()
}

/// How long a packet lives, unless its check says otherwise.
const LIFE: u64 = 24 * 60 * 60 * 1000;

/// What `verify` says of a claim that waits for a person.
const PARKED: &str = "a claim can be settled";

/// A ledger under check, seen by one of its tenants. Times count from [`START`].
#[derive(Clone)]
struct Bench {
    ledger: Arc<dyn Ledger>,
    packets: Arc<dyn PacketLedger>,
    tenant: TenantId,
}

impl Bench {
    async fn run<F: Future<Output = ()> + Send>(
        Parts { ledger, packets }: Parts,
        check: impl FnOnce(Self) -> F + Send,
    ) {
        let bench = Self { ledger, packets, tenant: tenant("here") };
        check(bench.clone()).await;
        bench.of("elsewhere").agrees().await;
        bench.agrees().await;
    }

    /// The same ledger, seen by another tenant.
    fn of(&self, name: &str) -> Self {
        Self { tenant: tenant(name), ..self.clone() }
    }

    /// This tenant's packet that was sent as the `number`th.
    fn packet(&self, number: u64) -> PacketKey {
        packet(self.tenant.as_str(), number)
    }

    /// No cent was made or lost, and all numbers agree. A claim that is parked is no
    /// disagreement: the checks that park one look at it themselves.
    async fn agrees(&self) {
        let audit = self.audit().await;
        assert!(audit.is_conserved(), "the books of {} are conserved: {audit:?}", self.tenant);
        let found = self.discrepancies().await;
        let parked = found.iter().all(|discrepancy| discrepancy.rule == PARKED);
        assert!(parked, "the books of {} agree with each other: {found:?}", self.tenant);
    }

    async fn audit(&self) -> Audit {
        self.ledger.audit(&self.tenant).await.expect("audit answers")
    }

    async fn discrepancies(&self) -> Vec<Discrepancy> {
        self.ledger.verify(&self.tenant).await.expect("verify answers")
    }

    async fn try_fund(&self, name: &str, funding: Amount, key: Option<&str>) -> Result<Funded, StoreError> {
        let key = key.map(text);
        self.ledger.fund(&self.tenant, &user(name), funding, key.as_ref(), START).await
    }

    async fn fund(&self, name: &str, minor: u64) -> u64 {
        match self.try_fund(name, amount(minor), None).await.expect("fund answers") {
            Funded::Funded(held) => held.get(),
            other => panic!("without a key each funding is another one, not {other:?}"),
        }
    }

    async fn balance(&self, name: &str) -> u64 {
        self.ledger.balance(&self.tenant, &user(name)).await.expect("balance answers").get()
    }

    async fn try_record(&self, number: u64, order: Order, now: u64) -> Result<Recorded, StoreError> {
        self.packets.record(&self.tenant, self.packet(number).packet, order, START + now).await
    }

    async fn record(&self, number: u64, order: Order, now: u64) -> Recorded {
        self.try_record(number, order, now).await.expect("record answers")
    }

    /// Gives the sender what the order costs and sends it at the start of time.
    async fn send(&self, number: u64, order: Order) -> PacketKey {
        self.fund(order.sender.as_str(), order.total.get()).await;
        let receipt = receipt(number, order.expires_in_ms);
        assert_eq!(self.record(number, order, 0).await, Recorded::Recorded(receipt));
        self.packet(number)
    }

    /// Sends a packet of this many shares, its key named after its number.
    async fn sent(&self, number: u64, total: u64, shares: u32) -> PacketKey {
        self.send(number, order(&format!("key {number}"), total, shares)).await
    }

    async fn load(&self, key: &PacketKey, names: &[&str]) -> Option<Loaded> {
        self.packets.load(key, &users(names)).await.expect("load answers")
    }

    async fn loaded(&self, key: &PacketKey, names: &[&str]) -> Loaded {
        self.load(key, names).await.expect("the packet is there")
    }

    async fn standing(&self, key: &PacketKey) -> Packet {
        self.loaded(key, &[]).await.packet
    }

    async fn claim(&self, key: &PacketKey, version: u64, shares: &[(&str, u64)], now: u64) -> Claimed {
        self.packets.claim(key, version, wanted(shares), START + now).await.expect("claim answers")
    }

    /// Claims at the present version and the start of time, which must be accepted.
    async fn take(&self, key: &PacketKey, shares: &[(&str, u64)]) -> u32 {
        let version = self.standing(key).await.version;
        match self.claim(key, version, shares, 0).await {
            Claimed::Committed(first) => first,
            other => panic!("the claim of {shares:?} at the present version commits, not {other:?}"),
        }
    }

    /// Every claim of a packet, in order.
    async fn claims(&self, key: &PacketKey) -> Vec<Claim> {
        self.ledger.claims(key, 0, u32::MAX).await.expect("claims answers")
    }

    async fn close(&self, key: &PacketKey, version: u64, now: u64) -> Closed {
        self.packets.close(key, version, START + now).await.expect("close answers")
    }

    /// Closes a packet that is past its time, which must refund this much.
    async fn expire(&self, key: &PacketKey, refund: u64) {
        let version = self.standing(key).await.version;
        assert_eq!(self.close(key, version, LIFE).await, Closed::Refunded(amount(refund)));
    }

    async fn settle(&self, limit: u32) -> Vec<Settled> {
        self.settle_at(limit, 0).await
    }

    async fn settle_at(&self, limit: u32, now: u64) -> Vec<Settled> {
        self.ledger.settle(limit, START + now).await.expect("settle answers")
    }

    async fn backlog(&self) -> Backlog {
        self.ledger.backlog().await.expect("backlog answers")
    }

    /// Empties a wallet of so much, by the `number`th packet.
    async fn spend(&self, name: &str, number: u64, minor: u64) {
        let order = Order { sender: user(name), ..order(&format!("key {number}"), minor, 1) };
        assert!(matches!(self.record(number, order, 0).await, Recorded::Recorded(_)));
    }

    /// Claims in this way at the present version. It must be answered so, and nothing may move.
    async fn answers(&self, key: &PacketKey, shares: &[(&str, u64)], now: u64, answer: Claimed) {
        let (standing, audit, claims) =
            (self.standing(key).await, self.audit().await, self.claims(key).await);
        let found = self.claim(key, standing.version, shares, now).await;
        assert_eq!(found, answer, "the answer to a claim of {shares:?}");
        assert_eq!(self.standing(key).await, standing, "the packet is as it was before {shares:?}");
        assert_eq!(self.claims(key).await, claims, "the claims are as they were before {shares:?}");
        assert_eq!(self.audit().await, audit, "nothing moved by {shares:?}");
    }

    /// A claim that the ledger must refuse.
    async fn refuses(&self, key: &PacketKey, shares: &[(&str, u64)], refusal: Refusal) {
        self.answers(key, shares, 0, Claimed::Refused(refusal)).await;
    }
}

/// An order of alice's, open to everybody.
fn order(key: &str, total: u64, shares: u32) -> Order {
    Order {
        key: text(key),
        room: text("room"),
        sender: user("alice"),
        strategy: Strategy::DOUBLE_AVERAGE,
        total: amount(total),
        shares,
        max_share: amount(total),
        audience: Audience::Everyone,
        greeting: "恭喜发财".into(),
        expires_in_ms: LIFE,
    }
}

fn text(name: &str) -> Name {
    Name::new(name).expect("checks name things well")
}

/// The receipt of the `number`th packet, sent at the start of time.
fn receipt(number: u64, life_ms: u64) -> Receipt {
    Receipt { id: packet("here", number).packet, expires_at_ms: START + life_ms }
}

fn share(name: &str, minor: u64, priority: Priority) -> Share {
    Share { user: user(name), amount: amount(minor), priority }
}

fn wanted(shares: &[(&str, u64)]) -> Vec<Share> {
    shares.iter().map(|(name, minor)| share(name, *minor, Priority::Normal)).collect()
}

/// A claim made at the start of time.
fn claim(name: &str, minor: u64, sequence: u32) -> Claim {
    Claim { user: user(name), amount: amount(minor), sequence, claimed_at_ms: START }
}

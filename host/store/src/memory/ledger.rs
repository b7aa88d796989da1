//! The in-memory ledger, which is the reference: written for clarity, since every other ledger is compared with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::books::{AllBooks, Books};
use super::outbox::{Standing, Waiting};
use super::withdrawals::Withdrawals;
use crate::{
    Attempt, Audit, AuditLedger, Backlog, Claimed, Closed, Discrepancy, Due, History, Loaded, Lookup,
    MoneyEvents, NewPacket, PacketLedger, PacketLists, Parked, Queue, Receipt, Recorded, Refusal, Settled,
    Settlement, StoreError, checks,
};
use hongbao_domain::{
    Account, Amount, Claim, MoneyEvent, MoneyEventId, MovementKind, Name, Order, Packet, PacketId, PacketKey,
    Priority, Share, Status, TenantId, UserId,
};

/// A ledger in this process, for tests and for trying things out: it ends with the process.
pub struct MemoryLedger {
    state: Mutex<State>,
    history: History,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self { state: Mutex::default(), history: History::unique() }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) packets: BTreeMap<PacketKey, Entry>,
    keys: BTreeMap<(TenantId, UserId, Name), PacketId>,
    /// What was funded under which key.
    pub(super) fundings: BTreeMap<(TenantId, Name), (UserId, Amount)>,
    pub(super) withdrawals: Withdrawals,
    pub(super) books: AllBooks,
    /// Claims that wait for settlement, in the order of claiming.
    pub(super) outbox: Vec<Waiting>,
}

pub(super) struct Entry {
    pub(super) packet: Packet,
    pub(super) claims: Vec<Claim>,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is decided before its first write, so a panic leaves whole books.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn loaded(&self, users: &[UserId]) -> Loaded {
        let asked = self.claims.iter().filter(|claim| users.contains(&claim.user));
        Loaded { packet: self.packet.clone(), claims: asked.cloned().collect() }
    }

    fn receipt(&self, id: PacketId) -> Receipt {
        Receipt { id, expires_at_ms: self.packet.expires_at_ms }
    }

    fn refusal(&self, shares: &[Share]) -> Option<Refusal> {
        let has_claimed = |share: &Share| self.claims.iter().any(|claim| claim.user == share.user);
        checks::claim(&self.packet, shares, has_claimed)
    }

    /// Writes shares that were checked; gives the first sequence.
    fn claim(&mut self, shares: &[Share], now_ms: u64) -> u32 {
        let first = self.packet.claimed_shares + 1;
        for (sequence, share) in (first..).zip(shares) {
            let packet = &mut self.packet;
            packet.claimed_amount = packet.claimed_amount.checked_add(share.amount).unwrap_or(Amount::MAX);
            packet.claimed_shares = sequence;
            let Share { user, amount, .. } = share.clone();
            self.claims.push(Claim { user, amount, sequence, claimed_at_ms: now_ms });
        }
        self.packet.version += 1;
        if self.packet.claimed_shares == self.packet.order.shares {
            self.packet.status = Status::Finished;
        }
        first
    }
}

impl State {
    pub(super) fn books(&mut self, tenant: &TenantId) -> &mut Books {
        self.books.entry(tenant.clone()).or_default()
    }

    fn record(
        &mut self,
        tenant: &TenantId,
        id: PacketId,
        order: Order,
        now_ms: u64,
    ) -> Result<Recorded, StoreError> {
        let key = (tenant.clone(), order.sender.clone(), order.key.clone());
        if let Some(before) = self.keys.get(&key) {
            let packet = PacketKey { tenant: tenant.clone(), packet: *before };
            return Ok(match self.packets.get(&packet) {
                Some(entry) if entry.packet.order == order => Recorded::Replayed(entry.receipt(*before)),
                _ => Recorded::KeyReused,
            });
        }
        let packet_key = PacketKey { tenant: tenant.clone(), packet: id };
        if self.packets.contains_key(&packet_key) {
            return Err(StoreError::Refused(format!("the id {id} is taken")));
        }
        let (sender, escrow) = (Account::Wallet(order.sender.clone()), Account::Escrow(id));
        let books = self.books(tenant);
        if !books.post(MovementKind::Send, sender.clone(), escrow, order.total, now_ms) {
            return Ok(Recorded::InsufficientFunds(books.held(&sender)));
        }
        let expires_at_ms = now_ms.saturating_add(order.expires_in_ms);
        let packet = Packet {
            order,
            version: 1,
            status: Status::Open,
            claimed_amount: Amount::ZERO,
            claimed_shares: 0,
            refunded: Amount::ZERO,
            sent_at_ms: now_ms,
            expires_at_ms,
        };
        self.keys.insert(key, id);
        self.packets.insert(packet_key, Entry { packet, claims: Vec::new() });
        Ok(Recorded::Recorded(Receipt { id, expires_at_ms }))
    }

    fn claim(&mut self, key: &PacketKey, expected_version: u64, shares: &[Share], now_ms: u64) -> Claimed {
        let Some(entry) = self.packets.get_mut(key) else {
            return Claimed::Refused(Refusal::NotFound);
        };
        if let Some(over) = checks::is_over(&entry.packet, now_ms) {
            return over;
        }
        if entry.packet.version != expected_version {
            let users: Vec<UserId> = shares.iter().map(|share| share.user.clone()).collect();
            return Claimed::Stale(entry.loaded(&users));
        }
        if let Some(refusal) = entry.refusal(shares) {
            return Claimed::Refused(refusal);
        }
        let first = entry.claim(shares, now_ms);
        let books = self.books.entry(key.tenant.clone()).or_default();
        (first..).zip(shares).for_each(|(sequence, _)| books.claimed(key.packet, sequence));
        self.outbox.extend(shares.iter().map(|share| {
            let Share { user, amount, priority } = share.clone();
            Waiting::new(Settled { key: key.clone(), user, amount, priority, claimed_at_ms: now_ms })
        }));
        Claimed::Committed(first)
    }

    fn close(&mut self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let Some(entry) = self.packets.get_mut(key) else {
            return Ok(Closed::NotFound);
        };
        if let Some(answer) = checks::close(&entry.packet, expected_version, now_ms) {
            return Ok(answer);
        }
        let amount = entry.packet.remaining();
        let sender = Account::Wallet(entry.packet.order.sender.clone());
        let books = self.books.entry(key.tenant.clone()).or_default();
        if !books.post(MovementKind::Refund, Account::Escrow(key.packet), sender, amount, now_ms) {
            return Err(checks::refused_refund(key));
        }
        entry.packet.status = Status::Expired;
        entry.packet.refunded = amount;
        entry.packet.version += 1;
        Ok(Closed::Refunded(amount))
    }

    fn settle(&mut self, limit: u32, now_ms: u64) -> Vec<Settled> {
        // Stable: of equal rank, the order of claiming stays.
        self.outbox.sort_by_key(Waiting::rank_ms);
        let mut settled = Vec::new();
        for mut waiting in std::mem::take(&mut self.outbox) {
            let is_due = matches!(waiting.state, Standing::From(time) if time <= now_ms);
            if is_due && settled.len() < limit as usize {
                let Settled { key, user, amount, .. } = &waiting.claim;
                let (from, to) = (Account::Escrow(key.packet), Account::Wallet(user.clone()));
                if self.books(&key.tenant).post(MovementKind::Settle, from, to, *amount, now_ms) {
                    settled.push(waiting.claim);
                    continue;
                }
                waiting.put_off(now_ms);
            }
            self.outbox.push(waiting);
        }
        settled
    }

    fn backlog(&self) -> Backlog {
        let queue = |priority| {
            let waits = |waiting: &&Waiting| !waiting.is_parked() && waiting.claim.priority == priority;
            let claimed = self.outbox.iter().filter(waits).map(|waiting| waiting.claim.claimed_at_ms);
            Queue { claims: claimed.clone().count() as u64, oldest_ms: claimed.min() }
        };
        Backlog {
            large: queue(Priority::Large),
            normal: queue(Priority::Normal),
            parked: self.parked().count() as u64,
            held: self.all_held(),
        }
    }

    pub(super) fn parked(&self) -> impl Iterator<Item = &Waiting> {
        self.outbox.iter().filter(|waiting| waiting.is_parked())
    }

    pub(super) fn of<'s>(
        &'s self,
        tenant: &'s TenantId,
    ) -> impl DoubleEndedIterator<Item = (PacketId, &'s Entry)> {
        self.packets
            .iter()
            .filter(move |(key, _)| key.tenant == *tenant)
            .map(|(key, entry)| (key.packet, entry))
    }
}

#[async_trait]
impl PacketLedger for MemoryLedger {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        let record = |NewPacket { key, order }| {
            checks::order(&order, now_ms)?;
            self.state().record(&key.tenant, key.packet, order, now_ms)
        };
        packets.into_iter().map(record).collect()
    }

    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        let state = self.state();
        let load =
            |asked: &Lookup<'_>| Ok(state.packets.get(asked.key).map(|entry| entry.loaded(asked.users)));
        lookups.iter().map(load).collect()
    }

    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let mut state = self.state();
        let claim = |Attempt { key, version, shares }| Ok(state.claim(&key, version, &shares, now_ms));
        attempts.into_iter().map(claim).collect()
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        self.state().close(key, expected_version, now_ms)
    }
}

#[async_trait]
impl PacketLists for MemoryLedger {
    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError> {
        let state = self.state();
        let Some(&packet) = state.keys.get(&(tenant.clone(), sender.clone(), key.clone())) else {
            return Ok(None);
        };
        let entry = state.packets.get(&PacketKey { tenant: tenant.clone(), packet });
        Ok(entry.map(|entry| (packet, entry.packet.clone())))
    }

    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError> {
        let state = self.state();
        let claims = state.packets.get(key).map(|entry| entry.claims.as_slice()).unwrap_or_default();
        Ok(claims.iter().filter(|claim| claim.sequence > cursor).take(limit as usize).cloned().collect())
    }

    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let state = self.state();
        let is_due = |(key, entry): &(&PacketKey, &Entry)| {
            tenant.is_none_or(|tenant| key.tenant == *tenant)
                && entry.packet.status == Status::Open
                && entry.packet.expires_at_ms <= now_ms
        };
        let all = state.packets.iter().filter(is_due);
        let all = all
            .map(|(key, Entry { packet, .. })| Due { expires_at_ms: packet.expires_at_ms, key: key.clone() });
        let due = all.filter(|due| cursor.as_ref().is_none_or(|cursor| due > cursor));
        let mut due: Vec<Due> = due.collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        let state = self.state();
        let after = state.of(tenant).filter(|(id, _)| cursor.is_none_or(|cursor| *id > cursor));
        let open = after.filter(|(_, entry)| entry.packet.status == Status::Open);
        Ok(open.map(|(id, _)| id).take(limit as usize).collect())
    }

    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        let packets = self.state().recent(tenant, room, before, limit);
        Ok(packets.into_iter().map(|(id, _)| id).collect())
    }

    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        Ok(self.state().recent(tenant, room, before, limit))
    }

    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        Ok(self.state().sent(tenant, user, before, limit))
    }
}

#[async_trait]
impl Settlement for MemoryLedger {
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError> {
        Ok(self.state().settle(limit, now_ms))
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(self.state().backlog())
    }

    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let state = self.state();
        let mut parked: Vec<Parked> = state
            .parked()
            .map(|waiting| Parked { claim: waiting.claim.clone(), attempts: waiting.attempts })
            .collect();
        parked.sort_by_key(|parked| parked.claim.claimed_at_ms);
        parked.truncate(limit as usize);
        Ok(parked)
    }

    async fn unpark(&self) -> Result<u64, StoreError> {
        let mut state = self.state();
        let parked = state.outbox.iter_mut().filter(|waiting| waiting.is_parked());
        let unparked = parked.map(|waiting| *waiting = Waiting::new(waiting.claim.clone()));
        Ok(unparked.count() as u64)
    }
}

#[async_trait]
impl MoneyEvents for MemoryLedger {
    async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        Ok(self.state().money_events(tenant, after, limit))
    }

    async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError> {
        Ok(self.state().last_money_event(tenant))
    }
}

#[async_trait]
impl AuditLedger for MemoryLedger {
    fn history(&self) -> History {
        self.history.clone()
    }

    async fn server_ms(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        Ok(self.state().audit(tenant))
    }

    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        Ok(self.state().verify(tenant))
    }
}

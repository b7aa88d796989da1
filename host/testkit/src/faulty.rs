//! Fault injection: store wrappers whose answers fail on demand.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use hongbao_domain::{
    Amount, Claim, Event, EventId, MoneyEvent, MoneyEventId, Name, Packet, PacketId, PacketKey, RoomKey,
    TenantId, UserId, Withdrawal, WithdrawalId,
};
use hongbao_store::{
    Attempt, Audit, AuditLedger, Backlog, Claimed, Closed, Confirmation, Counter, CounterState, Discrepancy,
    Due, End, Ended, Entry, Events, Funded, History, Lease, Ledger, Loaded, Lookup, MoneyEvents, NewPacket,
    NewWithdrawal, Opening, PacketLedger, PacketLists, Parked, Place, Received, Recorded, Report, Seating,
    Settled, Settlement, Since, StoreError, Swap, Swapped, View, WalletLedger, Withdrawn, WritesRefused,
};
use tokio::sync::watch;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It goes through.
    None,
    /// It does not reach the store.
    Down,
    /// It reaches the store and takes effect, and the answer is lost.
    ReplyLost,
    /// A change finds that somebody else was faster.
    Contended,
    /// It takes a quarter of a second.
    Slow,
    /// It never comes to an end.
    Hangs,
    /// It is refused, since too much is waiting. Nothing happened.
    Overloaded,
    /// It is refused if it would change something, as on a full disk. Reads go through.
    RefusesWrites,
}

/// A store with a switch in front.
pub struct Faulty<S: ?Sized> {
    pub(super) store: Arc<S>,
    fault: AtomicU8,
    asked: AtomicUsize,
    checked: AtomicUsize,
    /// What happens once, before the next claim.
    first: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl<S: ?Sized> Faulty<S> {
    /// In front of this store, letting everything through.
    #[must_use]
    pub fn new(store: Arc<S>) -> Arc<Self> {
        let (fault, asked, checked) =
            (AtomicU8::new(Fault::None as u8), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { store, fault, asked, checked, first: Mutex::default() })
    }

    /// How often the store was checked.
    pub fn checked(&self) -> usize {
        self.checked.load(Ordering::SeqCst)
    }

    /// How often the store was called, whatever came of it.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Lets something happen between the next claim's call and the claim itself: what another host
    /// does meanwhile.
    pub fn before_claim(&self, deed: impl Future<Output = ()> + Send + 'static) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(deed));
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault.load(Ordering::SeqCst) == fault as u8
    }

    /// A call that changes something.
    pub(super) async fn change<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.is(Fault::RefusesWrites) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            return Err(WritesRefused::new("the disk is full").into());
        }
        self.pass(call).await
    }

    /// The same about a list: what happens to the call happens to each element.
    async fn change_all<T>(
        &self,
        elements: usize,
        call: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        StoreError::to_each(self.change(async { Ok(call.await) }).await, elements)
    }

    async fn pass_all<T>(
        &self,
        elements: usize,
        call: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        StoreError::to_each(self.pass(async { Ok(call.await) }).await, elements)
    }

    pub(super) async fn pass<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is(Fault::Overloaded) {
            return Err(StoreError::overloaded("too many calls are waiting"));
        }
        if self.is(Fault::Down) {
            return Err(StoreError::Unavailable("switched off".into()));
        }
        if self.is(Fault::Hangs) {
            std::future::pending::<()>().await;
        }
        if self.is(Fault::Slow) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let answer = call.await;
        if self.is(Fault::ReplyLost) {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        answer
    }
}

#[async_trait]
impl Counter for Faulty<dyn Counter> {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        self.change(self.store.open(key, opening, now_ms)).await
    }
    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>> {
        self.pass_all(lookups.len(), self.store.load_all(lookups, now_ms)).await
    }
    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>> {
        // A version that never was makes the real store answer as it does to a lost race.
        let is_contended = self.is(Fault::Contended);
        let version = |version| if is_contended { u64::MAX } else { version };
        let swaps: Vec<_> =
            swaps.iter().map(|swap| Swap { version: version(swap.version), ..*swap }).collect();
        self.change_all(swaps.len(), self.store.swap_all(&swaps, lease)).await
    }
    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>> {
        self.change_all(groups.len(), self.store.admit_all(groups, lease)).await
    }
    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>> {
        self.pass_all(lookups.len(), self.store.seats_all(lookups, now_ms)).await
    }
    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>> {
        self.change_all(confirmations.len(), self.store.confirm_all(confirmations, now_ms)).await
    }
    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        self.change(self.store.close(key, now_ms)).await
    }
    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        self.pass(self.store.state(key, now_ms)).await
    }
    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        self.change(self.store.forget(key)).await
    }
    async fn clear(&self) -> Result<(), StoreError> {
        self.change(self.store.clear()).await
    }
    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.change(self.store.sweep(now_ms)).await
    }
    fn follow(&self, history: History) {
        self.store.follow(history);
    }
    fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.store.let_through(key, lease);
    }
    /// None: the host asks, and hears of the fault.
    fn health(&self) -> Option<Report> {
        None
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.checked.fetch_add(1, Ordering::SeqCst);
        self.change(self.store.check()).await
    }
}

#[async_trait]
impl PacketLedger for Faulty<dyn Ledger> {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        let count = packets.len();
        self.change_all(count, self.store.record_all(packets, now_ms)).await
    }
    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        // Reading has no effect to lose the answer of.
        if self.is(Fault::ReplyLost) {
            return self.store.load_all(lookups).await;
        }
        self.pass_all(lookups.len(), self.store.load_all(lookups)).await
    }
    async fn claim_all(&self, mut attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(deed) = first {
            deed.await;
        }
        if self.is(Fault::Contended) {
            attempts.iter_mut().for_each(|attempt| attempt.version = u64::MAX);
        }
        let count = attempts.len();
        self.change_all(count, self.store.claim_all(attempts, now_ms)).await
    }
    async fn close(&self, key: &PacketKey, version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let version = if self.is(Fault::Contended) { u64::MAX } else { version };
        self.change(self.store.close(key, version, now_ms)).await
    }
}

#[async_trait]
impl PacketLists for Faulty<dyn Ledger> {
    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError> {
        self.pass(self.store.recorded(tenant, sender, key)).await
    }
    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError> {
        self.pass(self.store.claims(key, cursor, limit)).await
    }
    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        self.pass(self.store.due(tenant, now_ms, cursor, limit)).await
    }
    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.pass(self.store.open_packets(tenant, cursor, limit)).await
    }
    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.pass(self.store.recent(tenant, room, before, limit)).await
    }
    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.pass(self.store.recent_packets(tenant, room, before, limit)).await
    }
    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.pass(self.store.sent(tenant, user, before, limit)).await
    }
}

#[async_trait]
impl WalletLedger for Faulty<dyn Ledger> {
    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        self.change(self.store.fund(tenant, user, amount, key, now_ms)).await
    }
    async fn withdraw(
        &self,
        tenant: &TenantId,
        withdrawal: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError> {
        self.change(self.store.withdraw(tenant, withdrawal, now_ms)).await
    }
    async fn end_withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        self.change(self.store.end_withdrawal(tenant, user, id, end, now_ms)).await
    }
    async fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError> {
        self.pass(self.store.withdrawal(tenant, user, id)).await
    }
    async fn withdrawals(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.pass(self.store.withdrawals(tenant, user, before, limit)).await
    }
    async fn held(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.pass(self.store.held(tenant, after, limit)).await
    }
    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError> {
        self.pass(self.store.balance(tenant, user)).await
    }
    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        self.pass(self.store.received(tenant, user, before, limit)).await
    }
    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.pass(self.store.statement(tenant, user, before, limit)).await
    }
}

#[async_trait]
impl Settlement for Faulty<dyn Ledger> {
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError> {
        self.change(self.store.settle(limit, now_ms)).await
    }
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.pass(self.store.backlog()).await
    }
    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.pass(self.store.parked(limit)).await
    }
    async fn unpark(&self) -> Result<u64, StoreError> {
        self.change(self.store.unpark()).await
    }
}

#[async_trait]
impl MoneyEvents for Faulty<dyn Ledger> {
    async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        self.pass(self.store.money_events(tenant, after, limit)).await
    }
    async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError> {
        self.pass(self.store.last_money_event(tenant)).await
    }
}

#[async_trait]
impl AuditLedger for Faulty<dyn Ledger> {
    fn history(&self) -> History {
        self.store.history()
    }
    async fn server_ms(&self) -> Result<Option<u64>, StoreError> {
        self.pass(self.store.server_ms()).await
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.checked.fetch_add(1, Ordering::SeqCst);
        self.change(self.store.check()).await
    }
    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        self.pass(self.store.audit(tenant)).await
    }
    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        self.pass(self.store.verify(tenant)).await
    }
}

#[async_trait]
impl Events for Faulty<dyn Events> {
    async fn post(&self, room: &RoomKey, event: Event, now_ms: u64) -> Result<Option<EventId>, StoreError> {
        self.change(self.store.post(room, event, now_ms)).await
    }
    async fn latest(&self, room: &RoomKey) -> Result<EventId, StoreError> {
        self.pass(self.store.latest(room)).await
    }
    async fn since(&self, room: &RoomKey, after: EventId, limit: u32) -> Result<Since, StoreError> {
        self.pass(self.store.since(room, after, limit)).await
    }
    fn follow(&self, history: History) {
        self.store.follow(history);
    }
    fn health(&self) -> Option<Report> {
        self.store.health()
    }
    async fn listen(&self, room: &RoomKey) -> Result<watch::Receiver<u64>, StoreError> {
        self.pass(self.store.listen(room)).await
    }
}

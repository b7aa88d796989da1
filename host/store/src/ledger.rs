//! `Ledger`, the contract of the source of truth, divided by use: a wrapper implements only the part that it watches,
//! and packets may live in another database than wallets.

use async_trait::async_trait;

use super::answers::{
    Attempt, Audit, Backlog, Claimed, Closed, Discrepancy, Due, Entry, Funded, Loaded, Lookup, NewPacket,
    Parked, Place, Received, Recorded, Settled,
};
use super::{End, Ended, History, NewWithdrawal, StoreError, Withdrawn};
use hongbao_domain::{
    Amount, Claim, MoneyEvent, MoneyEventId, Name, Order, Packet, PacketId, PacketKey, Share, TenantId,
    UserId, Withdrawal, WithdrawalId,
};

/// The packet side: what a send and an open need. It refuses by itself what would break an invariant, and what it
/// has acknowledged is durable as far as the backend is. Every call that changes something may be repeated after a
/// lost reply. Time is the caller's, in milliseconds since the Unix epoch.
///
/// Calls are about lists, and answer one result for each element, in the same order: elements are independent,
/// and one that fails leaves the others as they are. A backend with one transaction for many carries a list out in
/// one. The methods about one packet ask about a list of one.
#[async_trait]
pub trait PacketLedger: Send + Sync + 'static {
    /// Writes packets and debits their senders; each with its debit in one transaction.
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>>;

    /// Reads packets and the claims of these users; None for one that there is not.
    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>>;

    /// Claims shares of packets; of each packet all or none, if its version is the expected one.
    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>>;

    /// Ends a packet that is past its time and refunds what is left.
    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError>;

    /// [`record_all`](Self::record_all) of one packet.
    async fn record(
        &self,
        tenant: &TenantId,
        id: PacketId,
        order: Order,
        now_ms: u64,
    ) -> Result<Recorded, StoreError> {
        let key = PacketKey { tenant: tenant.clone(), packet: id };
        the_only(self.record_all(vec![NewPacket { key, order }], now_ms).await)
    }

    /// [`load_all`](Self::load_all) of one packet.
    async fn load(&self, key: &PacketKey, users: &[UserId]) -> Result<Option<Loaded>, StoreError> {
        the_only(self.load_all(&[Lookup { key, users }]).await)
    }

    /// [`claim_all`](Self::claim_all) of one packet.
    async fn claim(
        &self,
        key: &PacketKey,
        expected_version: u64,
        shares: Vec<Share>,
        now_ms: u64,
    ) -> Result<Claimed, StoreError> {
        let attempt = Attempt { key: key.clone(), version: expected_version, shares };
        the_only(self.claim_all(vec![attempt], now_ms).await)
    }
}

/// The answer to a list of one.
pub(crate) fn the_only<T>(answers: Vec<Result<T, StoreError>>) -> Result<T, StoreError> {
    debug_assert_eq!(answers.len(), 1, "one answer for each element");
    let missing = || Err(StoreError::Corrupt("a store answered about nothing".into()));
    answers.into_iter().next().unwrap_or_else(missing)
}

/// Packets and claims, looked up and listed.
#[async_trait]
pub trait PacketLists: Send + Sync + 'static {
    /// The packet that was recorded under this key of its sender; None where there is none.
    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError>;

    /// Claims in their order, those after sequence `cursor`, at most `limit`.
    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError>;

    /// At most `limit` open packets that are past their time, of one tenant or of all, those after
    /// `cursor`, the oldest first.
    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError>;

    /// Open packets of a tenant with ids after `cursor`, in the order of their ids.
    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError>;

    /// Packets of a room, whatever became of them, with ids below `before`, at most `limit`, the
    /// latest first: ids rise with the time of sending.
    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError>;

    /// The same packets as [`recent`](Self::recent), as they stand now.
    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError>;

    /// Packets that a user sent, whatever became of them, as they stand now: those with ids below
    /// `before`, at most `limit`, the latest first.
    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError>;
}

/// The wallet side: what users hold and were given.
#[async_trait]
pub trait WalletLedger: Send + Sync + 'static {
    /// Credits a wallet from outside. A key names one funding of its tenant for ever, written in
    /// the transaction that moves the money; without a key each call is another funding. Refused
    /// where the wallet would pass [`Amount::MAX`] or the amount is nothing: then the key stays free.
    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError>;

    /// Takes money out of a wallet, and holds it until [`end_withdrawal`](Self::end_withdrawal) says what became of
    /// it. Its key names one withdrawal of its tenant for ever, written in the transaction that moves the money.
    /// Refused where the amount is nothing: then the key stays free, as where the wallet holds too little.
    async fn withdraw(
        &self,
        tenant: &TenantId,
        withdrawal: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError>;

    /// Ends a withdrawal, which happens once: what it holds goes outside, or back to the wallet. Refused where that
    /// wallet would pass [`Amount::MAX`]: then it stays held.
    async fn end_withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError>;

    /// A withdrawal of a user; None where there is none.
    async fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError>;

    /// Withdrawals of a user, whatever became of them: those with ids below `before`, at most `limit`, the latest
    /// first. Ids rise with the time of the request.
    async fn withdrawals(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError>;

    /// Withdrawals of a tenant that have not ended: those with ids above `after`, at most `limit`, the oldest first.
    async fn held(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError>;

    /// What a wallet holds; nothing where there is none.
    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError>;

    /// Claims of a user, settled or not: those below `before`, at most `limit`, the latest first.
    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError>;

    /// Movements of a user's wallet, to which the completion of a withdrawal does not belong: those with ids below `before`, at most `limit`, the latest
    /// first. All of them sum to the balance.
    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// What lies between: claims on their way to wallets.
#[async_trait]
pub trait Settlement: Send + Sync + 'static {
    /// Credits at most `limit` claims to their owners' wallets, of all tenants. The order is that
    /// of claiming, but a large claim goes before normal ones that are up to
    /// [`LARGE_HEAD_START_MS`](crate::LARGE_HEAD_START_MS) older: the large go first, and nobody waits for ever. Each claim
    /// once, whoever asks and however often, and several processes at once. A claim that cannot
    /// be credited is tried again later, see [`RETRY_MS`](crate::RETRY_MS), and the others go on; after the last
    /// of these it is parked.
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError>;

    /// What the books wait for: claims for settlement, withdrawals for their platforms.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// At most `limit` parked claims of all tenants, in the order of claiming.
    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Puts every parked claim back in the queue, as if it had never been tried; gives how many.
    async fn unpark(&self) -> Result<u64, StoreError>;
}

/// What happened to money, as events: the movements and the claims of a tenant in the order of their transactions.
#[async_trait]
pub trait MoneyEvents: Send + Sync + 'static {
    /// At most `limit` events of a tenant after this one, in their order; from the first on where there is none. None
    /// where `after` is no event of this ledger: it was never given, or by a [`History`] that is no more.
    ///
    /// None is ever skipped: what is committed later has its place after all that was answered, whoever asks and on
    /// whichever host. Of one packet they come as they happened: sent, then claims by their sequence, each before its
    /// settlement, and the refund after all claims. So a movement is told as soon as no transaction is under way that began to write
    /// before it did, which may be a moment after it is acknowledged.
    async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError>;

    /// The last of the events that can be told now, so that one can listen from now on; None where there is none yet.
    async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError>;
}

/// The books as a whole.
#[async_trait]
pub trait AuditLedger: Send + Sync + 'static {
    /// Which history of the books it tells, as far as it knows: see [`History`].
    fn history(&self) -> History;

    /// What the clock of its server shows, in milliseconds since the Unix epoch; None for a ledger on this
    /// machine. No rule of the books goes by it: a host finds out by it that its own clock is wrong.
    async fn server_ms(&self) -> Result<Option<u64>, StoreError>;

    /// Whether the books can be read now; as cheap as a question can be.
    async fn check(&self) -> Result<(), StoreError>;

    /// The sums of a tenant's books.
    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError>;

    /// What in a tenant's books does not agree: packets against claims, claims against
    /// movements, balances against postings. Empty when all is well.
    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError>;
}

/// All of it, as a backend offers it. Whatever has the parts is one.
pub trait Ledger: PacketLedger + PacketLists + WalletLedger + Settlement + MoneyEvents + AuditLedger {}

impl<L: PacketLedger + PacketLists + WalletLedger + Settlement + MoneyEvents + AuditLedger> Ledger for L {}

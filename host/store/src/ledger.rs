//! `Ledger`, the contract of the source of truth, divided by use: a wrapper implements only the part that it watches,
//! and packets may live in another database than wallets.

use async_trait::async_trait;

use super::{History, StoreError};
use hongbao_domain::{
    Amount, Claim, MovementKind, Name, Order, Packet, PacketId, PacketKey, Priority, Share, TenantId, UserId,
};

/// So much older a normal claim must be to be settled before a large one.
pub const LARGE_HEAD_START_MS: u64 = 60_000;

/// A claim that cannot be credited is tried again after each of these, counted from the attempt
/// before, and then parked. What stands in the way (a full wallet) seldom goes away sooner.
pub const RETRY_MS: [u64; 4] = [1_000, 5_000, 30_000, 120_000];

/// What a recorded packet is called and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: PacketId,
    /// When it ends.
    pub expires_at_ms: u64,
}

/// An order to write down under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPacket {
    /// Which packet it becomes. The caller makes the id.
    pub key: PacketKey,
    /// What its sender ordered.
    pub order: Order,
}

/// Answer to [`PacketLedger::record_all`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Written, and the sender debited.
    Recorded(Receipt),
    /// The same order was recorded before. Nothing moved.
    Replayed(Receipt),
    /// The sender's key was used for another order. Nothing moved.
    KeyReused,
    /// The sender's wallet holds only this much. Nothing moved.
    InsufficientFunds(Amount),
}

/// Answer to [`WalletLedger::fund`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funded {
    /// Credited. What the wallet holds then.
    Funded(Amount),
    /// The same funding was made before under this key. Nothing moved; what the wallet holds now.
    Replayed(Amount),
    /// The key was used for another user or another amount. Nothing moved.
    KeyReused,
}

/// A question about a packet and these of its users.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// Which packet.
    pub key: &'a PacketKey,
    /// Whose claims; may be empty.
    pub users: &'a [UserId],
}

/// A packet, and the claims of those users who were asked for, in the order of claiming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Where it stands.
    pub packet: Packet,
    /// In the order of claiming.
    pub claims: Vec<Claim>,
}

/// Why the ledger does not accept a set of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such packet.
    NotFound,
    /// No shares at all, or more than are left.
    WrongCount,
    /// An amount of nothing.
    ZeroAmount,
    /// More than is left, or less than 1 left for each of the others.
    TooMuch,
    /// The last share must take exactly what is left.
    Remainder,
    /// The user is outside the packet's audience.
    NotEligible,
    /// The same user twice.
    Twice,
}

/// Shares to be claimed of one packet, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of which packet.
    pub key: PacketKey,
    /// At which version it was seen; at another one nothing is claimed.
    pub version: u64,
    /// In the order of their sequences.
    pub shares: Vec<Share>,
}

/// Answer to [`PacketLedger::claim_all`].
#[expect(clippy::large_enum_variant, reason = "there is one a call, never a list of them")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// All shares are claimed; in their order, starting with this sequence.
    Committed(u32),
    /// The packet is no longer at the expected version. What stands now, with the users' claims.
    Stale(Loaded),
    /// The packet is over: refunded, or past its time.
    Closed,
    /// The shares break a rule. Nothing moved.
    Refused(Refusal),
}

/// Answer to [`PacketLedger::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// This much went back to the sender now.
    Refunded(Amount),
    /// It is over since before: expired with this refund, or finished with nothing to refund.
    Already(Amount),
    /// Not past its time yet. Nothing moved.
    NotDue,
    /// No longer at the expected version. Nothing moved.
    Stale,
    /// No such packet.
    NotFound,
}

/// A claim whose money has reached its owner's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Of this packet.
    pub key: PacketKey,
    /// Whose wallet was credited.
    pub user: UserId,
    /// By how much.
    pub amount: Amount,
    /// In which class.
    pub priority: Priority,
    /// When it was claimed.
    pub claimed_at_ms: u64,
}

/// A claim that was tried several times and could not be credited. It waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// What would be settled.
    pub claim: Settled,
    /// How often it was tried.
    pub attempts: u32,
}

/// Claims of one class that wait for settlement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many.
    pub claims: u64,
    /// When the oldest of them was claimed.
    pub oldest_ms: Option<u64>,
}

/// What settlement has before it, of all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Large claims.
    pub large: Queue,
    /// Normal ones.
    pub normal: Queue,
    /// Claims that wait for a person.
    pub parked: u64,
}

/// An open packet that is past its time, and the place after which to go on looking for more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it ended.
    pub expires_at_ms: u64,
    /// Which one: of those that ended together, in the order of tenants and then of ids.
    pub key: PacketKey,
}

/// A claim, and of its packet what somebody sees who looks back on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// From which packet.
    pub packet: PacketId,
    /// Where it was sent.
    pub room: Name,
    /// Who sent it.
    pub sender: UserId,
    /// What its card said.
    pub greeting: String,
    /// The share. It counts from the claim on, whether or not it is settled.
    pub claim: Claim,
}

impl Received {
    /// Its place among all that the same user received.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { claimed_at_ms: self.claim.claimed_at_ms, packet: self.packet }
    }
}

/// A place among the claims of one user. No two claims share one: a user claims once of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When the claim was committed.
    pub claimed_at_ms: u64,
    /// Of which packet. Of claims of the same time, in the order of ids.
    pub packet: PacketId,
}

/// A line of a wallet's statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the books, which says nothing more than that a later one is higher.
    pub id: u64,
    /// Why money moved.
    pub kind: MovementKind,
    /// Of which packet; None for a funding.
    pub packet: Option<PacketId>,
    /// Minor units: above zero what came in, below what went out.
    pub amount: i64,
    /// When it was posted.
    pub at_ms: u64,
}

/// The sums of a tenant's books. All in minor units; wide, since they are sums of amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// What came in from outside.
    pub funded: i128,
    /// Totals of all packets.
    pub sent: i128,
    /// All claims.
    pub claimed: i128,
    /// All refunds.
    pub refunded: i128,
    /// What is left in all packets.
    pub remaining: i128,
    /// All wallets.
    pub wallets: i128,
    /// All escrow accounts.
    pub escrow: i128,
    /// Claims that are not settled yet.
    pub unsettled: i128,
    /// The sum of all postings, which must be nothing.
    pub postings: i128,
    /// How many packets there are.
    pub packets: u64,
    /// How many claims.
    pub claims: u64,
    /// How many movements, of two postings each.
    pub movements: u64,
}

impl Audit {
    /// Whether no cent was made or lost.
    #[must_use]
    pub const fn is_conserved(&self) -> bool {
        self.sent == self.claimed + self.refunded + self.remaining
            && self.escrow == self.remaining + self.unsettled
            && self.funded == self.wallets + self.escrow
            && self.postings == 0
    }
}

/// Two numbers of the books that should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// What the numbers are about, such as `packet 0190…` or `wallet:bob`.
    pub subject: String,
    /// Which rule is broken.
    pub rule: &'static str,
    /// By the one side.
    pub expected: i128,
    /// By the other.
    pub found: i128,
}

/// Rules about amounts. The numbers of all others are counts.
const OF_MONEY: [&str; 5] = [
    "a balance is the sum of its postings",
    "what a packet gave is the sum of its claims",
    "a claim is settled, or waits for it",
    "escrow holds what remains and what waits for settlement",
    "a claim can be settled",
];

impl Discrepancy {
    /// Whether the two numbers are amounts, in minor units.
    #[must_use]
    pub fn is_money(&self) -> bool {
        OF_MONEY.contains(&self.rule)
    }

    /// A claim that waits for somebody to look at it, since its wallet could not be credited.
    #[must_use]
    pub fn parked(claim: &Settled) -> Self {
        Self {
            subject: format!("claim of {} on packet {}", claim.user, claim.key.packet),
            rule: "a claim can be settled",
            expected: i128::from(claim.amount.get()),
            found: 0,
        }
    }
}

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

    /// Movements of a user's wallet: those with ids below `before`, at most `limit`, the latest
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
    /// [`LARGE_HEAD_START_MS`] older: the large go first, and nobody waits for ever. Each claim
    /// once, whoever asks and however often, and several processes at once. A claim that cannot
    /// be credited is tried again later, see [`RETRY_MS`], and the others go on; after the last
    /// of these it is parked.
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError>;

    /// What settlement has before it.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// At most `limit` parked claims of all tenants, in the order of claiming.
    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Puts every parked claim back in the queue, as if it had never been tried; gives how many.
    async fn unpark(&self) -> Result<u64, StoreError>;
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
pub trait Ledger: PacketLedger + PacketLists + WalletLedger + Settlement + AuditLedger {}

impl<L: PacketLedger + PacketLists + WalletLedger + Settlement + AuditLedger> Ledger for L {}

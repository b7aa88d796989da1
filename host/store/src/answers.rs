//! What a ledger is asked and what it answers: plain data.

use crate::Held;
use hongbao_domain::{
    Amount, Claim, MovementKind, Name, Order, Packet, PacketId, PacketKey, Priority, Share, UserId,
    WithdrawalId,
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

/// Answer to [`PacketLedger::record_all`](crate::PacketLedger::record_all).
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

/// Answer to [`WalletLedger::fund`](crate::WalletLedger::fund).
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

/// Answer to [`PacketLedger::claim_all`](crate::PacketLedger::claim_all).
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

/// Answer to [`PacketLedger::close`](crate::PacketLedger::close).
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

/// What the books wait for, of all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Large claims.
    pub large: Queue,
    /// Normal ones.
    pub normal: Queue,
    /// Claims that wait for a person.
    pub parked: u64,
    /// Withdrawals that wait for their platform. Settlement leaves them alone.
    pub held: Held,
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
    /// Of which packet; None for a funding and for a withdrawal.
    pub packet: Option<PacketId>,
    /// Of which withdrawal; None for all others.
    pub withdrawal: Option<WithdrawalId>,
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
    /// Withdrawals that have not ended.
    pub held: i128,
    /// What went outside: withdrawals that were completed.
    pub withdrawn: i128,
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
            && self.funded == self.wallets + self.escrow + self.held + self.withdrawn
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
const OF_MONEY: [&str; 8] = [
    "a balance is the sum of its postings",
    "what a packet gave is the sum of its claims",
    "a claim is settled, or waits for it",
    "escrow holds what remains and what waits for settlement",
    "a claim can be settled",
    "a withdrawal is taken from its user's wallet",
    "holding holds what was withdrawn and has not ended",
    "what went outside was completed",
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

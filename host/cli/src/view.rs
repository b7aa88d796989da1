//! JSON output of the commands. Amounts are integers, in minor units.

use serde::Serialize;

use hongbao_domain::{Amount, ClaimLine, Details, PacketKey, TenantId, Withdrawal};
use hongbao_runtime::{Overdue, Reconciliation};
use hongbao_store::{Audit, Backlog, Discrepancy, Queue};

/// What was found, and whose it is.
#[derive(Debug, Serialize)]
pub(super) struct Of<T> {
    tenant: String,
    #[serde(flatten)]
    found: T,
}

impl<T> Of<T> {
    pub(super) fn new(tenant: &TenantId, found: T) -> Self {
        Self { tenant: tenant.to_string(), found }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DetailsView {
    pub(super) state: &'static str,
    pub(super) room: String,
    pub(super) sender: String,
    pub(super) strategy: String,
    pub(super) greeting: String,
    pub(super) total: u64,
    pub(super) shares: u32,
    pub(super) claimed_amount: u64,
    pub(super) claimed_shares: u32,
    pub(super) refunded: u64,
    pub(super) sent_at_ms: u64,
    pub(super) expires_at_ms: u64,
    pub(super) claims: Vec<ClaimView>,
}

#[derive(Debug, Serialize)]
pub(super) struct ClaimView {
    pub(super) user: String,
    pub(super) amount: u64,
    pub(super) sequence: u32,
    pub(super) best_luck: bool,
    pub(super) claimed_at_ms: u64,
}

impl From<Details> for DetailsView {
    fn from(Details { packet, claims }: Details) -> Self {
        let order = packet.order;
        Self {
            state: packet.status.name(),
            room: order.room.into_string(),
            sender: order.sender.into_string(),
            strategy: order.strategy.to_string(),
            greeting: order.greeting,
            total: order.total.get(),
            shares: order.shares,
            claimed_amount: packet.claimed_amount.get(),
            claimed_shares: packet.claimed_shares,
            refunded: packet.refunded.get(),
            sent_at_ms: packet.sent_at_ms,
            expires_at_ms: packet.expires_at_ms,
            claims: claims.into_iter().map(ClaimView::from).collect(),
        }
    }
}

impl From<ClaimLine> for ClaimView {
    fn from(claim: ClaimLine) -> Self {
        Self {
            user: claim.user.into_string(),
            amount: claim.amount.get(),
            sequence: claim.sequence,
            best_luck: claim.best_luck,
            claimed_at_ms: claim.claimed_at_ms,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct AuditView {
    pub(super) conserved: bool,
    pub(super) funded: i128,
    pub(super) sent: i128,
    pub(super) claimed: i128,
    pub(super) refunded: i128,
    pub(super) remaining: i128,
    pub(super) wallets: i128,
    pub(super) escrow: i128,
    pub(super) held: i128,
    pub(super) withdrawn: i128,
    pub(super) unsettled: i128,
    pub(super) postings: i128,
    pub(super) packets: u64,
    pub(super) claims: u64,
    pub(super) movements: u64,
}

impl From<Audit> for AuditView {
    fn from(audit: Audit) -> Self {
        Self {
            conserved: audit.is_conserved(),
            funded: audit.funded,
            sent: audit.sent,
            claimed: audit.claimed,
            refunded: audit.refunded,
            remaining: audit.remaining,
            wallets: audit.wallets,
            escrow: audit.escrow,
            held: audit.held,
            withdrawn: audit.withdrawn,
            unsettled: audit.unsettled,
            postings: audit.postings,
            packets: audit.packets,
            claims: audit.claims,
            movements: audit.movements,
        }
    }
}

/// Money that went back to its sender.
#[derive(Debug, Serialize)]
pub(super) struct RefundView {
    pub(super) packet: String,
    pub(super) refunded: u64,
}

impl From<(PacketKey, Amount)> for RefundView {
    fn from((key, amount): (PacketKey, Amount)) -> Self {
        Self { packet: key.packet.to_string(), refunded: amount.get() }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ReconciliationView {
    pub(super) clean: bool,
    pub(super) packets: u64,
    pub(super) counters: u64,
    /// Counters that did not agree.
    pub(super) found: usize,
    /// Those of them that will be built again.
    pub(super) repaired: usize,
    pub(super) mismatches: Vec<MismatchView>,
    pub(super) overdue: Vec<OverdueView>,
    /// Withdrawals that are held for too long.
    pub(super) hanging: Vec<HangingView>,
    pub(super) discrepancies: Vec<DiscrepancyView>,
}

#[derive(Debug, Serialize)]
pub(super) struct MismatchView {
    packet: String,
    unclaimed: u32,
    counted: u32,
    /// Opened seats that differ from the claims.
    seats: u32,
    /// What the cache holds is no counter.
    damaged: bool,
    repaired: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct OverdueView {
    packet: String,
    expired_at_ms: u64,
    refunded: Option<u64>,
}

impl From<Overdue> for OverdueView {
    fn from(overdue: Overdue) -> Self {
        Self {
            packet: overdue.packet.to_string(),
            expired_at_ms: overdue.expired_at_ms,
            refunded: overdue.refunded.map(Amount::get),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct HangingView {
    withdrawal: String,
    user: String,
    amount: u64,
    reference: String,
    requested_at_ms: u64,
}

impl From<Withdrawal> for HangingView {
    fn from(withdrawal: Withdrawal) -> Self {
        Self {
            withdrawal: withdrawal.id.to_string(),
            user: withdrawal.user.into_string(),
            amount: withdrawal.amount.get(),
            reference: withdrawal.reference.as_str().to_owned(),
            requested_at_ms: withdrawal.requested_at_ms,
        }
    }
}

/// What settlement has before it.
#[derive(Debug, Serialize)]
pub(super) struct BacklogView {
    large: QueueView,
    normal: QueueView,
    pub(super) parked: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct QueueView {
    pub(super) waiting: u64,
    /// Age of the oldest.
    pub(super) oldest_ms: Option<u64>,
}

impl BacklogView {
    pub(super) fn new(backlog: Backlog, now_ms: u64) -> Self {
        let queue = |queue: Queue| QueueView {
            waiting: queue.claims,
            oldest_ms: queue.oldest_ms.map(|claimed_at_ms| now_ms.saturating_sub(claimed_at_ms)),
        };
        Self { large: queue(backlog.large), normal: queue(backlog.normal), parked: backlog.parked }
    }

    /// The large class first.
    pub(super) const fn classes(&self) -> [&QueueView; 2] {
        [&self.large, &self.normal]
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DiscrepancyView {
    pub(super) subject: String,
    pub(super) rule: &'static str,
    pub(super) expected: i128,
    pub(super) found: i128,
}

impl From<Discrepancy> for DiscrepancyView {
    fn from(discrepancy: Discrepancy) -> Self {
        let Discrepancy { subject, rule, expected, found } = discrepancy;
        Self { subject, rule, expected, found }
    }
}

impl From<Reconciliation> for ReconciliationView {
    fn from(report: Reconciliation) -> Self {
        let mismatches = report.mismatches.iter().map(|mismatch| MismatchView {
            packet: mismatch.packet.to_string(),
            unclaimed: mismatch.unclaimed,
            counted: mismatch.counted,
            seats: mismatch.seats,
            damaged: mismatch.is_damaged,
            repaired: mismatch.repaired,
        });
        Self {
            clean: report.is_clean(),
            packets: report.packets,
            counters: report.counters,
            found: report.mismatches.len(),
            repaired: report.mismatches.iter().filter(|mismatch| mismatch.repaired).count(),
            mismatches: mismatches.collect(),
            overdue: report.overdue.into_iter().map(OverdueView::from).collect(),
            hanging: report.hanging.into_iter().map(HangingView::from).collect(),
            discrepancies: report.discrepancies.into_iter().map(DiscrepancyView::from).collect(),
        }
    }
}

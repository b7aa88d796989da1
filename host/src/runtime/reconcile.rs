//! Reconciliation: the cache is repaired, money is only reported.

use super::{CallError, Host};
use crate::domain::{PacketId, PacketKey};
use crate::store::{CounterState, Discrepancy, Loaded};

/// A counter that did not agree with the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterMismatch {
    /// Whose counter.
    pub packet: PacketId,
    /// Shares that nobody has claimed, by the ledger.
    pub unclaimed: u32,
    /// Slots and unopened seats, by the counter.
    pub counted: u32,
    /// Whether it was forgotten, so that the next grab builds it again.
    pub repaired: bool,
}

/// What a reconciliation found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Open packets that were looked at.
    pub packets: u64,
    /// Counters among them that the cache holds.
    pub counters: u64,
    /// Counters that did not agree.
    pub mismatches: Vec<CounterMismatch>,
    /// Money that does not agree. Never repaired silently.
    pub discrepancies: Vec<Discrepancy>,
}

impl Reconciliation {
    /// Whether everything agreed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty() && self.discrepancies.is_empty()
    }
}

impl Host {
    /// Compares every open packet's counter with the ledger, and the books with themselves.
    ///
    /// Under traffic a counter may be a confirmation behind; forgetting it costs one rebuild.
    ///
    /// # Errors
    /// When a store is away.
    pub async fn reconcile(&self, repair: bool) -> Result<Reconciliation, CallError> {
        const AT_ONCE: u32 = 256;
        let mut report = Reconciliation::default();
        let mut cursor = None;
        loop {
            let ids = self.around.ledger.open_packets(&self.around.tenant, cursor, AT_ONCE).await?;
            for id in &ids {
                self.reconcile_counter(*id, repair, &mut report).await?;
            }
            cursor = ids.last().copied();
            if ids.len() < AT_ONCE as usize {
                break;
            }
        }
        report.discrepancies = self.verify().await?;
        Ok(report)
    }

    async fn reconcile_counter(
        &self,
        id: PacketId,
        repair: bool,
        report: &mut Reconciliation,
    ) -> Result<(), CallError> {
        let key: PacketKey = self.around.key(id);
        report.packets += 1;
        let Some(state) = self.around.counter.state(&key, self.now_ms()).await? else {
            return Ok(());
        };
        report.counters += 1;
        let Some(loaded) = self.around.ledger.load(&key, &[]).await? else {
            return Ok(());
        };
        if let Some(mut mismatch) = compare(id, &loaded, &state) {
            if repair {
                self.around.counter.forget(&key).await?;
                mismatch.repaired = true;
            }
            report.mismatches.push(mismatch);
        }
        Ok(())
    }
}

fn compare(packet: PacketId, loaded: &Loaded, state: &CounterState) -> Option<CounterMismatch> {
    let unclaimed = loaded.packet.order.shares.saturating_sub(loaded.packet.claimed_shares);
    // More seats than shares are no error: somebody without a slot was let through and was faster.
    let counted = state.slots.saturating_add(state.leased.min(unclaimed));
    let agrees =
        state.opened.len() == loaded.packet.claimed_shares as usize && (counted == unclaimed || state.closed);
    (!agrees).then_some(CounterMismatch { packet, unclaimed, counted, repaired: false })
}

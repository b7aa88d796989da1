//! Reconciliation: repairs the cache, and only reports inconsistencies of money.

use std::collections::BTreeMap;

use super::{CallError, Tenant};
use hongbao_domain::{Amount, Expired, PacketId, PacketKey, UserId};
use hongbao_store::{CounterState, Discrepancy, Due, Loaded, StoreError};

/// A packet may be past its time for so long before it counts as overdue: sweeps come every second
/// or so, in each process.
const GRACE_MS: u64 = 60_000;
/// Packets of one question to the ledger.
const AT_ONCE: u32 = 256;

/// A counter that did not agree with the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterMismatch {
    /// Whose counter.
    pub packet: PacketId,
    /// Shares that nobody has claimed, by the ledger.
    pub unclaimed: u32,
    /// Slots and unopened seats, by the counter.
    pub counted: u32,
    /// Opened seats that are no claims, or of another amount, and claims that have no opened seat.
    pub seats: u32,
    /// Whether what the cache holds is no counter, and nothing was counted.
    pub is_damaged: bool,
    /// Whether it was forgotten, so that the next grab builds it again.
    pub repaired: bool,
}

/// A packet that should have been refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which.
    pub packet: PacketId,
    /// When it ended.
    pub expired_at_ms: u64,
    /// What went back to the sender now; None where it was not asked for, or not possible.
    pub refunded: Option<Amount>,
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
    /// Packets that are past their time by more than a minute and were not refunded.
    pub overdue: Vec<Overdue>,
    /// Money that does not agree. Never repaired silently.
    pub discrepancies: Vec<Discrepancy>,
}

impl Reconciliation {
    /// Whether everything agreed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty() && self.overdue.is_empty() && self.discrepancies.is_empty()
    }
}

impl Tenant {
    /// Compares every open packet's counter with the ledger, packets with the time, and the books
    /// with themselves. With `repair`, counters that do not agree are forgotten and overdue
    /// packets refunded, as a grab and a sweep would do; money that does not agree stays as it is.
    ///
    /// Under traffic a counter is behind by what is under way. So one that does not agree is
    /// looked at twice, and counts only if the second look finds the very same.
    ///
    /// # Errors
    /// When a store is away.
    pub async fn reconcile(&self, repair: bool) -> Result<Reconciliation, CallError> {
        self.reconcile_while(&|| repair).await
    }

    /// The same, where it is asked before each repair whether it may be made.
    ///
    /// # Errors
    /// When a store is away.
    pub async fn reconcile_while(
        &self,
        may_repair: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Reconciliation, CallError> {
        let mut report = Reconciliation::default();
        let mut cursor = None;
        loop {
            let around = self.around();
            let ids = around.ledger.open_packets(&around.tenant, cursor, AT_ONCE).await?;
            for id in &ids {
                self.reconcile_counter(*id, may_repair, &mut report).await?;
            }
            cursor = ids.last().copied();
            if ids.len() < AT_ONCE as usize {
                break;
            }
        }
        report.overdue = self.overdue(may_repair).await?;
        report.discrepancies = self.verify().await?;
        Ok(report)
    }

    async fn reconcile_counter(
        &self,
        id: PacketId,
        may_repair: &(dyn Fn() -> bool + Send + Sync),
        report: &mut Reconciliation,
    ) -> Result<(), CallError> {
        report.packets += 1;
        let key = self.around().key(id);
        let Some((first, first_mismatch)) = self.look(&key).await? else {
            return Ok(());
        };
        report.counters += 1;
        if first_mismatch.is_none() {
            return Ok(());
        }
        let Some((second, Some(mut mismatch))) = self.look(&key).await? else {
            return Ok(());
        };
        if first == second {
            if may_repair() {
                self.around().counter.forget(&key).await?;
                mismatch.repaired = true;
            }
            report.mismatches.push(mismatch);
        }
        Ok(())
    }

    /// A counter, if what the cache holds is one, and how it differs from the ledger; None where the cache does not
    /// hold it.
    async fn look(
        &self,
        key: &PacketKey,
    ) -> Result<Option<(Option<CounterState>, Option<CounterMismatch>)>, CallError> {
        let around = self.around();
        let state = match around.counter.state(key, self.now_ms()).await {
            Ok(Some(state)) => Some(state),
            Ok(None) => return Ok(None),
            // One that cannot be read keeps no other from being looked at.
            Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(loaded) = around.ledger.load(key, &[]).await? else {
            return Ok(None);
        };
        let claims = around.ledger.claims(key, 0, u32::MAX).await?;
        let claims = claims.into_iter().map(|claim| (claim.user, claim.amount)).collect();
        let mismatch = match &state {
            Some(state) => compare(key.packet, &loaded, &claims, state),
            None => Some(damaged(key.packet, &loaded)),
        };
        Ok(Some((state, mismatch)))
    }

    async fn overdue(
        &self,
        may_repair: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Vec<Overdue>, CallError> {
        let mut overdue = Vec::new();
        let mut cursor = None;
        loop {
            let before = self.now_ms().saturating_sub(GRACE_MS);
            let around = self.around();
            let due = around.ledger.due(Some(&around.tenant), before, cursor, AT_ONCE).await?;
            let (is_last, last) = (due.len() < AT_ONCE as usize, due.last().cloned());
            for Due { key, expires_at_ms } in due {
                let refunded = match may_repair() {
                    true => match self.refund(&key).await {
                        Ok(Expired::Refunded(amount)) => Some(amount),
                        _ => None,
                    },
                    false => None,
                };
                overdue.push(Overdue { packet: key.packet, expired_at_ms: expires_at_ms, refunded });
            }
            cursor = last;
            if is_last {
                return Ok(overdue);
            }
        }
    }
}

fn unclaimed(loaded: &Loaded) -> u32 {
    loaded.packet.order.shares.saturating_sub(loaded.packet.claimed_shares)
}

fn damaged(packet: PacketId, loaded: &Loaded) -> CounterMismatch {
    let unclaimed = unclaimed(loaded);
    CounterMismatch { packet, unclaimed, counted: 0, seats: 0, is_damaged: true, repaired: false }
}

fn compare(
    packet: PacketId,
    loaded: &Loaded,
    claims: &BTreeMap<UserId, Amount>,
    state: &CounterState,
) -> Option<CounterMismatch> {
    let unclaimed = unclaimed(loaded);
    // More seats than shares are no error: somebody without a slot was let through and was faster.
    let counted = state.slots.saturating_add(state.leased.min(unclaimed));
    let opened: BTreeMap<_, _> = state.opened.iter().map(|seat| (&seat.user, seat.amount)).collect();
    let unfounded = opened.iter().filter(|(user, amount)| claims.get(**user) != Some(*amount)).count();
    let unknown = claims.keys().filter(|user| !opened.contains_key(user)).count();
    let seats = u32::try_from(unfounded + unknown).unwrap_or(u32::MAX);
    let agrees = seats == 0 && (counted == unclaimed || state.closed);
    let (is_damaged, repaired) = (false, false);
    (!agrees).then_some(CounterMismatch { packet, unclaimed, counted, seats, is_damaged, repaired })
}

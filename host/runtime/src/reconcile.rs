//! Reconciliation: repairs the cache, and only reports inconsistencies of money.

use std::collections::BTreeMap;

use super::{CallError, Tenant};
use hongbao_domain::{Amount, Expired, PacketId, PacketKey, UserId, Withdrawal};
use hongbao_store::{CounterState, Discrepancy, Due, Loaded, StoreError};

/// A packet may be past its time for so long before it counts as overdue: sweeps come every second
/// or so, in each process.
const GRACE_MS: u64 = 60_000;
/// Packets of one question to the ledger.
const AT_ONCE: u32 = 256;

/// A counter that differs from the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterMismatch {
    /// The packet of the counter.
    pub packet: PacketId,
    /// Unclaimed shares according to the ledger.
    pub unclaimed: u32,
    /// Free slots and unopened seats according to the counter.
    pub counted: u32,
    /// Number of opened seats without a claim or with another amount, and of claims without an opened seat.
    pub seats: u32,
    /// Whether the entry in the cache is not a counter, so that nothing could be compared.
    pub is_damaged: bool,
    /// Whether it was deleted, so that the next grab rebuilds it.
    pub repaired: bool,
}

/// A packet that should have been refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Which.
    pub packet: PacketId,
    /// When it ended.
    pub expired_at_ms: u64,
    /// The amount that was refunded now; None if that was not requested, or not possible.
    pub refunded: Option<Amount>,
}

/// The result of a reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Number of open packets that were compared.
    pub packets: u64,
    /// Number of counters found in the cache.
    pub counters: u64,
    /// Counters that differ from the ledger.
    pub mismatches: Vec<CounterMismatch>,
    /// Packets that expired more than a minute ago and were not refunded.
    pub overdue: Vec<Overdue>,
    /// Withdrawals that are held for longer than `withdrawal_ms`, the oldest first. Only their platform knows what its
    /// bank did, so nothing ends them here.
    pub hanging: Vec<Withdrawal>,
    /// Inconsistencies of money. Never repaired.
    pub discrepancies: Vec<Discrepancy>,
}

impl Reconciliation {
    /// Whether everything is consistent.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty()
            && self.overdue.is_empty()
            && self.hanging.is_empty()
            && self.discrepancies.is_empty()
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
            let context = self.context();
            let ids = context.lists.open_packets(&context.tenant, cursor, AT_ONCE).await?;
            for id in &ids {
                self.reconcile_counter(*id, may_repair, &mut report).await?;
            }
            cursor = ids.last().copied();
            if ids.len() < AT_ONCE as usize {
                break;
            }
        }
        report.overdue = self.overdue(may_repair).await?;
        report.hanging = self.hanging().await?;
        report.discrepancies = self.verify().await?;
        Ok(report)
    }

    async fn hanging(&self) -> Result<Vec<Withdrawal>, CallError> {
        let mut hanging: Vec<Withdrawal> = Vec::new();
        loop {
            let held = self.held(hanging.last().map(|last| last.id), AT_ONCE).await?;
            let is_last = held.len() < AT_ONCE as usize;
            let old = held.into_iter().take_while(|withdrawal| self.is_hanging(withdrawal));
            let before = hanging.len();
            hanging.extend(old);
            // In the order of time: behind one that does not hang, none does.
            if is_last || hanging.len() - before < AT_ONCE as usize {
                return Ok(hanging);
            }
        }
    }

    async fn reconcile_counter(
        &self,
        id: PacketId,
        may_repair: &(dyn Fn() -> bool + Send + Sync),
        report: &mut Reconciliation,
    ) -> Result<(), CallError> {
        report.packets += 1;
        let key = self.context().key(id);
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
                self.context().counter.forget(&key).await?;
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
        let context = self.context();
        let state = match context.counter.state(key, self.now_ms()).await {
            Ok(Some(state)) => Some(state),
            Ok(None) => return Ok(None),
            // One that cannot be read keeps no other from being looked at.
            Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(loaded) = context.packets.load(key, &[]).await? else {
            return Ok(None);
        };
        let claims = context.lists.claims(key, 0, u32::MAX).await?;
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
            let context = self.context();
            let due = context.lists.due(Some(&context.tenant), before, cursor, AT_ONCE).await?;
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

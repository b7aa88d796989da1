//! A single pass that refunds all expired packets, on request.

use std::collections::BTreeMap;

use crate::shared::Shared;
use crate::{CallError, tenant};
use hongbao_domain::{Amount, Expired, PacketKey, TenantId};
use hongbao_store::Due;

/// What a sweep of expired packets did.
#[derive(Clone, Debug, Default)]
pub struct Refunds {
    /// What went back to senders, packet by packet.
    pub refunded: Vec<(PacketKey, Amount)>,
    /// Packets that could not be refunded now, and why.
    pub failed: Vec<(PacketKey, CallError)>,
}

impl Refunds {
    /// Refunds packets of one tenant, one after another.
    async fn of_one(shared: &Shared, due: Vec<Due>) -> Self {
        let mut refunds = Self::default();
        for Due { key, .. } in due {
            match tenant::refund(shared, &key).await {
                Ok(Expired::Refunded(amount)) => refunds.refunded.push((key, amount)),
                Ok(_) => {}
                Err(error) => refunds.failed.push((key, error)),
            }
        }
        refunds
    }

    /// Refunds what is due, of one tenant or of all that are `known`, tenants beside each other.
    pub(crate) async fn sweep(
        shared: &Shared,
        of: Option<&TenantId>,
        known: impl Fn(&TenantId) -> bool,
    ) -> Result<Self, CallError> {
        const AT_ONCE: u32 = 256;
        let (mut refunds, now_ms) = (Self::default(), shared.clock.now_ms());
        let mut cursor = None;
        loop {
            let due = shared.ledger.lists.due(of, now_ms, cursor, AT_ONCE).await?;
            let (is_last, last) = (due.len() < AT_ONCE as usize, due.last().cloned());
            let mut by_tenant = BTreeMap::<_, Vec<_>>::new();
            due.into_iter().for_each(|due| by_tenant.entry(due.key.tenant.clone()).or_default().push(due));
            // Others may serve tenants of the same ledger.
            by_tenant.retain(|id, _| known(id));
            let parts = by_tenant.into_values().map(|due| Self::of_one(shared, due));
            for part in futures::future::join_all(parts).await {
                refunds.refunded.extend(part.refunded);
                refunds.failed.extend(part.failed);
            }
            cursor = last;
            if is_last {
                return Ok(refunds);
            }
        }
    }
}

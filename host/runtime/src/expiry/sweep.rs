//! Refunds everything that is past its time, once and when asked.

use std::collections::BTreeMap;

use crate::{CallError, Tenant};
use hongbao_domain::{Amount, PacketKey, TenantId};
use hongbao_store::{Due, Ledger};

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
    async fn of_one(tenant: Tenant, due: Vec<Due>) -> Self {
        let mut refunds = Self::default();
        for Due { key, expires_at_ms } in due {
            match tenant.refund(&key, expires_at_ms).await {
                Ok(Some(amount)) => refunds.refunded.push((key, amount)),
                Ok(None) => {}
                Err(error) => refunds.failed.push((key, error)),
            }
        }
        refunds
    }

    /// Refunds what is due, of one tenant or of all that `tenant` knows, tenants beside each other.
    pub(crate) async fn sweep(
        ledger: &dyn Ledger,
        of: Option<&TenantId>,
        now_ms: u64,
        tenant: impl Fn(&TenantId) -> Option<Tenant>,
    ) -> Result<Self, CallError> {
        const AT_ONCE: u32 = 256;
        let mut refunds = Self::default();
        let mut cursor = None;
        loop {
            let due = ledger.due(of, now_ms, cursor, AT_ONCE).await?;
            let (is_last, last) = (due.len() < AT_ONCE as usize, due.last().cloned());
            let mut by_tenant = BTreeMap::<_, Vec<_>>::new();
            due.into_iter().for_each(|due| by_tenant.entry(due.key.tenant.clone()).or_default().push(due));
            // Others may serve tenants of the same ledger.
            let known = by_tenant.into_iter().filter_map(|(id, due)| Some((tenant(&id)?, due)));
            let parts = known.map(|(tenant, due)| Self::of_one(tenant, due));
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

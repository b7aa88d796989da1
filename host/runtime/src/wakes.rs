//! Wakes for whoever waits for a tenant's money to move: a hint of this host alone, which may be lost, and costs nothing
//! where nobody waits.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;

use hongbao_domain::TenantId;

/// Those of all tenants that somebody waits for.
#[derive(Default)]
pub(super) struct Wakes {
    tenants: RwLock<HashMap<TenantId, watch::Sender<()>>>,
}

impl Wakes {
    /// Money of this tenant may have moved.
    pub(super) fn wake(&self, tenant: &TenantId) {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = tenants.get(tenant) {
            waiting.send_replace(());
        }
    }

    /// Changes whenever money of this tenant may have moved. Of tenants that nobody waits for any more nothing is kept.
    pub(super) fn listen(&self, tenant: &TenantId) -> watch::Receiver<()> {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|other, waiting| other == tenant || waiting.receiver_count() > 0);
        tenants.entry(tenant.clone()).or_default().subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_for_a_tenant_are_woken_by_its_money_alone() {
        let (wakes, tenant) = (Wakes::default(), |name| TenantId::new(name).unwrap());
        let (one, other) = (wakes.listen(&tenant("one")), wakes.listen(&tenant("other")));
        wakes.wake(&tenant("one"));
        wakes.wake(&tenant("nobody's"));
        assert!(one.has_changed().unwrap() && !other.has_changed().unwrap());
    }

    #[test]
    fn nothing_is_kept_of_tenants_that_nobody_waits_for() {
        let (wakes, tenant) = (Wakes::default(), |name| TenantId::new(name).unwrap());
        drop(wakes.listen(&tenant("one")));
        let _other = wakes.listen(&tenant("other"));
        assert_eq!(wakes.tenants.read().unwrap().len(), 1);
    }
}

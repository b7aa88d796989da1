//! The memory limit for plugins that are being uploaded or wait for the compiler.
//!
//! Each is as large as thousands of other bodies, and whoever sends it decides how long that takes. So there is room for
//! so many bytes, which are taken from the moment at which the head of a request says how many will come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::problem::{Kind, Problem};
use super::ward::Ward;
use hongbao_domain::{Limit, TenantId};

/// Bytes in all: as many as wait for the compiler at most, and as many again.
const MOST: u64 = 256 << 20;
/// Of one tenant.
const MOST_OF_TENANT: u64 = 64 << 20;

/// The bytes that are held now.
#[derive(Default)]
pub(super) struct Bodies(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    all: u64,
    tenants: HashMap<TenantId, u64>,
}

/// Why there is no room.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    Tenant,
    All,
}

impl Held {
    fn add(&mut self, tenant: &TenantId, bytes: u64) -> Result<(), Full> {
        let of_tenant = self.tenants.get(tenant).copied().unwrap_or(0).saturating_add(bytes);
        let all = self.all.saturating_add(bytes);
        if of_tenant > MOST_OF_TENANT {
            return Err(Full::Tenant);
        }
        if all > MOST {
            return Err(Full::All);
        }
        self.all = all;
        self.tenants.insert(tenant.clone(), of_tenant);
        Ok(())
    }

    fn remove(&mut self, tenant: &TenantId, bytes: u64) {
        self.all = self.all.saturating_sub(bytes);
        let Some(of_tenant) = self.tenants.get_mut(tenant) else { return };
        *of_tenant = of_tenant.saturating_sub(bytes);
        if *of_tenant == 0 {
            self.tenants.remove(tenant);
        }
    }
}

fn locked(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for one body, as long as this lives.
pub(super) struct BodyPlace {
    held: Arc<Mutex<Held>>,
    tenant: TenantId,
    bytes: u64,
}

impl Drop for BodyPlace {
    fn drop(&mut self) {
        locked(&self.held).remove(&self.tenant, self.bytes);
    }
}

impl Bodies {
    /// Room for a body of so many bytes.
    pub(super) fn place(&self, tenant: &Ward, bytes: u64) -> Result<BodyPlace, Problem> {
        let added = locked(&self.0).add(tenant.id(), bytes);
        match added {
            Ok(()) => Ok(BodyPlace { held: Arc::clone(&self.0), tenant: tenant.id().clone(), bytes }),
            Err(Full::Tenant) => {
                let why = format!(
                    "plugins of {MOST_OF_TENANT} bytes together are being sent or compiled, which is as much as a \
                     tenant may have under way on one host; wait for one of them"
                );
                Err(tenant.full(Limit::Plugins, why))
            }
            Err(Full::All) => Err(Problem::new(Kind::BUSY, "too many plugins are being sent; ask again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_part_of_the_room_and_what_ends_gives_it_back() {
        const BODY: u64 = 16 << 20;
        let mut held = Held::default();
        let tenants: Vec<_> = (0..5).map(|tenant| TenantId::new(&format!("t{tenant}")).unwrap()).collect();
        for tenant in &tenants[..4] {
            assert!((0..4).all(|_| held.add(tenant, BODY).is_ok()));
            assert_eq!(held.add(tenant, 1), Err(Full::Tenant));
        }
        assert_eq!(held.add(&tenants[4], 1), Err(Full::All));
        held.remove(&tenants[0], BODY);
        assert_eq!(held.add(&tenants[4], BODY), Ok(()));
        for (tenant, bodies) in tenants.iter().zip([3, 4, 4, 4, 1]) {
            (0..bodies).for_each(|_| held.remove(tenant, BODY));
        }
        assert_eq!((held.all, held.tenants.len()), (0, 0));
    }
}

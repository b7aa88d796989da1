//! The check that a tenant exists. One whose name is mistyped has no packets, and of no packets every cent is
//! accounted for: who looks at the books must not hear that of a tenant that was never meant.

use super::exit::InputError;
use super::stores::Stores;
use super::terminal;
use hongbao_domain::TenantId;
use hongbao_store::{Audit, Registry};

/// Whose books these are, above what is said of them.
pub(super) fn heading(tenant: &TenantId) -> String {
    format!("  Tenant {}\n", terminal::name(tenant.as_str()))
}

/// Refuses a tenant that was named, where the ledger has nothing of it and nobody else knows it. Without a
/// service there are no records: what the ledger has is enough.
pub(super) async fn in_the_books(stores: &Stores, audit: &Audit) -> anyhow::Result<()> {
    let has_rows = *audit != Audit::default();
    // An empty ledger is of nobody yet, and so of the default tenant.
    if has_rows || stores.tenant == TenantId::default() || is_in_the_file(stores) {
        return Ok(());
    }
    match stores.existing_registry().await? {
        Some(registry) if is_recorded(&*registry, &stores.tenant).await? => Ok(()),
        _ => Err(refused(
            stores,
            "there is nothing of it in the ledger and in the service's records; is the name right?",
        )),
    }
}

/// Refuses a tenant that no service knows: a key of it would open nothing.
pub(super) async fn to_the_service(stores: &Stores, registry: &dyn Registry) -> anyhow::Result<()> {
    if is_in_the_file(stores) || is_recorded(registry, &stores.tenant).await? {
        return Ok(());
    }
    let why = "the service has no such tenant; make it first, by POST /v1/tenants or as [tenants.NAME] of the \
               configuration (--config)";
    Err(refused(stores, why))
}

fn is_in_the_file(stores: &Stores) -> bool {
    stores.tenants.tenant(&stores.tenant).is_some()
}

async fn is_recorded(registry: &dyn Registry, tenant: &TenantId) -> anyhow::Result<bool> {
    Ok(registry.tenants().await?.iter().any(|record| record.id == *tenant))
}

/// Under the name of the setting that named it.
fn refused(stores: &Stores, why: &str) -> anyhow::Error {
    let setting = stores.tenant_named_by.as_deref().unwrap_or("--tenant").to_owned();
    let why = format!("{:?}: {why}", stores.tenant.as_str());
    InputError::Setting { code: "unknown-tenant", setting, why }.into()
}

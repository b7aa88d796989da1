//! The service's records in PostgreSQL: tables beside those of the books, made by the same migrations.

mod callers;
mod records;
mod webhooks;

use async_trait::async_trait;

use super::address::Address;
use super::error::Error;
use super::open::OpenError;
use super::probe;
use super::rights;
use super::sessions::{ANSWER, Client, Sessions};
use hongbao_domain::{ApiKey, KeyId, TenantId};
use hongbao_store::{
    AdminEntry, Answer, Begun, Installed, PluginQuota, PluginRecord, Registry, RequestKey, StoreError,
    TenantRecord, checks,
};

/// Connections of one registry. Calls are short, and few for each request.
const MOST: usize = 4;

/// Touches each table as the registry does, and changes nothing.
const REHEARSAL: &str = "
    INSERT INTO hongbao.api_keys SELECT * FROM hongbao.api_keys WHERE false;
    UPDATE hongbao.api_keys SET revoked_at_ms = revoked_at_ms WHERE false;
    DELETE FROM hongbao.api_keys WHERE false;
    INSERT INTO hongbao.seal SELECT * FROM hongbao.seal WHERE false;
    INSERT INTO hongbao.requests SELECT * FROM hongbao.requests WHERE false;
    UPDATE hongbao.requests SET status = status WHERE false;
    DELETE FROM hongbao.requests WHERE false;
    INSERT INTO hongbao.notes SELECT * FROM hongbao.notes WHERE false;
    UPDATE hongbao.numbers SET value = value WHERE false;
    INSERT INTO hongbao.tenants SELECT * FROM hongbao.tenants WHERE false;
    UPDATE hongbao.tenants SET plugin = plugin WHERE false;
    DELETE FROM hongbao.plugins WHERE false;
    INSERT INTO hongbao.webhooks SELECT * FROM hongbao.webhooks WHERE false;
    UPDATE hongbao.webhooks SET holder = holder WHERE false;
    DELETE FROM hongbao.webhooks WHERE false;
    INSERT INTO hongbao.webhook_failures SELECT * FROM hongbao.webhook_failures WHERE false;
    UPDATE hongbao.webhook_failures SET attempts = attempts WHERE false;
    DELETE FROM hongbao.webhook_failures WHERE false;
    INSERT INTO hongbao.health (filler) SELECT filler FROM hongbao.health WHERE false;
    INSERT INTO hongbao.plugins OVERRIDING SYSTEM VALUE SELECT * FROM hongbao.plugins WHERE false";

/// The service's records in PostgreSQL, in the schema of the books.
pub struct PostgresRegistry {
    sessions: Sessions,
}

impl PostgresRegistry {
    /// Opens the records of a database, at the URL of its [ledger](super::PostgresLedger::open), whose
    /// [migration](super::PostgresLedger::migrate) makes both. On a tokio runtime, which it stays on.
    ///
    /// # Errors
    /// When the database cannot be reached, or is not ours, not whole or not of our version.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        address.check(REHEARSAL, &rights::REGISTRY).await?;
        let sessions = Sessions::new(address.connector, MOST, &rights::REGISTRY)
            .map_err(|error| OpenError::Url(error.to_string()))?;
        Ok(Self { sessions })
    }

    pub(super) async fn with<T>(
        &self,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        Ok(self.sessions.with(ANSWER, act).await?)
    }
}

#[async_trait]
impl Registry for PostgresRegistry {
    async fn seal(&self, proposed: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.with(async |client| callers::seal(client, proposed).await).await
    }

    async fn add_key(&self, key: ApiKey) -> Result<(), StoreError> {
        checks::api_key(&key)?;
        self.with(async |client| callers::add_key(client, &key).await).await
    }

    async fn add_key_within(&self, key: ApiKey, most: u32) -> Result<bool, StoreError> {
        checks::api_key(&key)?;
        self.with(async |client| callers::add_key_within(client, &key, most).await).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.with(async |client| callers::key(client, id).await).await
    }

    async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.with(async |client| callers::keys(client, tenant, after, limit).await).await
    }

    async fn revoke_key(
        &self,
        tenant: Option<&TenantId>,
        id: KeyId,
        now_ms: u64,
    ) -> Result<Option<ApiKey>, StoreError> {
        let now = checks::time(now_ms)?;
        self.with(async |client| callers::revoke_key(client, tenant, id, now).await).await
    }

    async fn forget_keys(&self, expired_before_ms: u64) -> Result<u64, StoreError> {
        self.with(async |client| callers::forget_keys(client, expired_before_ms).await).await
    }

    async fn begin(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, StoreError> {
        let now = checks::time(now_ms)?;
        self.with(async |client| callers::begin(client, request, fingerprint, now).await).await
    }

    async fn answer(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        answer: Answer,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let now = checks::time(now_ms)?;
        self.with(async |client| callers::answer(client, request, fingerprint, &answer, now).await).await
    }

    async fn abandon(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        begun_at_ms: u64,
    ) -> Result<(), StoreError> {
        let begun_at = checks::time(begun_at_ms)?;
        self.with(async |client| callers::abandon(client, request, fingerprint, begun_at).await).await
    }

    async fn forget_answers(&self, begun_before_ms: u64) -> Result<u64, StoreError> {
        self.with(async |client| callers::forget_answers(client, begun_before_ms).await).await
    }

    async fn note(&self, entry: AdminEntry) -> Result<(), StoreError> {
        checks::admin_entry(&entry)?;
        self.with(async |client| records::note(client, &entry).await).await
    }

    async fn notes(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AdminEntry)>, StoreError> {
        self.with(async |client| records::notes(client, tenant, before, limit).await).await
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.with(async |client| records::revision(client).await).await
    }

    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.with(async |client| records::tenants(client).await).await
    }

    async fn put_tenant(&self, record: TenantRecord) -> Result<Option<u64>, StoreError> {
        checks::tenant_record(&record)?;
        self.with(async |client| records::put_tenant(client, &record).await).await
    }

    async fn put_plugin(
        &self,
        tenant: &TenantId,
        plugin: PluginRecord,
        code: Vec<u8>,
        quota: PluginQuota,
    ) -> Result<Installed, StoreError> {
        checks::plugin_record(&plugin, &code)?;
        self.with(async |client| records::put_plugin(client, tenant, &plugin, &code, quota).await).await
    }

    async fn remove_plugin(
        &self,
        tenant: &TenantId,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.with(async |client| records::remove_plugin(client, tenant, digest, revision).await).await
    }

    async fn plugins(&self, tenant: &TenantId) -> Result<Vec<PluginRecord>, StoreError> {
        self.with(async |client| records::plugins(client, tenant).await).await
    }

    async fn plugin_code(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(async |client| records::plugin_code(client, tenant, digest).await).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.with(async |client| {
            records::revision(client).await?;
            rights::REGISTRY.held(client).await?;
            probe::write(client).await
        })
        .await
    }
}

/// Whose something is, as the database keeps it.
fn owner(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}

/// A number to compare with: past what a column holds, everything is below it.
fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

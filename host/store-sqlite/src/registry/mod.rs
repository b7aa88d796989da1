//! The service's records in a directory: a database beside the ledger's, with threads of its own, so that
//! a busy ledger keeps nobody waiting who only shows a key.

mod callers;
mod records;
mod webhooks;

use std::path::Path;

use async_trait::async_trait;

use super::migrate::RECORDS;
use super::open_error::OpenError;
use super::probe;
use super::sessions::Sessions;
use hongbao_domain::{ApiKey, KeyId, TenantId};
use hongbao_store::{
    AdminEntry, Answer, Begun, Installed, PluginQuota, PluginRecord, Registry, RequestKey, StoreError,
    TenantRecord, checks,
};

/// Threads that read: a component takes some milliseconds, and a key must not wait for it.
const READERS: usize = 2;

/// The service's records in a directory, in the file `registry.db`.
pub struct SqliteRegistry {
    sessions: Sessions,
}

impl SqliteRegistry {
    /// Opens the records of a directory. Both are made where they are missing, and an older database
    /// is brought to this version. Several processes may have the same directory open.
    ///
    /// # Errors
    /// See [`OpenError`]. Whatever was there stays as it was.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Ok(Self { sessions: Sessions::open(directory, RECORDS, "registry", READERS)? })
    }

    /// Whether a directory has records.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        RECORDS.is_in(directory)
    }
}

#[async_trait]
impl Registry for SqliteRegistry {
    async fn seal(&self, proposed: [u8; 32]) -> Result<[u8; 32], StoreError> {
        if let Some(seal) = self.sessions.read(callers::seal).await? {
            return Ok(seal);
        }
        self.sessions.write(move |db| callers::make_seal(db, proposed)).await
    }

    async fn add_key(&self, key: ApiKey) -> Result<(), StoreError> {
        checks::api_key(&key)?;
        self.sessions.write(move |db| callers::add_key(db, &key)).await
    }

    async fn add_key_within(&self, key: ApiKey, most: u32) -> Result<bool, StoreError> {
        checks::api_key(&key)?;
        self.sessions.write(move |db| callers::add_key_within(db, &key, most)).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.sessions.read(move |db| callers::key(db, id)).await
    }

    async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let tenant = tenant.cloned();
        self.sessions.read(move |db| callers::keys(db, tenant.as_ref(), after, limit)).await
    }

    async fn revoke_key(
        &self,
        tenant: Option<&TenantId>,
        id: KeyId,
        now_ms: u64,
    ) -> Result<Option<ApiKey>, StoreError> {
        let (tenant, now) = (tenant.cloned(), checks::time(now_ms)?);
        self.sessions.write(move |db| callers::revoke_key(db, tenant.as_ref(), id, now)).await
    }

    async fn forget_keys(&self, expired_before_ms: u64) -> Result<u64, StoreError> {
        self.sessions.write(move |db| callers::forget_keys(db, expired_before_ms)).await
    }

    async fn begin(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, StoreError> {
        let (request, now) = (request.clone(), checks::time(now_ms)?);
        self.sessions.write(move |db| callers::begin(db, &request, fingerprint, now)).await
    }

    async fn answer(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        answer: Answer,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let (request, now) = (request.clone(), checks::time(now_ms)?);
        self.sessions.write(move |db| callers::answer(db, &request, fingerprint, &answer, now)).await
    }

    async fn abandon(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        begun_at_ms: u64,
    ) -> Result<(), StoreError> {
        let (request, begun_at) = (request.clone(), checks::time(begun_at_ms)?);
        self.sessions.write(move |db| callers::abandon(db, &request, fingerprint, begun_at)).await
    }

    async fn forget_answers(&self, begun_before_ms: u64) -> Result<u64, StoreError> {
        self.sessions.write(move |db| callers::forget_answers(db, begun_before_ms)).await
    }

    async fn note(&self, entry: AdminEntry) -> Result<(), StoreError> {
        checks::admin_entry(&entry)?;
        self.sessions.write(move |db| records::note(db, &entry)).await
    }

    async fn notes(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AdminEntry)>, StoreError> {
        let tenant = tenant.cloned();
        self.sessions.read(move |db| records::notes(db, tenant.as_ref(), before, limit)).await
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.sessions.read(records::revision).await
    }

    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.sessions.read(records::tenants).await
    }

    async fn put_tenant(&self, record: TenantRecord) -> Result<Option<u64>, StoreError> {
        checks::tenant_record(&record)?;
        self.sessions.write(move |db| records::put_tenant(db, &record)).await
    }

    async fn put_plugin(
        &self,
        tenant: &TenantId,
        plugin: PluginRecord,
        code: Vec<u8>,
        quota: PluginQuota,
    ) -> Result<Installed, StoreError> {
        checks::plugin_record(&plugin, &code)?;
        let tenant = tenant.clone();
        self.sessions.write(move |db| records::put_plugin(db, &tenant, &plugin, &code, quota)).await
    }

    async fn remove_plugin(
        &self,
        tenant: &TenantId,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u64>, StoreError> {
        let (tenant, digest) = (tenant.clone(), digest.to_owned());
        self.sessions.write(move |db| records::remove_plugin(db, &tenant, &digest, revision)).await
    }

    async fn plugins(&self, tenant: &TenantId) -> Result<Vec<PluginRecord>, StoreError> {
        let tenant = tenant.clone();
        self.sessions.read(move |db| records::plugins(db, &tenant)).await
    }

    async fn plugin_code(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (tenant, digest) = (tenant.clone(), digest.to_owned());
        self.sessions.read(move |db| records::plugin_code(db, &tenant, &digest)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.sessions.read(|db| records::revision(db).map(drop)).await?;
        self.sessions.write(probe::write).await
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

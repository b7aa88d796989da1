//! `Registry`, the contract of the service's own records: who may call, what was answered, what administrators
//! did, which tenants and plugins there are.

use async_trait::async_trait;

use super::{StoreError, Webhooks};
use hongbao_domain::{ApiKey, KeyId, Name, Suspension, TenantId};

/// A request under way is taken for dead after this time: whoever asks again may carry it out.
pub const RUNNING_MS: u64 = 60_000;

/// How long an answer is kept, from the time that its request was begun.
pub const ANSWER_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// Size of the largest component that can be installed, in bytes.
pub const MAX_PLUGIN_BYTES: usize = 16 * 1024 * 1024;

/// Under what an answer is kept: the caller's own key, among those of its tenant, or of the operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    /// Whose request it is; None for the operator's.
    pub tenant: Option<TenantId>,
    /// Chosen by the caller.
    pub key: Name,
}

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body, with no secret in it.
    pub body: Vec<u8>,
}

/// Answer to [`Registry::begin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The first of its key, or one that died on its way: carry it out.
    New,
    /// The same request is under way.
    Running,
    /// The key belongs to another request.
    Other,
    /// It was answered before, with this.
    Answered(Answer),
}

/// What an administrator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminEntry {
    /// When.
    pub at_ms: u64,
    /// With which key; None for somebody at the machine itself.
    pub by: Option<KeyId>,
    /// Whom it concerns; None for the service.
    pub tenant: Option<TenantId>,
    /// What was done, such as `key.create`.
    pub action: String,
    /// To what, in a few words. No secret.
    pub subject: String,
    /// The code of what came of it: `ok`, or that of a problem.
    pub outcome: String,
}

/// A tenant as the service knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// Its name.
    pub id: TenantId,
    /// Raised by every change; 0 for one that is not written yet.
    pub revision: u64,
    /// Grants, policy and limits, as JSON.
    pub settings: String,
    /// The digest of its plugin; None for the embedded one.
    pub plugin: Option<String>,
    /// What served before: None where nothing did, an inner None for the embedded plugin.
    pub former: Option<Option<String>>,
    /// Who suspended it.
    pub suspension: Suspension,
    /// The digest of what a configuration file last said of it; None where none did.
    pub declared: Option<String>,
    /// When it was made.
    pub created_at_ms: u64,
}

impl TenantRecord {
    /// One that is not written yet, served by the embedded plugin.
    #[must_use]
    pub const fn new(id: TenantId, settings: String, now_ms: u64) -> Self {
        Self {
            id,
            revision: 0,
            settings,
            plugin: None,
            former: None,
            suspension: Suspension { by_operator: false, by_tenant: false },
            declared: None,
            created_at_ms: now_ms,
        }
    }

    /// Lets another plugin serve; what served before is remembered.
    pub fn serve_by(&mut self, plugin: Option<String>) {
        if self.plugin != plugin {
            self.former = Some(std::mem::replace(&mut self.plugin, plugin));
        }
    }
}

/// A plugin that was installed for a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRecord {
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// What it calls itself.
    pub name: String,
    /// Which version it says it is.
    pub version: String,
    /// Size of the component in bytes.
    pub bytes: u64,
    /// When it was installed.
    pub installed_at_ms: u64,
}

/// What a tenant may have installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginQuota {
    /// Most plugins.
    pub plugins: u32,
    /// Most bytes of all of them.
    pub bytes: u64,
}

impl PluginQuota {
    /// As many as there are: for whoever looks after the service.
    pub const NONE: Self = Self { plugins: u32::MAX, bytes: u64::MAX };
}

/// Answer to [`Registry::put_plugin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It is installed now.
    Now,
    /// One of this digest was installed before, and stays as it is.
    Before,
    /// It is not: the tenant has as much as it may have.
    Full,
}

/// The service's own records, among them [`Webhooks`]. What it has acknowledged is durable as far as the backend is. Time is
/// the caller's.
///
/// Refused is what cannot be written down: a time past `i64::MAX`, a text with a zero character.
#[async_trait]
pub trait Registry: Webhooks {
    /// The secret that the service seals its keys with: the first that was proposed, for ever. It opens
    /// nothing by itself.
    async fn seal(&self, proposed: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Keeps a key. Refused where there is one of this id.
    async fn add_key(&self, key: ApiKey) -> Result<(), StoreError>;

    /// Keeps a key where its owner has fewer than `most` keys that are valid at the time when it was made;
    /// false where it has more, and of several at once no more than fit. Refused where there is one of
    /// this id.
    async fn add_key_within(&self, key: ApiKey, most: u32) -> Result<bool, StoreError>;

    /// The key of this id, whatever became of it.
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Keys of a tenant, or the operator's, with ids after `after`, in the order of their ids.
    async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key of a tenant, or of the operator; gives it as it is now, None where there is
    /// none. Revoked again it stays as it was.
    async fn revoke_key(
        &self,
        tenant: Option<&TenantId>,
        id: KeyId,
        now_ms: u64,
    ) -> Result<Option<ApiKey>, StoreError>;

    /// Removes keys that expired before this; gives how many. One without an end stays, revoked or not.
    async fn forget_keys(&self, expired_before_ms: u64) -> Result<u64, StoreError>;

    /// Asks whether a request is to be carried out. Of several that ask at once, one is told so. What
    /// was begun [`ANSWER_KEPT_MS`] ago or earlier is as if it had never been. Otherwise a key belongs
    /// to the fingerprint that it was first used with; the same request is taken over where it was
    /// begun [`RUNNING_MS`] ago or earlier, and not answered.
    async fn begin(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, StoreError>;

    /// Keeps the answer of a request that was begun; the first answer stays. Nothing is kept of a
    /// request that was not begun, or was given up.
    async fn answer(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        answer: Answer,
        now_ms: u64,
    ) -> Result<(), StoreError>;

    /// Gives up a request that was begun at this time and not answered: the next one is the first. One
    /// that was taken over since then belongs to whoever took it.
    async fn abandon(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        begun_at_ms: u64,
    ) -> Result<(), StoreError>;

    /// Removes requests that began before this; gives how many.
    async fn forget_answers(&self, begun_before_ms: u64) -> Result<u64, StoreError>;

    /// Writes down what an administrator did.
    async fn note(&self, entry: AdminEntry) -> Result<(), StoreError>;

    /// What administrators did, the latest first, those before place `before`: of one tenant, or all of
    /// it where there is none named. Each with its place, which rises with every entry.
    async fn notes(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AdminEntry)>, StoreError>;

    /// A number that every change of a tenant raises: 0 where there was none.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// All tenants, in the order of their names.
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError>;

    /// Writes a tenant if its revision still is that of the record, 0 for a new one; gives the new
    /// revision, which is the registry's as well, None where somebody else was faster.
    async fn put_tenant(&self, record: TenantRecord) -> Result<Option<u64>, StoreError>;

    /// Installs a plugin for a tenant, if it then has no more than the quota; of several at once no more
    /// than fit. Refused where it has more than [`MAX_PLUGIN_BYTES`].
    async fn put_plugin(
        &self,
        tenant: &TenantId,
        plugin: PluginRecord,
        code: Vec<u8>,
        quota: PluginQuota,
    ) -> Result<Installed, StoreError>;

    /// Removes a tenant's plugin if the tenant's revision still is this one, and raises that, so that nobody
    /// who has read the plugin meanwhile can let it serve; gives the new revision. None where somebody else
    /// was faster, or there is no such plugin. If it served before, nothing did any more. Whether it serves now
    /// is the caller's to know.
    async fn remove_plugin(
        &self,
        tenant: &TenantId,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u64>, StoreError>;

    /// A tenant's plugins, in the order of installing.
    async fn plugins(&self, tenant: &TenantId) -> Result<Vec<PluginRecord>, StoreError>;

    /// The component of a tenant's plugin; None where it was not installed for this tenant.
    async fn plugin_code(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether the records can be read now.
    async fn check(&self) -> Result<(), StoreError>;
}

//! The checks of a registry, and the bench they work at.

use std::sync::Arc;

use super::{Check, RACERS, START, race, tenant, user};
use crate::{
    ANSWER_KEPT_MS, AdminEntry, Answer, Begun, Installed, MAX_PLUGIN_BYTES, PluginQuota, PluginRecord,
    RUNNING_MS, Registry, RequestKey, StoreError, TenantRecord,
};
use hongbao_domain::{ApiKey, KeyId, Name, Scope, Suspension};

mod durable;
mod keys;
mod notes;
mod plugins;
mod races;
mod requests;
mod seal;
mod tenants;
mod webhooks;

pub(super) use durable::run as durable;

pub(super) fn checks() -> Vec<Check<Arc<dyn Registry>>> {
    let callers = [keys::CHECKS, seal::CHECKS, requests::CHECKS].concat();
    let records = [notes::CHECKS, tenants::CHECKS, plugins::CHECKS, webhooks::CHECKS].concat();
    [callers, records, races::CHECKS.into()].concat()
}

/// A time that cannot be written down.
const PAST_ALL: u64 = i64::MAX.unsigned_abs() + 1;

/// The tenant that most checks are about.
const HERE: &str = "here";

/// Another one, who must not see what is of the first.
const ELSEWHERE: &str = "elsewhere";

/// A registry under check. Times count from [`START`].
#[derive(Clone)]
struct Bench {
    registry: Arc<dyn Registry>,
}

impl Bench {
    async fn run<F: Future<Output = ()> + Send>(
        registry: Arc<dyn Registry>,
        check: impl FnOnce(Self) -> F + Send,
    ) {
        check(Self { registry }).await;
    }

    async fn seal(&self, proposed: u8) -> [u8; 32] {
        self.registry.seal([proposed; 32]).await.expect("seal answers")
    }

    async fn add(&self, key: &ApiKey) {
        self.registry.add_key(key.clone()).await.expect("add_key answers");
    }

    async fn key(&self, id: u64) -> Option<ApiKey> {
        self.registry.key(KeyId::new(id)).await.expect("key answers")
    }

    /// The ids of an owner's keys after an id.
    async fn ids(&self, owner: Option<&str>, after: Option<u64>, limit: u32) -> Vec<KeyId> {
        let (owner, after) = (owner.map(tenant), after.map(KeyId::new));
        let keys = self.registry.keys(owner.as_ref(), after, limit).await.expect("keys answers");
        keys.into_iter().map(|key| key.id).collect()
    }

    async fn revoke(&self, owner: Option<&str>, id: u64, now: u64) -> Option<ApiKey> {
        let owner = owner.map(tenant);
        let revoked = self.registry.revoke_key(owner.as_ref(), KeyId::new(id), START + now).await;
        revoked.expect("revoke_key answers")
    }

    async fn begin(&self, request: &RequestKey, print: u8, now: u64) -> Begun {
        self.registry.begin(request, [print; 32], START + now).await.expect("begin answers")
    }

    async fn answer(&self, request: &RequestKey, print: u8, answer: Answer, now: u64) {
        let answered = self.registry.answer(request, [print; 32], answer, START + now).await;
        answered.expect("answer answers");
    }

    async fn abandon(&self, request: &RequestKey, print: u8, begun: u64) {
        let given_up = self.registry.abandon(request, [print; 32], START + begun).await;
        given_up.expect("abandon answers");
    }

    async fn forget_answers(&self, before: u64) -> u64 {
        self.registry.forget_answers(START + before).await.expect("forget_answers answers")
    }

    async fn note(&self, entry: &AdminEntry) {
        self.registry.note(entry.clone()).await.expect("note answers");
    }

    async fn notes(&self, of: Option<&str>, before: Option<u64>, limit: u32) -> Vec<(u64, AdminEntry)> {
        let of = of.map(tenant);
        self.registry.notes(of.as_ref(), before, limit).await.expect("notes answers")
    }

    async fn revision(&self) -> u64 {
        self.registry.revision().await.expect("revision answers")
    }

    async fn tenants(&self) -> Vec<TenantRecord> {
        self.registry.tenants().await.expect("tenants answers")
    }

    async fn put(&self, record: &TenantRecord) -> Option<u64> {
        self.registry.put_tenant(record.clone()).await.expect("put_tenant answers")
    }

    /// Writes a tenant, which must be written, and gives it as it then is.
    async fn written(&self, record: TenantRecord) -> TenantRecord {
        let revision = self.put(&record).await.expect("the revision of the record is the present one");
        TenantRecord { revision, ..record }
    }

    /// Keeps a key of an owner who may have so many; whether it was kept.
    async fn add_within(&self, key: &ApiKey, most: u32) -> bool {
        self.registry.add_key_within(key.clone(), most).await.expect("add_key_within answers")
    }

    /// Installs without a quota; false where one of this digest was there.
    async fn install(&self, of: &str, plugin: &PluginRecord, code: &[u8]) -> bool {
        self.install_within(of, plugin, code, PluginQuota::NONE).await == Installed::Now
    }

    async fn install_within(
        &self,
        of: &str,
        plugin: &PluginRecord,
        code: &[u8],
        quota: PluginQuota,
    ) -> Installed {
        let installed = self.registry.put_plugin(&tenant(of), plugin.clone(), code.to_vec(), quota).await;
        installed.expect("put_plugin answers")
    }

    async fn remove(&self, of: &str, digest: &str, revision: u64) -> Option<u64> {
        self.registry.remove_plugin(&tenant(of), digest, revision).await.expect("remove_plugin answers")
    }

    async fn plugins(&self, of: &str) -> Vec<PluginRecord> {
        self.registry.plugins(&tenant(of)).await.expect("plugins answers")
    }

    async fn code(&self, of: &str, digest: &str) -> Option<Vec<u8>> {
        self.registry.plugin_code(&tenant(of), digest).await.expect("plugin_code answers")
    }
}

/// A key of a tenant, or of the operator, with something of its own in each part.
fn key(owner: Option<&str>, id: u64) -> ApiKey {
    ApiKey {
        id: KeyId::new(id),
        tenant: owner.map(tenant),
        user: id.is_multiple_of(2).then(|| user(&format!("user {id}"))),
        label: name(&format!("密钥 {id}")),
        scopes: [Scope::Member, Scope::Admin].into_iter().collect(),
        hash: [id.to_be_bytes()[7] ^ 0xa5; 32],
        created_at_ms: START + 1,
        expires_at_ms: None,
        revoked_at_ms: None,
    }
}

fn request(owner: Option<&str>, key: &str) -> RequestKey {
    RequestKey { tenant: owner.map(tenant), key: name(key) }
}

fn answer_of(status: u16) -> Answer {
    // Not a text: a body is whatever it is.
    Answer { status, body: vec![0, 0xff, b'{', status.to_be_bytes()[1]] }
}

fn entry(of: Option<&str>, number: u64) -> AdminEntry {
    AdminEntry {
        at_ms: START + number,
        by: (!number.is_multiple_of(3)).then(|| KeyId::new(u64::MAX - number)),
        tenant: of.map(tenant),
        action: "key.create".into(),
        subject: format!("第 {number} 个"),
        outcome: "ok".into(),
    }
}

/// A tenant that was never written.
fn record(of: &str) -> TenantRecord {
    TenantRecord {
        id: tenant(of),
        revision: 0,
        settings: r#"{"currency":"元"}"#.into(),
        plugin: None,
        former: None,
        suspension: Suspension::default(),
        declared: None,
        created_at_ms: START,
    }
}

fn plugin(digest: &str) -> PluginRecord {
    PluginRecord {
        digest: digest.into(),
        name: format!("plugin {digest}"),
        version: "1.2.3".into(),
        bytes: 3,
        installed_at_ms: START,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("checks name things well")
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?} is refused");
}

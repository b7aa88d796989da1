//! Fault injection for registries.

use async_trait::async_trait;

use super::Faulty;
use hongbao_domain::{ApiKey, KeyId, TenantId, WebhookId};
use hongbao_store::{
    AdminEntry, Answer, Begun, Installed, PluginQuota, PluginRecord, Registry, RequestKey, Saved, StoreError,
    TenantRecord, Webhook, WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay, WebhookState,
    WebhookStep, Webhooks,
};

#[async_trait]
impl Registry for Faulty<dyn Registry> {
    async fn add_key(&self, key: ApiKey) -> Result<(), StoreError> {
        self.change(self.store.add_key(key)).await
    }
    async fn add_key_within(&self, key: ApiKey, most: u32) -> Result<bool, StoreError> {
        self.change(self.store.add_key_within(key, most)).await
    }
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.pass(self.store.key(id)).await
    }
    async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.pass(self.store.keys(tenant, after, limit)).await
    }
    async fn revoke_key(
        &self,
        tenant: Option<&TenantId>,
        id: KeyId,
        now_ms: u64,
    ) -> Result<Option<ApiKey>, StoreError> {
        self.change(self.store.revoke_key(tenant, id, now_ms)).await
    }
    async fn forget_keys(&self, expired_before_ms: u64) -> Result<u64, StoreError> {
        self.change(self.store.forget_keys(expired_before_ms)).await
    }
    async fn seal(&self, proposed: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.change(self.store.seal(proposed)).await
    }
    async fn begin(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, StoreError> {
        self.change(self.store.begin(request, fingerprint, now_ms)).await
    }
    async fn answer(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        answer: Answer,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.change(self.store.answer(request, fingerprint, answer, now_ms)).await
    }
    async fn abandon(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        begun_at_ms: u64,
    ) -> Result<(), StoreError> {
        self.change(self.store.abandon(request, fingerprint, begun_at_ms)).await
    }
    async fn forget_answers(&self, begun_before_ms: u64) -> Result<u64, StoreError> {
        self.change(self.store.forget_answers(begun_before_ms)).await
    }
    async fn note(&self, entry: AdminEntry) -> Result<(), StoreError> {
        self.change(self.store.note(entry)).await
    }
    async fn notes(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AdminEntry)>, StoreError> {
        self.pass(self.store.notes(tenant, before, limit)).await
    }
    async fn revision(&self) -> Result<u64, StoreError> {
        self.pass(self.store.revision()).await
    }
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.pass(self.store.tenants()).await
    }
    async fn put_tenant(&self, record: TenantRecord) -> Result<Option<u64>, StoreError> {
        self.change(self.store.put_tenant(record)).await
    }
    async fn put_plugin(
        &self,
        tenant: &TenantId,
        plugin: PluginRecord,
        code: Vec<u8>,
        quota: PluginQuota,
    ) -> Result<Installed, StoreError> {
        self.change(self.store.put_plugin(tenant, plugin, code, quota)).await
    }
    async fn remove_plugin(
        &self,
        tenant: &TenantId,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.change(self.store.remove_plugin(tenant, digest, revision)).await
    }
    async fn plugins(&self, tenant: &TenantId) -> Result<Vec<PluginRecord>, StoreError> {
        self.pass(self.store.plugins(tenant)).await
    }
    async fn plugin_code(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.pass(self.store.plugin_code(tenant, digest)).await
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.change(self.store.check()).await
    }
}

#[async_trait]
impl Webhooks for Faulty<dyn Registry> {
    async fn add_webhook(
        &self,
        webhook: Webhook,
        progress: WebhookProgress,
        most: u32,
    ) -> Result<bool, StoreError> {
        self.change(self.store.add_webhook(webhook, progress, most)).await
    }
    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookState>, StoreError> {
        self.pass(self.store.webhooks(tenant)).await
    }
    async fn put_webhook(&self, webhook: Webhook) -> Result<Option<u64>, StoreError> {
        self.change(self.store.put_webhook(webhook)).await
    }
    async fn remove_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        self.change(self.store.remove_webhook(tenant, id)).await
    }
    async fn webhook_failures(
        &self,
        id: WebhookId,
        is_dead: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<WebhookFailure>, StoreError> {
        self.pass(self.store.webhook_failures(id, is_dead, after, limit)).await
    }
    async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        replay: WebhookReplay,
    ) -> Result<Option<bool>, StoreError> {
        self.change(self.store.replay_webhook(tenant, id, replay)).await
    }
    async fn resend_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        failure: WebhookFailure,
    ) -> Result<bool, StoreError> {
        self.change(self.store.resend_webhook(tenant, id, failure)).await
    }
    async fn revive_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        self.change(self.store.revive_webhook(tenant, id, now_ms, limit)).await
    }
    async fn lease_webhooks(&self, lease: WebhookLease) -> Result<Vec<WebhookState>, StoreError> {
        self.change(self.store.lease_webhooks(lease)).await
    }
    async fn release_webhooks(&self, holder: u64) -> Result<(), StoreError> {
        self.change(self.store.release_webhooks(holder)).await
    }
    async fn save_webhook(&self, step: WebhookStep) -> Result<Saved, StoreError> {
        self.change(self.store.save_webhook(step)).await
    }
}

//! The in-memory registry, which is the reference: written for clarity, since every other registry is compared with it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::webhooks::Endpoints;
use crate::{
    ANSWER_KEPT_MS, AdminEntry, Answer, Begun, Installed, PluginQuota, PluginRecord, RUNNING_MS, Registry,
    RequestKey, StoreError, TenantRecord, checks,
};
use hongbao_domain::{ApiKey, KeyId, TenantId};

/// Records in this process, for tests and for trying things out: they end with the process.
#[derive(Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    seal: Option<[u8; 32]>,
    keys: BTreeMap<KeyId, ApiKey>,
    requests: BTreeMap<RequestKey, Request>,
    /// The place of an entry is how many there were with it.
    notes: Vec<AdminEntry>,
    revision: u64,
    tenants: BTreeMap<TenantId, TenantRecord>,
    /// In the order of installing.
    plugins: Vec<Component>,
    pub(super) webhooks: Endpoints,
}

struct Request {
    fingerprint: [u8; 32],
    begun_at_ms: u64,
    answer: Option<Answer>,
}

impl Request {
    /// What to tell somebody who asks; None where it is as if nobody had begun.
    fn told(&self, fingerprint: [u8; 32], now_ms: u64) -> Option<Begun> {
        let age_ms = now_ms.saturating_sub(self.begun_at_ms);
        if age_ms >= ANSWER_KEPT_MS {
            return None;
        }
        if self.fingerprint != fingerprint {
            return Some(Begun::Other);
        }
        match &self.answer {
            Some(answer) => Some(Begun::Answered(answer.clone())),
            None => (age_ms < RUNNING_MS).then_some(Begun::Running),
        }
    }

    fn is_under_way(&self, fingerprint: [u8; 32]) -> bool {
        self.fingerprint == fingerprint && self.answer.is_none()
    }
}

struct Component {
    tenant: TenantId,
    plugin: PluginRecord,
    code: Vec<u8>,
}

impl Component {
    fn is(&self, tenant: &TenantId, digest: &str) -> bool {
        self.tenant == *tenant && self.plugin.digest == digest
    }
}

impl MemoryRegistry {
    /// Without any records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing is changed before everything was checked, so a panic under the lock leaves nothing half done.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn seal(&self, proposed: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(*self.state().seal.get_or_insert(proposed))
    }

    async fn add_key(&self, key: ApiKey) -> Result<(), StoreError> {
        checks::api_key(&key)?;
        let keys = &mut self.state().keys;
        if keys.contains_key(&key.id) {
            return Err(checks::taken_key(key.id));
        }
        keys.insert(key.id, key);
        Ok(())
    }

    async fn add_key_within(&self, key: ApiKey, most: u32) -> Result<bool, StoreError> {
        checks::api_key(&key)?;
        let keys = &mut self.state().keys;
        if keys.contains_key(&key.id) {
            return Err(checks::taken_key(key.id));
        }
        let own = keys.values().filter(|other| other.tenant == key.tenant);
        if own.filter(|other| other.is_valid(key.created_at_ms)).count() >= most as usize {
            return Ok(false);
        }
        keys.insert(key.id, key);
        Ok(true)
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.state().keys.get(&id).cloned())
    }

    async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let later = state.keys.range((after, Bound::Unbounded)).map(|(_, key)| key);
        Ok(later.filter(|key| key.tenant.as_ref() == tenant).take(limit as usize).cloned().collect())
    }

    async fn revoke_key(
        &self,
        tenant: Option<&TenantId>,
        id: KeyId,
        now_ms: u64,
    ) -> Result<Option<ApiKey>, StoreError> {
        checks::time(now_ms)?;
        let mut state = self.state();
        let Some(key) = state.keys.get_mut(&id).filter(|key| key.tenant.as_ref() == tenant) else {
            return Ok(None);
        };
        key.revoked_at_ms.get_or_insert(now_ms);
        Ok(Some(key.clone()))
    }

    async fn forget_keys(&self, expired_before_ms: u64) -> Result<u64, StoreError> {
        let keys = &mut self.state().keys;
        let before = keys.len();
        keys.retain(|_, key| key.expires_at_ms.is_none_or(|at| at >= expired_before_ms));
        Ok((before - keys.len()) as u64)
    }

    async fn begin(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, StoreError> {
        checks::time(now_ms)?;
        let requests = &mut self.state().requests;
        if let Some(told) = requests.get(request).and_then(|begun| begun.told(fingerprint, now_ms)) {
            return Ok(told);
        }
        requests.insert(request.clone(), Request { fingerprint, begun_at_ms: now_ms, answer: None });
        Ok(Begun::New)
    }

    async fn answer(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        answer: Answer,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        checks::time(now_ms)?;
        let mut state = self.state();
        let begun = state.requests.get_mut(request).filter(|begun| begun.is_under_way(fingerprint));
        if let Some(begun) = begun {
            begun.answer = Some(answer);
        }
        Ok(())
    }

    async fn abandon(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        begun_at_ms: u64,
    ) -> Result<(), StoreError> {
        checks::time(begun_at_ms)?;
        let requests = &mut self.state().requests;
        let is_own = |begun: &Request| begun.is_under_way(fingerprint) && begun.begun_at_ms == begun_at_ms;
        if requests.get(request).is_some_and(is_own) {
            requests.remove(request);
        }
        Ok(())
    }

    async fn forget_answers(&self, begun_before_ms: u64) -> Result<u64, StoreError> {
        let requests = &mut self.state().requests;
        let before = requests.len();
        requests.retain(|_, begun| begun.begun_at_ms >= begun_before_ms);
        Ok((before - requests.len()) as u64)
    }

    async fn note(&self, entry: AdminEntry) -> Result<(), StoreError> {
        checks::admin_entry(&entry)?;
        self.state().notes.push(entry);
        Ok(())
    }

    async fn notes(
        &self,
        tenant: Option<&TenantId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AdminEntry)>, StoreError> {
        let state = self.state();
        let placed = state.notes.iter().enumerate().map(|(before, entry)| (before as u64 + 1, entry));
        let asked = placed
            .rev()
            .filter(|(place, _)| before.is_none_or(|before| *place < before))
            .filter(|(_, entry)| tenant.is_none() || entry.tenant.as_ref() == tenant);
        Ok(asked.take(limit as usize).map(|(place, entry)| (place, entry.clone())).collect())
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        Ok(self.state().revision)
    }

    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        Ok(self.state().tenants.values().cloned().collect())
    }

    async fn put_tenant(&self, record: TenantRecord) -> Result<Option<u64>, StoreError> {
        checks::tenant_record(&record)?;
        let mut state = self.state();
        let present = state.tenants.get(&record.id).map_or(0, |tenant| tenant.revision);
        if present != record.revision {
            return Ok(None);
        }
        state.revision += 1;
        let revision = state.revision;
        state.tenants.insert(record.id.clone(), TenantRecord { revision, ..record });
        Ok(Some(revision))
    }

    async fn put_plugin(
        &self,
        tenant: &TenantId,
        plugin: PluginRecord,
        code: Vec<u8>,
        quota: PluginQuota,
    ) -> Result<Installed, StoreError> {
        checks::plugin_record(&plugin, &code)?;
        let plugins = &mut self.state().plugins;
        if plugins.iter().any(|installed| installed.is(tenant, &plugin.digest)) {
            return Ok(Installed::Before);
        }
        let own = plugins.iter().filter(|installed| installed.tenant == *tenant);
        let (count, bytes) = own
            .fold((1, u128::from(plugin.bytes)), |(count, bytes), Component { plugin, .. }| {
                (count + 1, bytes + u128::from(plugin.bytes))
            });
        if count > quota.plugins || bytes > u128::from(quota.bytes) {
            return Ok(Installed::Full);
        }
        plugins.push(Component { tenant: tenant.clone(), plugin, code });
        Ok(Installed::Now)
    }

    async fn remove_plugin(
        &self,
        tenant: &TenantId,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut state = self.state();
        let next = state.revision + 1;
        let place = state.plugins.iter().position(|installed| installed.is(tenant, digest));
        let record = state.tenants.get_mut(tenant).filter(|record| record.revision == revision);
        let (Some(place), Some(record)) = (place, record) else { return Ok(None) };
        record.revision = next;
        record.former.take_if(|former| former.as_deref() == Some(digest));
        state.plugins.remove(place);
        state.revision = next;
        Ok(Some(next))
    }

    async fn plugins(&self, tenant: &TenantId) -> Result<Vec<PluginRecord>, StoreError> {
        let state = self.state();
        let own = state.plugins.iter().filter(|installed| installed.tenant == *tenant);
        Ok(own.map(|installed| installed.plugin.clone()).collect())
    }

    async fn plugin_code(&self, tenant: &TenantId, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.state();
        let found = state.plugins.iter().find(|installed| installed.is(tenant, digest));
        Ok(found.map(|installed| installed.code.clone()))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

//! Endpoints in memory: part of the in-memory registry, and the reference of that part.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;

use super::MemoryRegistry;
use crate::{
    Saved, StoreError, Webhook, WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay, WebhookState,
    WebhookStep, Webhooks, checks,
};
use hongbao_domain::{TenantId, WebhookId};

/// An endpoint with all that is kept of it.
pub(super) struct Kept {
    webhook: Webhook,
    progress: WebhookProgress,
    failures: BTreeMap<String, WebhookFailure>,
    holder: u64,
    leased_until_ms: u64,
}

impl Kept {
    fn state(&self) -> WebhookState {
        let dead = self.failures.values().filter(|failure| failure.next_at_ms.is_none()).count() as u64;
        WebhookState {
            webhook: self.webhook.clone(),
            progress: self.progress.clone(),
            waiting: self.failures.len() as u64 - dead,
            dead,
        }
    }

    fn raise(&mut self) -> u64 {
        self.webhook.revision += 1;
        self.webhook.revision
    }
}

pub(super) type Endpoints = BTreeMap<WebhookId, Kept>;

/// That of a tenant, and of no other.
fn own<'k>(all: &'k mut Endpoints, tenant: &TenantId, id: WebhookId) -> Option<&'k mut Kept> {
    all.get_mut(&id).filter(|kept| kept.webhook.tenant == *tenant)
}

#[async_trait]
impl Webhooks for MemoryRegistry {
    async fn add_webhook(
        &self,
        webhook: Webhook,
        progress: WebhookProgress,
        most: u32,
    ) -> Result<bool, StoreError> {
        checks::webhook(&webhook)?;
        checks::webhook_progress(&progress)?;
        let all = &mut self.state().webhooks;
        if all.contains_key(&webhook.id) {
            return Err(checks::taken_webhook(webhook.id));
        }
        if all.values().filter(|kept| kept.webhook.tenant == webhook.tenant).count() >= most as usize {
            return Ok(false);
        }
        let webhook = Webhook { revision: 1, ..webhook };
        let kept = Kept { progress, failures: BTreeMap::new(), holder: 0, leased_until_ms: 0, webhook };
        all.insert(kept.webhook.id, kept);
        Ok(true)
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookState>, StoreError> {
        let state = self.state();
        let own = state.webhooks.values().filter(|kept| kept.webhook.tenant == *tenant);
        Ok(own.map(Kept::state).collect())
    }

    async fn put_webhook(&self, webhook: Webhook) -> Result<Option<u64>, StoreError> {
        checks::webhook(&webhook)?;
        let all = &mut self.state().webhooks;
        let Some(kept) = own(all, &webhook.tenant, webhook.id) else { return Ok(None) };
        if kept.webhook.revision != webhook.revision {
            return Ok(None);
        }
        let created_at_ms = kept.webhook.created_at_ms;
        kept.webhook = Webhook { created_at_ms, ..webhook };
        Ok(Some(kept.raise()))
    }

    async fn remove_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        let all = &mut self.state().webhooks;
        let is_there = own(all, tenant, id).is_some();
        if is_there {
            all.remove(&id);
        }
        Ok(is_there)
    }

    async fn webhook_failures(
        &self,
        id: WebhookId,
        is_dead: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<WebhookFailure>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let Some(kept) = state.webhooks.get(&id) else { return Ok(Vec::new()) };
        let later = kept.failures.range::<str, _>((after, Bound::Unbounded)).map(|(_, failure)| failure);
        let asked = later.filter(|failure| failure.next_at_ms.is_none() == is_dead);
        Ok(asked.take(limit as usize).cloned().collect())
    }

    async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        replay: WebhookReplay,
    ) -> Result<Option<bool>, StoreError> {
        checks::webhook_replay(&replay)?;
        let all = &mut self.state().webhooks;
        let Some(kept) = own(all, tenant, id) else { return Ok(None) };
        if kept.progress.replay.is_some() {
            return Ok(Some(false));
        }
        kept.progress.replay = Some(replay);
        kept.raise();
        Ok(Some(true))
    }

    async fn resend_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        failure: WebhookFailure,
    ) -> Result<bool, StoreError> {
        checks::webhook_failure(&failure)?;
        let all = &mut self.state().webhooks;
        let Some(kept) = own(all, tenant, id) else { return Ok(false) };
        kept.failures.insert(failure.event.clone(), failure);
        kept.raise();
        Ok(true)
    }

    async fn revive_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        checks::time(now_ms)?;
        let all = &mut self.state().webhooks;
        let Some(kept) = own(all, tenant, id) else { return Ok(None) };
        let dead = kept.failures.values_mut().filter(|failure| failure.next_at_ms.is_none());
        let mut count = 0;
        for failure in dead.take(limit as usize) {
            (failure.next_at_ms, failure.attempts) = (Some(now_ms), 0);
            count += 1;
        }
        kept.raise();
        Ok(Some(count))
    }

    async fn lease_webhooks(&self, lease: WebhookLease) -> Result<Vec<WebhookState>, StoreError> {
        checks::webhook_lease(&lease)?;
        let WebhookLease { holder, now_ms, renew_before_ms, until_ms, most } = lease;
        let mut state = self.state();
        let mut in_use: Vec<_> =
            state.webhooks.values_mut().filter(|kept| kept.webhook.disabled.is_none()).collect();
        let own = in_use.iter_mut().filter(|kept| kept.holder == holder);
        own.filter(|kept| kept.leased_until_ms < renew_before_ms)
            .for_each(|kept| kept.leased_until_ms = until_ms);
        // The one that was without a holder for longest first.
        in_use.sort_by_key(|kept| (kept.leased_until_ms, kept.webhook.id));
        let free = in_use.iter_mut().filter(|kept| kept.holder != holder && kept.leased_until_ms <= now_ms);
        free.take(most as usize).for_each(|kept| (kept.holder, kept.leased_until_ms) = (holder, until_ms));
        let held = state.webhooks.values();
        let held = held.filter(|kept| kept.webhook.disabled.is_none() && kept.holder == holder);
        Ok(held.map(Kept::state).collect())
    }

    async fn release_webhooks(&self, holder: u64) -> Result<(), StoreError> {
        let mut state = self.state();
        let held = state.webhooks.values_mut().filter(|kept| kept.holder == holder);
        held.for_each(|kept| (kept.holder, kept.leased_until_ms) = (0, 0));
        Ok(())
    }

    async fn save_webhook(&self, step: WebhookStep) -> Result<Saved, StoreError> {
        checks::webhook_step(&step)?;
        let mut state = self.state();
        let Some(kept) = state.webhooks.get_mut(&step.id) else { return Ok(Saved::Lost) };
        if kept.holder != step.holder {
            return Ok(Saved::Lost);
        }
        if kept.webhook.revision != step.revision {
            return Ok(Saved::Changed);
        }
        kept.progress = step.progress;
        for event in &step.settled {
            kept.failures.remove(event);
        }
        kept.failures.extend(step.failed.into_iter().map(|failure| (failure.event.clone(), failure)));
        Ok(Saved::Now)
    }
}

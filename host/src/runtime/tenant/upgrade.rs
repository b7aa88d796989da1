//! A tenant's changes: another plugin, other settings, a pause. Only this tenant is touched.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{Serving, Tenant, TenantConfig, TenantError};
use crate::domain::Manifest;
use crate::runtime::Plugin;

impl Tenant {
    /// Lets another plugin serve, once it has been instantiated and has said what it is. Calls under
    /// way finish with the former one, which is kept for [`rollback`](Self::rollback); no request
    /// fails because of it.
    ///
    /// # Errors
    /// When the new plugin does not say what it is, or asks for what the tenant does not grant. Then
    /// the former one goes on serving.
    pub async fn upgrade(&self, plugin: Plugin) -> Result<Arc<Manifest>, TenantError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        self.change(self.config(), plugin).await
    }

    /// Lets the plugin serve again that served before the last upgrade.
    ///
    /// # Errors
    /// When there was none, or it does not say what it is any more.
    pub async fn rollback(&self) -> Result<Arc<Manifest>, TenantError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        let former = self.inner.former.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.change(self.config(), former.ok_or(TenantError::NoFormer)?).await
    }

    /// The plugin that a rollback would let serve.
    #[must_use]
    pub fn former(&self) -> Option<Plugin> {
        self.inner.former.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other grants, another policy, other limits; the plugin stays. The name cannot be changed.
    ///
    /// # Errors
    /// When the plugin asks for what would not be granted any more, or does not fit into the limits.
    pub async fn configure(&self, config: TenantConfig) -> Result<(), TenantError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        let serving = self.serving();
        let config = TenantConfig { id: self.inner.id.clone(), ..config };
        let next = Serving::prepare(&self.inner.shared, config, serving.plugin.clone()).await?;
        self.replace(next);
        Ok(())
    }

    /// Takes no more requests until [`resume`](Self::resume). Those under way finish; expiry and
    /// settlement go on.
    pub fn suspend(&self) {
        self.inner.is_suspended.store(true, Ordering::Release);
    }

    /// Takes requests again, also where the plugin was suspended because it broke.
    pub fn resume(&self) {
        self.inner.breaker.reset();
        self.inner.is_suspended.store(false, Ordering::Release);
    }

    /// Whether requests are refused now.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        let now_ms = self.inner.shared.clock.now_ms();
        self.inner.is_suspended.load(Ordering::Acquire)
            || self.inner.breaker.suspended_for_ms(now_ms).is_some()
    }

    async fn change(&self, config: TenantConfig, plugin: Plugin) -> Result<Arc<Manifest>, TenantError> {
        let next = Serving::prepare(&self.inner.shared, config, plugin).await?;
        let manifest = Arc::clone(&next.manifest);
        let before = self.replace(next);
        *self.inner.former.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.plugin.clone());
        // What the former plugin did is not held against this one.
        self.inner.breaker.reset();
        let (tenant, version) = (self.inner.id.as_str(), manifest.version.as_str());
        tracing::info!(tenant, plugin = manifest.name, version, "another plugin serves");
        Ok(manifest)
    }

    fn replace(&self, next: Serving) -> Arc<Serving> {
        let mut serving = self.inner.serving.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *serving, Arc::new(next));
        drop(serving);
        before.retire(&self.inner.shared);
        before
    }

    pub(in crate::runtime) fn retire(&self) {
        self.suspend();
        self.serving().retire(&self.inner.shared);
    }
}

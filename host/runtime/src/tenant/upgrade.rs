//! Upgrades, rollbacks and changes of settings of a tenant. Only this tenant is touched.

use std::sync::{Arc, PoisonError};

use super::{Prepared, Serving, Tenant, TenantConfig, TenantError};
use crate::Plugin;
use hongbao_domain::Manifest;

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

    /// Lets what was prepared serve. It cannot fail, so whoever wrote the change down before keeps the promise.
    pub fn adopt(&self, Prepared(next): Prepared) {
        if next.plugin.digest() == self.serving().plugin.digest() {
            self.replace(next);
        } else {
            self.replace_plugin(next);
        }
    }

    async fn change(&self, config: TenantConfig, plugin: Plugin) -> Result<Arc<Manifest>, TenantError> {
        let next = Serving::prepare(&self.inner.shared, config, plugin).await?;
        Ok(self.replace_plugin(next))
    }

    fn replace_plugin(&self, next: Serving) -> Arc<Manifest> {
        let manifest = Arc::clone(&next.manifest);
        let before = self.replace(next);
        *self.inner.former.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.plugin.clone());
        // What the former plugin did is not held against this one.
        self.inner.breaker.reset();
        let (tenant, version) = (self.inner.id.as_str(), manifest.version.as_str());
        tracing::info!(tenant, plugin = manifest.name, version, "another plugin serves");
        manifest
    }

    fn replace(&self, next: Serving) -> Arc<Serving> {
        let mut serving = self.inner.serving.write().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(next.counting_on(&serving));
        let before = std::mem::replace(&mut *serving, next);
        drop(serving);
        before.retire(&self.inner.shared);
        before
    }

    pub(crate) fn retire(&self) {
        self.suspend();
        self.serving().retire(&self.inner.shared);
    }
}

//! Admission of a tenant's requests: suspensions, rate limit, quota of open packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Serving, Tenant};
use crate::CallError;
use hongbao_domain::{Limit, Suspension, counted};

const BY_OPERATOR: u8 = 1;
const BY_TENANT: u8 = 2;

/// A [`Suspension`] that is looked at by every request.
#[derive(Default)]
pub(super) struct Suspended(AtomicU8);

impl Suspended {
    fn get(&self) -> Suspension {
        let bits = self.0.load(Ordering::Acquire);
        Suspension { by_operator: bits & BY_OPERATOR != 0, by_tenant: bits & BY_TENANT != 0 }
    }

    fn set(&self, suspension: Suspension) -> Suspension {
        let bits =
            (u8::from(suspension.by_operator) * BY_OPERATOR) | (u8::from(suspension.by_tenant) * BY_TENANT);
        let before = self.get();
        self.0.store(bits, Ordering::Release);
        before
    }
}

impl Tenant {
    /// Takes no more requests until [`resume`](Self::resume). Those under way finish; expiry and
    /// settlement go on.
    pub fn suspend(&self) {
        self.inner.suspended.set(Suspension { by_operator: true, ..self.suspension() });
    }

    /// Takes requests again, whoever suspended it, also where the plugin was suspended because it broke.
    pub fn resume(&self) {
        self.set_suspension(Suspension::default());
        self.reset_breaker();
    }

    /// Suspends it, or lifts that, in the name of both. Where nobody suspends it any more, its plugin begins
    /// with a clean record.
    pub fn set_suspension(&self, suspension: Suspension) {
        let before = self.inner.suspended.set(suspension);
        if before.is_any() && !suspension.is_any() {
            self.reset_breaker();
        }
    }

    /// Calls its plugin again, which was suspended because it broke.
    pub fn reset_breaker(&self) {
        self.inner.breaker.reset();
    }

    /// Who suspended it. That its plugin is suspended because it broke is no part of this.
    #[must_use]
    pub fn suspension(&self) -> Suspension {
        self.inner.suspended.get()
    }

    /// How long its plugin is not called since it broke again and again; None where it is called.
    #[must_use]
    pub fn plugin_suspended_for_ms(&self) -> Option<u64> {
        self.inner.breaker.suspended_for_ms(self.inner.shared.clock.now_ms())
    }

    /// Whether requests are refused now: all of them, or those for the plugin.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspension().is_any() || self.plugin_suspended_for_ms().is_some()
    }

    /// One request, whatever it is about and however many calls it goes on to make. It is counted here
    /// against the tenant's rate, and the handle that is given back does not count it again. Calls of the
    /// plugin are counted by themselves where nobody asked for this before; reading, funding and the like
    /// never are.
    ///
    /// # Errors
    /// Where the tenant is suspended, or asks more often than it may.
    pub fn request(&self) -> Result<Self, CallError> {
        let taken = self.not_suspended().and_then(|()| self.serving().take_rate());
        taken.inspect_err(|error| self.refused(error))?;
        Ok(self.uncounted())
    }

    /// Counts a request that is taken also where the tenant is suspended: a look at the tenant itself.
    pub fn count(&self) -> Result<(), CallError> {
        self.serving().take_rate().inspect_err(|error| self.refused(error))
    }

    /// Somebody was refused for the sake of a limit, which the metrics count.
    pub fn reached(&self, limit: Limit) {
        self.inner.metrics.limit(limit);
    }

    fn refused(&self, error: &CallError) {
        if let Some(limit) = error.limit() {
            self.reached(limit);
        }
    }

    fn uncounted(&self) -> Self {
        Self { is_counted: true, ..self.clone() }
    }

    fn not_suspended(&self) -> Result<(), CallError> {
        match self.suspension().is_any() {
            true => Err(CallError::Suspended { retry_after_ms: None }),
            false => Ok(()),
        }
    }

    /// What serves now, if its plugin may be called at all.
    pub(super) fn admit(&self) -> Result<Arc<Serving>, CallError> {
        let retry_after_ms = self.plugin_suspended_for_ms();
        if retry_after_ms.is_some() && !self.suspension().is_any() {
            return Err(CallError::Suspended { retry_after_ms });
        }
        self.admit_without_plugin()
    }

    /// What serves now, for a request that needs no plugin.
    pub(super) fn admit_without_plugin(&self) -> Result<Arc<Serving>, CallError> {
        self.not_suspended()?;
        let serving = self.serving();
        if !self.is_counted {
            serving.take_rate()?;
        }
        Ok(serving)
    }

    /// Whether there is room for one more open packet.
    pub(super) async fn has_room(&self) -> Result<(), CallError> {
        self.not_suspended()?;
        let context = self.context();
        let asked = context.has_room().await;
        self.inner.shared.health.ledger.note(&asked);
        if asked? {
            return Ok(());
        }
        let limit = Limit::OpenPackets;
        let why = format!(
            "{} open, which is as many as the tenant may have; some have to end first",
            counted(context.limits.open_packets.into(), "packet is", "packets are")
        );
        Err(CallError::Quota { limit, why: why.into() }).inspect_err(|error| self.refused(error))
    }
}

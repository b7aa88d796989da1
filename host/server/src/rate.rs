//! Rate limits of keys and users.

use std::hash::Hash;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use super::problem::{Kind, Problem};
use hongbao_domain::{KeyId, TenantId, UserId};

/// Requests a second, of each key and of each user. None is as many as they like; what a tenant may
/// in all is among its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSettings {
    /// Of one API key.
    pub key_per_second: Option<NonZeroU32>,
    /// Of one user, through whichever key.
    pub user_per_second: Option<NonZeroU32>,
    /// Of the administrators of one tenant. The operator has no limit.
    pub admin_per_second: Option<NonZeroU32>,
}

impl Default for RateSettings {
    /// A person taps some times a second; a platform's key speaks for all of its users.
    fn default() -> Self {
        let some = NonZeroU32::new(20);
        Self { key_per_second: None, user_per_second: some, admin_per_second: some }
    }
}

type Limiter<K> = Option<DefaultKeyedRateLimiter<K>>;

/// The counts behind the settings.
pub(super) struct Rates {
    keys: Limiter<KeyId>,
    users: Limiter<(TenantId, UserId)>,
    /// Apart from all else that a tenant asks, so that whoever floods it cannot keep its administrators from
    /// revoking a key.
    admins: Limiter<TenantId>,
    clock: DefaultClock,
}

impl Rates {
    pub(super) fn new(settings: RateSettings) -> Self {
        Self {
            keys: limiter(settings.key_per_second),
            users: limiter(settings.user_per_second),
            admins: limiter(settings.admin_per_second),
            clock: DefaultClock::default(),
        }
    }

    pub(super) fn key(&self, key: KeyId) -> Result<(), Problem> {
        let Some(keys) = &self.keys else { return Ok(()) };
        keys.check_key(&key).map_err(|until| self.wait(&until, "this API key asks too often"))
    }

    pub(super) fn user(&self, tenant: &TenantId, user: &UserId) -> Result<(), Problem> {
        let Some(users) = &self.users else { return Ok(()) };
        let user = (tenant.clone(), user.clone());
        users.check_key(&user).map_err(|until| self.wait(&until, "this user asks too often"))
    }

    pub(super) fn admin(&self, tenant: &TenantId) -> Result<(), Problem> {
        let Some(admins) = &self.admins else { return Ok(()) };
        admins
            .check_key(tenant)
            .map_err(|until| self.wait(&until, "this tenant's administrators ask too often"))
    }

    /// Forgets whoever has not asked for so long that it makes no difference.
    pub(super) fn forget(&self) {
        self.keys.iter().for_each(DefaultKeyedRateLimiter::retain_recent);
        self.users.iter().for_each(DefaultKeyedRateLimiter::retain_recent);
        self.admins.iter().for_each(DefaultKeyedRateLimiter::retain_recent);
    }

    fn wait(&self, until: &NotUntil<<DefaultClock as Clock>::Instant>, why: &'static str) -> Problem {
        let wait = until.wait_time_from(self.clock.now());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Problem::new(Kind::RATE_LIMITED, why).after(wait_ms)
    }
}

fn limiter<K: Clone + Eq + Hash>(per_second: Option<NonZeroU32>) -> Limiter<K> {
    // As many at once as in a second: taps come in bursts.
    per_second.map(|per_second| RateLimiter::keyed(Quota::per_second(per_second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_rate_of_their_own() {
        let settings = RateSettings { user_per_second: NonZeroU32::new(2), ..RateSettings::default() };
        let rates = Rates::new(settings);
        let tenant = TenantId::default();
        let [bob, carol] = ["bob", "carol"].map(|name| UserId::new(name).unwrap());
        assert!(rates.user(&tenant, &bob).is_ok() && rates.user(&tenant, &bob).is_ok());
        let refused = rates.user(&tenant, &bob).unwrap_err();
        assert_eq!(refused.kind(), Kind::RATE_LIMITED);
        assert!(rates.user(&tenant, &carol).is_ok());
        let elsewhere = TenantId::new("other").unwrap();
        assert!(rates.user(&elsewhere, &bob).is_ok(), "a name of another tenant is another user");
        assert!((0..1000).all(|_| rates.key(KeyId::new(1)).is_ok()), "keys have no limit by default");
    }
}

//! Conversions between WIT values and domain values.

use super::bindings::hongbao::plugin::{policy, types};
use crate::imports::failure::Failure;
use crate::imports::{Breach, TenantContext};
use hongbao_domain::{Amount, Status, UserId};

pub(super) fn user(name: String) -> Result<UserId, Breach> {
    UserId::new(name).map_err(Breach::Name)
}

pub(super) fn amount(minor: u64) -> Result<Amount, Breach> {
    Amount::new(minor).map_err(Breach::Amount)
}

pub(super) const fn wit_status(status: Status) -> types::Status {
    match status {
        Status::Open => types::Status::Open,
        Status::Finished => types::Status::Finished,
        Status::Expired => types::Status::Expired,
    }
}

/// What a plugin says in its own words, made fit to be shown: no more than fits on a screen, and no
/// control characters. Stores speak through it too, so this is no breach.
pub(super) fn words(text: &str) -> String {
    const LONGEST: usize = 4096;
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

pub(super) fn wit_failure(failure: Failure) -> types::Failure {
    match failure {
        Failure::NotFound => types::Failure::NotFound,
        Failure::Busy => types::Failure::Busy,
        Failure::CacheAway => types::Failure::CacheAway,
        Failure::Unavailable => types::Failure::Unavailable,
        Failure::Other(why) => types::Failure::Other(why),
    }
}

pub(super) fn limits(context: &TenantContext) -> policy::Limits {
    let policy = &context.policy;
    let strategies = context.strategies.as_ref();
    let default = strategies.map(|strategies| strategies.default_of(&policy.default_strategy));
    policy::Limits {
        currency: policy.currency.clone(),
        currency_digits: policy.currency_digits,
        max_shares: policy.max_shares,
        max_share: policy.max_share.get(),
        max_greeting_chars: policy.max_greeting_chars,
        default_strategy: default.as_ref().unwrap_or(&policy.default_strategy).as_str().to_owned(),
        default_expires_in_ms: policy.default_expires_in_ms,
        max_expires_in_ms: policy.max_expires_in_ms,
        large_from: policy.large_from.get(),
        sender_may_grab: policy.sender_may_grab,
        lease_ms: policy.lease_ms,
    }
}

/// `types` has words alone, no functions.
impl types::Host for crate::imports::InstanceState {}

//! WIT values and domain values, one into the other.

use super::bindings::hongbao::plugin::{policy, types};
use crate::imports::Breach;
use hongbao_domain::{Amount, Audience, Claim, PacketId, Policy, Status, Strategy, UserId};
use hongbao_store::StoreError;

pub(super) fn packet_id(id: types::PacketId) -> PacketId {
    PacketId::from_halves(id.high, id.low)
}

pub(super) fn wit_packet_id(id: PacketId) -> types::PacketId {
    let (high, low) = id.halves();
    types::PacketId { high, low }
}

pub(super) fn user(name: String) -> Result<UserId, Breach> {
    UserId::new(name).map_err(Breach::Name)
}

pub(super) fn users(names: Vec<String>) -> Result<Vec<UserId>, Breach> {
    names.into_iter().map(user).collect()
}

pub(super) fn names(users: Vec<UserId>) -> Vec<String> {
    users.into_iter().map(UserId::into_string).collect()
}

pub(super) fn amount(minor: u64) -> Result<Amount, Breach> {
    Amount::new(minor).map_err(Breach::Amount)
}

pub(super) fn strategy(strategy: types::Strategy) -> Strategy {
    match strategy {
        types::Strategy::DoubleAverage => Strategy::DoubleAverage,
        types::Strategy::WechatObserved => Strategy::WechatObserved,
        types::Strategy::LineCut => Strategy::LineCut,
        types::Strategy::Equal => Strategy::Equal,
    }
}

pub(super) fn wit_strategy(strategy: Strategy) -> types::Strategy {
    match strategy {
        Strategy::DoubleAverage => types::Strategy::DoubleAverage,
        Strategy::WechatObserved => types::Strategy::WechatObserved,
        Strategy::LineCut => types::Strategy::LineCut,
        Strategy::Equal => types::Strategy::Equal,
    }
}

pub(super) fn status(status: types::Status) -> Status {
    match status {
        types::Status::Open => Status::Open,
        types::Status::Finished => Status::Finished,
        types::Status::Expired => Status::Expired,
    }
}

pub(super) fn wit_status(status: Status) -> types::Status {
    match status {
        Status::Open => types::Status::Open,
        Status::Finished => types::Status::Finished,
        Status::Expired => types::Status::Expired,
    }
}

pub(super) fn audience(audience: types::Audience) -> Result<Audience, Breach> {
    Ok(match audience {
        types::Audience::Everyone => Audience::Everyone,
        types::Audience::EveryoneBut(name) => Audience::EveryoneBut(user(name)?),
        types::Audience::Only(names) => Audience::Only(users(names)?.into()),
    })
}

pub(super) fn wit_audience(audience: &Audience) -> types::Audience {
    match audience {
        Audience::Everyone => types::Audience::Everyone,
        Audience::EveryoneBut(user) => types::Audience::EveryoneBut(user.as_str().to_owned()),
        Audience::Only(users) => {
            types::Audience::Only(users.iter().map(|user| user.as_str().to_owned()).collect())
        }
    }
}

pub(super) fn wit_claim(claim: Claim) -> types::Claim {
    types::Claim {
        user: claim.user.into_string(),
        amount: claim.amount.get(),
        sequence: claim.sequence,
        claimed_at_ms: claim.claimed_at_ms,
    }
}

/// What a plugin says in its own words, made fit to be shown: no more than fits on a screen, and no
/// control characters. Stores speak through it too, so this is no breach.
pub(super) fn words(text: &str) -> String {
    const LONGEST: usize = 4096;
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// The plugin learns what it can act on. The details are the operator's: the health of the store logs
/// them, but not once for each call, which would flood the log.
pub(super) fn wit_error(error: &StoreError) -> types::Error {
    tracing::debug!(code = error.code(), "{error}");
    match error {
        StoreError::Overloaded(_) => types::Error::Busy,
        StoreError::Unavailable(_) => types::Error::Unavailable,
        StoreError::Refused(_) | StoreError::Corrupt(_) => types::Error::Other(error.to_string()),
    }
}

pub(super) fn limits(policy: &Policy) -> policy::Limits {
    policy::Limits {
        currency: policy.currency.clone(),
        currency_digits: policy.currency_digits,
        max_shares: policy.max_shares,
        max_share: policy.max_share.get(),
        max_greeting_chars: policy.max_greeting_chars,
        default_strategy: wit_strategy(policy.default_strategy),
        default_expires_in_ms: policy.default_expires_in_ms,
        max_expires_in_ms: policy.max_expires_in_ms,
        large_from: policy.large_from.get(),
        sender_may_grab: policy.sender_may_grab,
        lease_ms: policy.lease_ms,
    }
}

/// `types` has words alone, no functions.
impl types::Host for crate::imports::InstanceState {}

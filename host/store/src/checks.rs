//! Validation that all stores share: rules of claims, of orders and of registry entries.
//! Databases hold them once more, as constraints; here they become answers that say which rule it was.

use std::collections::HashSet;

use super::{
    AdminEntry, Claimed, Closed, MAX_PLUGIN_BYTES, PluginRecord, Refusal, StoreError, TenantRecord, Webhook,
    WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay, WebhookStep,
};
use hongbao_domain::{
    Amount, ApiKey, KeyId, Order, Packet, PacketKey, Share, Status, WebhookId, WithdrawalId,
};

/// Whether an order may be written at all.
pub fn order(order: &Order, now_ms: u64) -> Result<(), StoreError> {
    let refused = |why: &str| Err(StoreError::Refused(why.into()));
    if order.shares == 0 {
        return refused("a packet has at least one share");
    }
    if order.total.get() < u64::from(order.shares) {
        return refused("a packet has at least 1 for each share");
    }
    if u128::from(order.total.get()) > u128::from(order.max_share.get()) * u128::from(order.shares) {
        return refused("a packet's shares can make its total");
    }
    if now_ms.saturating_add(order.expires_in_ms) > i64::MAX.unsigned_abs() {
        return refused("a packet ends at a time that can be written down");
    }
    texts([&*order.greeting])
}

/// The answer to a claim that cannot be written, whatever its version; None for one that can.
/// `has_claimed` tells whether a user has a claim on this packet.
pub fn claim(packet: &Packet, shares: &[Share], has_claimed: impl Fn(&Share) -> bool) -> Option<Refusal> {
    let left = packet.order.shares.saturating_sub(packet.claimed_shares) as usize;
    if shares.is_empty() || shares.len() > left {
        return Some(Refusal::WrongCount);
    }
    if shares.iter().any(|share| share.amount.is_zero()) {
        return Some(Refusal::ZeroAmount);
    }
    if shares.iter().any(|share| !packet.order.audience.admits(&share.user)) {
        return Some(Refusal::NotEligible);
    }
    let mut seen = HashSet::with_capacity(shares.len());
    if shares.iter().any(|share| !seen.insert(&share.user) || has_claimed(share)) {
        return Some(Refusal::Twice);
    }
    amounts(packet.remaining(), left, shares)
}

fn amounts(remaining: Amount, left: usize, shares: &[Share]) -> Option<Refusal> {
    let taken: u128 = shares.iter().map(|share| share.amount).sum();
    let remaining = u128::from(remaining.get());
    let others = (left - shares.len()) as u128;
    if taken + others > remaining {
        return Some(Refusal::TooMuch);
    }
    (others == 0 && taken != remaining).then_some(Refusal::Remainder)
}

/// Whether a packet no longer takes claims.
pub fn is_over(packet: &Packet, now_ms: u64) -> Option<Claimed> {
    let past = packet.status == Status::Open && now_ms >= packet.expires_at_ms;
    (past || packet.status == Status::Expired).then_some(Claimed::Closed)
}

/// The answer to a close that does not refund; None for one that does.
pub fn close(packet: &Packet, expected_version: u64, now_ms: u64) -> Option<Closed> {
    match packet.status {
        Status::Finished | Status::Expired => Some(Closed::Already(packet.refunded)),
        Status::Open if now_ms < packet.expires_at_ms => Some(Closed::NotDue),
        Status::Open if packet.version != expected_version => Some(Closed::Stale),
        Status::Open => None,
    }
}

/// Why a funding that the books did not take was refused.
pub fn refused_funding(amount: Amount) -> StoreError {
    StoreError::Refused(match amount.is_zero() {
        true => "an amount must be at least 1".into(),
        false => "the wallet would hold more than can be written down".into(),
    })
}

/// Why a withdrawal that the books did not take was refused, where the wallet held enough.
pub fn refused_withdrawal(id: WithdrawalId, amount: Amount) -> StoreError {
    match amount.is_zero() {
        true => refused_funding(amount),
        false => StoreError::Refused(format!("the id {id} is taken")),
    }
}

/// Why a withdrawal was not put back: what other than a full wallet could refuse it was checked before.
pub fn refused_cancel(id: WithdrawalId) -> StoreError {
    StoreError::Refused(format!("the wallet has no room for what withdrawal {id} took out of it"))
}

/// Why a refund was not posted: what other than a full wallet could refuse it was checked before.
pub fn refused_refund(key: &PacketKey) -> StoreError {
    StoreError::Refused(format!("the sender's wallet has no room for the refund of packet {}", key.packet))
}

/// A number as databases keep it, such as a time.
pub fn time(number: u64) -> Result<i64, StoreError> {
    let past = |_| StoreError::Refused(format!("{number} is past what can be written down, {}", i64::MAX));
    i64::try_from(number).map_err(past)
}

/// Not every database can hold a text with a zero in it.
fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<(), StoreError> {
    match texts.into_iter().any(|text| text.contains('\0')) {
        true => Err(StoreError::Refused("a text has no zero character".into())),
        false => Ok(()),
    }
}

/// Whether a key may be kept.
pub fn api_key(key: &ApiKey) -> Result<(), StoreError> {
    let times = [Some(key.created_at_ms), key.expires_at_ms, key.revoked_at_ms];
    times.into_iter().flatten().try_for_each(|at| time(at).map(drop))
}

/// Why a key was not kept.
pub fn taken_key(id: KeyId) -> StoreError {
    StoreError::Refused(format!("the id {id} is taken"))
}

/// Whether what an administrator did can be written down.
pub fn admin_entry(entry: &AdminEntry) -> Result<(), StoreError> {
    time(entry.at_ms)?;
    texts([&*entry.action, &entry.subject, &entry.outcome])
}

/// Whether a tenant can be written.
pub fn tenant_record(record: &TenantRecord) -> Result<(), StoreError> {
    time(record.created_at_ms)?;
    let digests = [record.plugin.as_deref(), record.former.as_ref().and_then(Option::as_deref)];
    let texts_of = [Some(&*record.settings), record.declared.as_deref()];
    texts(digests.into_iter().chain(texts_of).flatten())
}

/// Whether a plugin can be installed.
pub fn plugin_record(plugin: &PluginRecord, code: &[u8]) -> Result<(), StoreError> {
    time(plugin.installed_at_ms)?;
    time(plugin.bytes)?;
    if code.len() > MAX_PLUGIN_BYTES {
        return Err(StoreError::Refused(format!("a plugin has at most {MAX_PLUGIN_BYTES} bytes")));
    }
    texts([&*plugin.digest, &plugin.name, &plugin.version])
}

/// Whether an endpoint can be written.
pub fn webhook(webhook: &Webhook) -> Result<(), StoreError> {
    time(webhook.created_at_ms)?;
    webhook.former.map_or(Ok(0), |(_, until_ms)| time(until_ms))?;
    if webhook.kinds.iter().any(|kind| kind.is_empty() || kind.contains(',')) {
        return Err(StoreError::Refused("the name of a kind is not empty and has no comma".into()));
    }
    let kinds = webhook.kinds.iter().map(String::as_str);
    texts(kinds.chain([&*webhook.url]).chain(webhook.disabled.as_deref()))
}

/// Why an endpoint was not kept.
pub fn taken_webhook(id: WebhookId) -> StoreError {
    StoreError::Refused(format!("the id {id} is taken"))
}

/// Whether it can be written how far an endpoint is told.
pub fn webhook_progress(progress: &WebhookProgress) -> Result<(), StoreError> {
    time(progress.cursor_at_ms)?;
    progress.replay.iter().try_for_each(webhook_replay)?;
    texts(progress.cursor.as_deref())
}

/// Whether a replay can be written.
pub fn webhook_replay(replay: &WebhookReplay) -> Result<(), StoreError> {
    time(replay.from_ms)?;
    time(replay.until_ms)?;
    texts(replay.after.as_deref().into_iter().chain(replay.only.as_deref()))
}

/// Whether a failure can be written.
pub fn webhook_failure(failure: &WebhookFailure) -> Result<(), StoreError> {
    time(failure.happened_at_ms)?;
    failure.next_at_ms.map_or(Ok(0), time)?;
    texts([&*failure.event, &failure.kind, &failure.last_error].into_iter().chain(failure.after.as_deref()))
}

/// Whether a lease can be written.
pub fn webhook_lease(lease: &WebhookLease) -> Result<(), StoreError> {
    if lease.holder == 0 {
        return Err(StoreError::Refused("0 is nobody, and has no lease".into()));
    }
    [lease.holder, lease.until_ms].into_iter().try_for_each(|number| time(number).map(drop))
}

/// Whether what was done can be written down.
pub fn webhook_step(step: &WebhookStep) -> Result<(), StoreError> {
    webhook_progress(&step.progress)?;
    step.failed.iter().try_for_each(webhook_failure)?;
    texts(step.settled.iter().map(String::as_str))
}

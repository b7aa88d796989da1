//! Send: every default is decided and every rule checked here, then the ledger writes the
//! packet and debits the sender in one transaction, and the cache gets its counter.

use std::collections::BinaryHeap;

use crate::Host;
use crate::allocation::check;
use crate::bindings::exports::hongbao::plugin::packets::{Request, SendError, Sent};
use crate::bindings::hongbao::plugin::ledger::{Order, Recorded};
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Audience, Error, UserId};
use crate::cache::opening;
use crate::chat::quote;
use crate::host::{Counter, Ledger};

/// The longest name of a user, room or key, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// Sends a packet, once for each key of its sender.
pub fn send(host: &impl Host, request: Request) -> Result<Sent, SendError> {
    let order = order(request, &host.limits()).map_err(SendError::InvalidArgument)?;
    let recorded = host.ledger().record(&order).map_err(|error| match error {
        Error::Busy => SendError::Busy,
        Error::Unavailable => SendError::Unavailable,
        Error::Other(why) => SendError::Other(why),
    })?;
    match recorded {
        Recorded::Recorded(receipt) => {
            let opening = opening(host.now_ms(), receipt.expires_at_ms, order.audience, order.shares, None);
            // Should the cache be away, the first grab builds the counter from the ledger.
            let _ = host.counter().open(receipt.id, &opening);
            Ok(Sent::Sent(receipt.id))
        }
        Recorded::Replayed(receipt) => Ok(Sent::Replayed(receipt.id)),
        Recorded::KeyReused => Err(SendError::KeyReused),
        Recorded::InsufficientFunds(balance) => Err(SendError::InsufficientFunds(balance)),
    }
}

/// The order that a request comes to, or the sentence that says which rule it breaks.
fn order(request: Request, limits: &Limits) -> Result<Order, String> {
    name("key", &request.key)?;
    name("room", &request.room)?;
    name("sender", &request.sender)?;
    greeting(&request.greeting, limits)?;
    let strategy = request.strategy.unwrap_or(limits.default_strategy);
    check(strategy, request.total, request.shares, limits)?;
    let expires_in_ms = request.expires_in_ms.unwrap_or(limits.default_expires_in_ms);
    if expires_in_ms == 0 || expires_in_ms > limits.max_expires_in_ms {
        let most = limits.max_expires_in_ms;
        return Err(format!("expires_in_ms must be between 1 and {most}, not {expires_in_ms}"));
    }
    let audience = audience(request.to, &request.sender, request.shares, limits)?;
    Ok(Order {
        key: request.key,
        room: request.room,
        sender: request.sender,
        strategy,
        total: request.total,
        shares: request.shares,
        audience,
        greeting: request.greeting,
        expires_in_ms,
    })
}

fn name(what: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || value.len() > MAX_NAME_BYTES {
        return Err(format!("{what} must be 1 to {MAX_NAME_BYTES} bytes, not {}", value.len()));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{what} must not contain control characters"));
    }
    Ok(())
}

fn greeting(greeting: &str, limits: &Limits) -> Result<(), String> {
    let (length, most) = (greeting.chars().count(), limits.max_greeting_chars as usize);
    if length > most {
        return Err(format!("greeting must be at most {most} characters, not {length}"));
    }
    if greeting.chars().any(char::is_control) {
        return Err("greeting must not contain control characters".into());
    }
    Ok(())
}

/// Money for somebody who cannot claim it would be stuck until the packet expires, so a packet
/// that cannot be claimed whole is refused.
fn audience(to: Vec<UserId>, sender: &UserId, shares: u32, limits: &Limits) -> Result<Audience, String> {
    if to.is_empty() {
        return Ok(match limits.sender_may_grab {
            true => Audience::Everyone,
            false => Audience::EveryoneBut(sender.clone()),
        });
    }
    // A heap, whose code is a tenth of what `sort` would add to the component.
    let sorted = to.iter().collect::<BinaryHeap<_>>().into_sorted_vec();
    for (index, user) in sorted.iter().enumerate() {
        name("a user in to", user)?;
        if index > 0 && sorted.get(index - 1) == Some(user) {
            return Err(format!("to names {} twice", quote(user)));
        }
    }
    if !limits.sender_may_grab && to.contains(sender) {
        return Err("to names the sender, who may not take a share".into());
    }
    if to.len() > limits.max_shares as usize {
        return Err(format!("to may name at most {} users, not {}", limits.max_shares, to.len()));
    }
    if (shares as usize) > to.len() {
        return Err(format!("{shares} shares cannot all be claimed by the {} users in to", to.len()));
    }
    Ok(Audience::Only(to))
}

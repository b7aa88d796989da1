//! Send: every default is decided and every rule checked here, then the ledger writes the packet and debits the
//! sender in one transaction.

use crate::Host;
use crate::allocation::{Strategy, check};
use crate::bindings::exports::hongbao::plugin::packets::Request;
use crate::bindings::hongbao::plugin::ledger::{Audience, Order};
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::host::Ledger;

/// Sends a packet, or says which rule the request breaks. What the ledger answered, the host knows.
pub fn send(host: &impl Host, request: &Request) -> Result<(), String> {
    let wanted = Wanted {
        strategy: request.strategy.as_deref(),
        total: request.total,
        shares: request.shares,
        to: request.to.len(),
        to_sender: request.to.contains(&request.sender),
        greeting: &request.greeting,
        expires_in_ms: request.expires_in_ms,
    };
    let order = wanted.order(&host.limits())?;
    host.ledger().record(&order);
    Ok(())
}

/// A packet as somebody wants it.
pub(crate) struct Wanted<'a> {
    /// None takes the policy's default.
    pub(crate) strategy: Option<&'a str>,
    pub(crate) total: u64,
    pub(crate) shares: u32,
    /// How many users it is for; 0 for everybody.
    pub(crate) to: usize,
    /// Whether the sender is among them.
    pub(crate) to_sender: bool,
    pub(crate) greeting: &'a str,
    /// None takes the policy's default.
    pub(crate) expires_in_ms: Option<u64>,
}

impl Wanted<'_> {
    /// The order that it comes to, or the sentence that says which rule it breaks.
    pub(crate) fn order(&self, limits: &Limits) -> Result<Order, String> {
        greeting(self.greeting, limits)?;
        let strategy = Strategy::named(self.strategy.unwrap_or(&limits.default_strategy))?;
        check(strategy, self.total, self.shares, limits)?;
        let expires_in_ms = self.expires_in_ms.unwrap_or(limits.default_expires_in_ms);
        if expires_in_ms == 0 || expires_in_ms > limits.max_expires_in_ms {
            let most = limits.max_expires_in_ms;
            return Err(format!("expires_in_ms must be between 1 and {most}, not {expires_in_ms}"));
        }
        Ok(Order {
            strategy: strategy.name().into(),
            total: self.total,
            shares: self.shares,
            max_share: limits.max_share,
            audience: self.audience(limits)?,
            greeting: self.greeting.into(),
            expires_in_ms,
        })
    }

    /// Money for somebody who cannot claim it would be stuck until the packet expires, so a packet
    /// that cannot be claimed whole is refused.
    fn audience(&self, limits: &Limits) -> Result<Audience, String> {
        let (to, shares) = (self.to, self.shares);
        if to == 0 {
            return Ok(match limits.sender_may_grab {
                true => Audience::Everyone,
                false => Audience::EveryoneButSender,
            });
        }
        if !limits.sender_may_grab && self.to_sender {
            return Err("to names the sender, who may not take a share".into());
        }
        if to > limits.max_shares as usize {
            return Err(format!("to may name at most {} users, not {to}", limits.max_shares));
        }
        if (shares as usize) > to {
            return Err(format!("{shares} shares cannot all be claimed by the {to} users in to"));
        }
        Ok(Audience::Only((0..to as u32).collect()))
    }
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

//! A tenant's limits and defaults.

use super::{Amount, Order, Strategy};

/// What a tenant allows and what it takes for granted. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// ISO 4217 code.
    pub currency: String,
    /// Digits after the decimal point when amounts are written: 2 for CNY, 0 for JPY.
    pub currency_digits: u8,
    /// Most shares of one packet.
    pub max_shares: u32,
    /// The most that one share can be.
    pub max_share: Amount,
    /// Longest greeting, in characters.
    pub max_greeting_chars: u32,
    /// Taken where a request names none.
    pub default_strategy: Strategy,
    /// Taken where a request names none.
    pub default_expires_in_ms: u64,
    /// Longest life of a packet.
    pub max_expires_in_ms: u64,
    /// Claims from this amount on are settled first.
    pub large_from: Amount,
    /// Whether senders may take a share of their own packets.
    pub sender_may_grab: bool,
    /// Life of a seat that is not opened.
    pub lease_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        Self {
            currency: "CNY".into(),
            currency_digits: 2,
            max_shares: 100,
            max_share: Amount::new(20_000).unwrap_or(Amount::MAX),
            max_greeting_chars: 200,
            default_strategy: Strategy::DoubleAverage,
            default_expires_in_ms: DAY_MS,
            max_expires_in_ms: 30 * DAY_MS,
            large_from: Amount::new(10_000).unwrap_or(Amount::MAX),
            sender_may_grab: true,
            lease_ms: 60_000,
        }
    }
}

impl Policy {
    /// Whether a packet may be like this; otherwise the rule that it breaks, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, order: &Order) -> Result<(), String> {
        let most = u128::from(self.max_share.get()) * u128::from(order.shares);
        let greeting = order.greeting.chars().count();
        if order.shares == 0 || order.shares > self.max_shares {
            return Err(format!("a packet has 1 to {} shares, not {}", self.max_shares, order.shares));
        }
        if u128::from(order.total.get()) > most {
            return Err(format!("{} shares come to at most {most}, not {}", order.shares, order.total));
        }
        if greeting > self.max_greeting_chars as usize {
            return Err(format!(
                "a greeting has at most {} characters, not {greeting}",
                self.max_greeting_chars
            ));
        }
        if order.expires_in_ms == 0 || order.expires_in_ms > self.max_expires_in_ms {
            return Err(format!(
                "a packet lives 1 to {} ms, not {}",
                self.max_expires_in_ms, order.expires_in_ms
            ));
        }
        Ok(())
    }
}

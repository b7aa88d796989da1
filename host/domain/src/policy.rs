//! A tenant's limits and defaults.

use serde::{Deserialize, Serialize};

use super::{Amount, Currency, Order, Strategy, counted};

/// Limits and defaults for packets. Amounts in minor units, times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Policy {
    /// ISO 4217 code.
    pub currency: String,
    /// Digits after the decimal point when amounts are written: 2 for CNY, 0 for JPY.
    #[cfg_attr(feature = "schema", schema(maximum = 8))]
    pub currency_digits: u8,
    /// Most shares of one packet.
    pub max_shares: u32,
    /// The most that one share can be.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub max_share: Amount,
    /// Longest greeting, in characters.
    pub max_greeting_chars: u32,
    /// Taken where a request names none. Where the plugin has no such strategy, its first one is taken.
    pub default_strategy: Strategy,
    /// Taken where a request names none.
    pub default_expires_in_ms: u64,
    /// Longest life of a packet.
    pub max_expires_in_ms: u64,
    /// Claims from this amount on are settled first.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
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
            default_strategy: Strategy::DOUBLE_AVERAGE,
            default_expires_in_ms: DAY_MS,
            max_expires_in_ms: 30 * DAY_MS,
            large_from: Amount::new(10_000).unwrap_or(Amount::MAX),
            sender_may_grab: true,
            lease_ms: 60_000,
        }
    }
}

impl Policy {
    /// Whether a policy can be kept; otherwise what is wrong with it, in a sentence.
    pub(super) fn validate(&self) -> Result<(), String> {
        const MOST_SHARES: u32 = 1_000_000;
        const MOST_DIGITS: u8 = 8;
        let is_currency = (3..=12).contains(&self.currency.len())
            && self.currency.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let rules = [
            (is_currency, "currency must be 3 to 12 capital letters or digits, such as CNY"),
            (self.currency_digits <= MOST_DIGITS, "currency_digits must be at most 8"),
            ((1..=MOST_SHARES).contains(&self.max_shares), "max_shares must be 1 to 1000000"),
            (self.max_share.get() >= 1, "max_share must be at least 1"),
            (self.large_from.get() >= 1, "large_from must be at least 1"),
            (self.max_greeting_chars <= 1_000, "max_greeting_chars must be at most 1000"),
            (self.default_expires_in_ms >= 1, "default_expires_in_ms must be at least 1"),
            (
                self.default_expires_in_ms <= self.max_expires_in_ms,
                "default_expires_in_ms must not be above max_expires_in_ms",
            ),
            (self.max_expires_in_ms <= 366 * 86_400_000, "max_expires_in_ms must be at most a year"),
            ((1_000..=3_600_000).contains(&self.lease_ms), "lease_ms must be from a second to an hour"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(rule.into()))
    }

    /// Whether a packet may be like this; otherwise the rule that it breaks, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, order: &Order) -> Result<(), String> {
        let most = u128::from(order.max_share.get()) * u128::from(order.shares);
        let greeting = order.greeting.chars().count();
        if order.shares == 0 || order.shares > self.max_shares {
            return Err(format!("a packet has 1 to {} shares, not {}", self.max_shares, order.shares));
        }
        if order.max_share > self.max_share {
            let (most, found) = (self.max_share.get(), order.max_share.get());
            return Err(format!("a share is at most {most}, not {found}"));
        }
        if u128::from(order.total.get()) > most {
            let money = |minor: u128| Currency::from(self).show(i128::try_from(minor).unwrap_or(i128::MAX));
            let (most, total) = (money(most), money(order.total.get().into()));
            let shares = counted(order.shares.into(), "share comes", "shares come");
            return Err(format!("{shares} to at most {most}, not {total}"));
        }
        if greeting > self.max_greeting_chars as usize {
            return Err(format!(
                "a greeting has at most {} characters, not {greeting}",
                self.max_greeting_chars
            ));
        }
        if order.greeting.chars().any(char::is_control) {
            return Err("a greeting is one line of plain text".into());
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

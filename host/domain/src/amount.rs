//! `Amount`: money as a checked integer in minor units.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// Money in minor units of the tenant's currency (fen for CNY): an integer between 0 and
/// [`Amount::MAX`]. There is no fraction, no negative amount and no unchecked arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

/// A number that is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountError(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 2^63 - 1, since every store keeps signed 64-bit integers.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// An amount of so many minor units.
    ///
    /// # Errors
    /// When `minor` is above [`Amount::MAX`].
    pub const fn new(minor: u64) -> Result<Self, AmountError> {
        if minor > Self::MAX.0 { Err(AmountError(minor)) } else { Ok(Self(minor)) }
    }

    /// Minor units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Minor units, as the stores keep them.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// The sum, or None where it would pass [`Amount::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The difference, or None where it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u64> for Amount {
    type Error = AmountError;
    fn try_from(minor: u64) -> Result<Self, AmountError> {
        Self::new(minor)
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;
    fn try_from(minor: i64) -> Result<Self, AmountError> {
        u64::try_from(minor).map(Self).map_err(|_| AmountError(minor.cast_unsigned()))
    }
}

/// The sum of many, too large for an [`Amount`] perhaps.
impl Sum<Amount> for u128 {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Self {
        amounts.map(|amount| Self::from(amount.0)).sum()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no amount: it must be between 0 and {} minor units", self.0, Amount::MAX)
    }
}

impl std::error::Error for AmountError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_both_ends() {
        let one = Amount::new(1).unwrap();
        assert_eq!(Amount::MAX.checked_add(one), None);
        assert_eq!(Amount::ZERO.checked_sub(one), None);
        assert_eq!(one.checked_add(one).map(Amount::get), Some(2));
        assert_eq!(Amount::new(u64::MAX), Err(AmountError(u64::MAX)));
        assert!(Amount::try_from(-1_i64).is_err());
    }
}

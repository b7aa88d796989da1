//! Grants: the interfaces of the host that a plugin may call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An interface of the host that has to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// The cache.
    Counter,
    /// The truth, and the money in it.
    Ledger,
    /// The names of those who tapped.
    Users,
    /// Randomness.
    Entropy,
    /// Time.
    Clock,
    /// Lines for the operator.
    Log,
    /// The tenant's limits and defaults.
    Policy,
}

impl Grant {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 7] =
        [Self::Counter, Self::Ledger, Self::Users, Self::Entropy, Self::Clock, Self::Log, Self::Policy];

    /// The interface's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Ledger => "ledger",
            Self::Users => "users",
            Self::Entropy => "entropy",
            Self::Clock => "clock",
            Self::Log => "log",
            Self::Policy => "policy",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no grant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownGrant(String);

impl fmt::Display for UnknownGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: String = self.0.chars().take(64).collect();
        write!(f, "{name:?} is no grant; there are {}", Grants::ALL)
    }
}

impl std::error::Error for UnknownGrant {}

impl FromStr for Grant {
    type Err = UnknownGrant;
    fn from_str(name: &str) -> Result<Self, UnknownGrant> {
        let known = Self::ALL.into_iter().find(|grant| grant.name() == name);
        known.ok_or_else(|| UnknownGrant(name.into()))
    }
}

/// A set of grants. Empty by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<&str>")]
pub struct Grants(u8);

impl Grants {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, grant: Grant) -> bool {
        self.0 & grant.bit() != 0
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL.into_iter().filter(move |grant| self.has(*grant))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().fold(0, |bits, grant| bits | grant.bit()))
    }
}

impl TryFrom<Vec<String>> for Grants {
    type Error = UnknownGrant;
    fn try_from(names: Vec<String>) -> Result<Self, UnknownGrant> {
        names.iter().map(|name| name.parse()).collect()
    }
}

impl From<Grants> for Vec<&'static str> {
    fn from(grants: Grants) -> Self {
        grants.iter().map(Grant::name).collect()
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.iter().map(Grant::name).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let some: Grants = [Grant::Ledger, Grant::Log].into_iter().collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Grant::Ledger, Grant::Log]);
        assert_eq!(Grants::ALL.iter().count(), Grant::ALL.len());
        assert_eq!(Grants::ALL.without(some).to_string(), "counter, users, entropy, clock, policy");
        assert_eq!(some.and(Grants::NONE), Grants::default());
        assert_eq!(Grants::NONE.to_string(), "none");
    }

    #[test]
    fn names_are_those_of_the_interfaces() {
        for grant in Grant::ALL {
            assert_eq!(grant.name().parse(), Ok(grant));
        }
        let unknown = "network".parse::<Grant>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            "\"network\" is no grant; there are counter, ledger, users, entropy, clock, log, policy"
        );
    }
}

//! API keys and their scopes: who may call a service, and which operations.

use std::fmt;
use std::str::FromStr;

use super::{IdError, Name, TenantId, UserId};

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Calls on behalf of members: packets, rooms, wallets to look at.
    Member,
    /// Crediting wallets from outside.
    Fund,
    /// A tenant's administration: keys, plugins, audits.
    Admin,
    /// The service itself: which tenants there are, and what each may do.
    Operator,
    /// Taking money out of wallets, and saying how that ended. Behind the others, since stores keep places.
    Withdraw,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Member, Self::Fund, Self::Admin, Self::Operator, Self::Withdraw];

    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Fund => "fund",
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Withdraw => "withdraw",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no scope's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownScope(String);

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: String = self.0.chars().take(64).collect();
        write!(f, "{name:?} is no scope; there are member, fund, admin, operator and withdraw")
    }
}

impl std::error::Error for UnknownScope {}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| UnknownScope(name.into()))
    }
}

/// A set of scopes. Empty by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, the least first.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// As stores keep them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// As stores keep them; None where there is a scope that nobody knows.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 1 << Scope::ALL.len() { Some(Self(bits)) } else { None }
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

/// The part of an API key that is no secret: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As stores keep it.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// As stores keep it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(IdError::NotKey)
    }
}

/// An API key as it is kept: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is; None for the operator's.
    pub tenant: Option<TenantId>,
    /// The only user whom it may act for; None for whomever the platform names.
    pub user: Option<UserId>,
    /// For people, to tell keys apart.
    pub label: Name,
    /// What it may be used for.
    pub scopes: Scopes,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at_ms: u64,
    /// From when on it is refused; None for never.
    pub expires_at_ms: Option<u64>,
    /// Since when it is refused; None where it was not revoked.
    pub revoked_at_ms: Option<u64>,
}

impl ApiKey {
    /// Whether it opens anything at this time.
    #[must_use]
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.revoked_at_ms.is_none() && self.expires_at_ms.is_none_or(|at| now_ms < at)
    }
}

/// Who suspended a tenant. The two are told apart, so that neither lifts what the other said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspension {
    /// The operator did.
    pub by_operator: bool,
    /// The tenant's own administrator did.
    pub by_tenant: bool,
}

impl Suspension {
    /// Whether anybody did.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.by_operator || self.by_tenant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_named_and_kept_as_bits() {
        let scopes: Scopes = [Scope::Admin, Scope::Member].into_iter().collect();
        assert_eq!(scopes.to_string(), "member, admin");
        assert_eq!(Scopes::from_bits(scopes.bits()), Some(scopes));
        assert_eq!(Scopes::from_bits(32), None);
        // What stored keys say must never come to mean something else.
        let kept: Vec<u8> = Scope::ALL.iter().map(|scope| Scopes::from_iter([*scope]).bits()).collect();
        assert_eq!(kept, [1, 2, 4, 8, 16], "member, fund, admin, operator, withdraw");
        assert_eq!(Scopes::default().to_string(), "none");
        assert!(Scope::ALL.iter().all(|scope| scope.name().parse() == Ok(*scope)));
    }

    #[test]
    fn a_key_ends_at_its_time_and_when_it_is_revoked() {
        let key = ApiKey {
            id: KeyId::new(0xab),
            tenant: None,
            user: None,
            label: Name::new("ci").unwrap(),
            scopes: Scopes::default(),
            hash: [0; 32],
            created_at_ms: 1,
            expires_at_ms: Some(10),
            revoked_at_ms: None,
        };
        assert!(key.is_valid(9) && !key.is_valid(10));
        assert!(!ApiKey { revoked_at_ms: Some(2), ..key.clone() }.is_valid(3));
        assert_eq!(key.id.to_string(), "00000000000000ab");
        assert_eq!("00000000000000ab".parse(), Ok(key.id));
        assert_eq!("+0000000000000ab".parse::<KeyId>(), Err(IdError::NotKey));
    }
}

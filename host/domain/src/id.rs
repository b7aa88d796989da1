//! Identifiers, one type for each kind.
//!
//! Names are the platform's. They are opaque and compared byte by byte: no case is folded, no Unicode
//! normalised, no space trimmed, so `é` in one code point and in two are two users. Marks of direction
//! and other invisible characters are taken as they are; who shows a name isolates it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name of a user, a room or a key, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Empty, or longer than 256 bytes.
    Length(usize),
    /// Longer than 256 bytes, where nothing may be said.
    TooLong(usize),
    /// Contains a control character.
    Control,
    /// Would be a step in a path: `.`, `..`, or one of them with `%2e` for a dot.
    Dots,
    /// Not the 32 hexadecimal digits of a packet or a withdrawal.
    NotHex,
    /// Not the 16 hexadecimal digits of an API key or of a webhook.
    NotKey,
    /// Not the two numbers of an event.
    NotEvent,
    /// Not an event of money, as its id is written.
    NotMoneyEvent,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "must be 1 to {MAX_NAME_BYTES} bytes, not {bytes}"),
            Self::TooLong(bytes) => write!(f, "must be at most {MAX_NAME_BYTES} bytes, not {bytes}"),
            Self::Control => f.write_str("must not contain control characters"),
            Self::Dots => f.write_str("must not be `.` or `..`, which lead elsewhere in a path"),
            Self::NotHex => f.write_str("must be a UUID"),
            Self::NotKey => f.write_str("must be 16 hexadecimal digits"),
            Self::NotMoneyEvent => f.write_str("must be the id of an event as it was given"),
            Self::NotEvent => f.write_str("must be two numbers with a hyphen between them"),
        }
    }
}

impl std::error::Error for IdError {}

fn check_name(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES {
        return Err(IdError::Length(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    if is_dots(text) {
        return Err(IdError::Dots);
    }
    Ok(())
}

/// Whether a URL's path would lose a segment of this name: clients and proxies take `.` and `..` out, as
/// RFC 3986 wants it, and also where a dot is written as `%2e`, as the URL standard of browsers has it.
fn is_dots(text: &str) -> bool {
    const LONGEST: usize = "%2e%2e".len();
    text.len() <= LONGEST
        && text.starts_with(['.', '%'])
        && [".", ".."].contains(&&*text.to_ascii_lowercase().replace("%2e", "."))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Of this name.
            ///
            /// # Errors
            /// When the name is empty, too long, has control characters, or is `.` or `..`.
            pub fn new(name: impl Into<String>) -> Result<Self, IdError> {
                let name = name.into();
                check_name(&name)?;
                Ok(Self(name))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name, given away.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// A user as the chat platform names them: 1 to 256 bytes, no control characters.
    UserId
}

name_type! {
    /// A room's or a key's name: the same rule as a user's.
    Name
}

/// What a platform notes of a withdrawal for itself, such as its bank's number: at most 256 bytes, no control
/// characters. It may be empty, and says nothing to the books.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Reference {
    /// Of this text.
    ///
    /// # Errors
    /// When the text is too long or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        if text.len() > MAX_NAME_BYTES {
            return Err(IdError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::Control);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A customer of the host. Chosen by the operator, never seen by a plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// A tenant of this name.
    ///
    /// # Errors
    /// When the name is empty, too long, has control characters, or is `.` or `..`.
    pub fn new(name: &str) -> Result<Self, IdError> {
        check_name(name)?;
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    /// The one tenant of an embedded host.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(u128);

        impl $type {
            /// The id of what begins at this time. `random` fills the bits that are not time.
            #[must_use]
            pub fn new(now_ms: u64, random: u128) -> Self {
                const VERSION_7: u128 = 7 << 76;
                const VARIANT: u128 = 0b10 << 62;
                const RANDOM: u128 = (0xfff << 64) | ((1 << 62) - 1);
                let time = u128::from(now_ms & 0xffff_ffff_ffff) << 80;
                Self(time | VERSION_7 | VARIANT | (random & RANDOM))
            }

            /// From the 16 bytes that stores keep.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// The 16 bytes that stores keep, most significant first.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(self.0, f)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                read_uuid(text).map(Self)
            }
        }
    };
}

fn write_uuid(n: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (time_high, time_low) = (n >> 96, (n >> 80) & 0xffff);
    let (version, variant) = ((n >> 64) & 0xffff, (n >> 48) & 0xffff);
    write!(f, "{time_high:08x}-{time_low:04x}-{version:04x}-{variant:04x}-{:012x}", n & 0xffff_ffff_ffff)
}

fn read_uuid(text: &str) -> Result<u128, IdError> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_hex = digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
    number.ok_or(IdError::NotHex)
}

uuid_type! {
    /// A packet's identity: a UUID of version 7 (RFC 9562), so that ids sort by time of sending.
    PacketId
}

uuid_type! {
    /// A withdrawal's identity: a UUID of version 7, so that ids sort by the time of the request.
    WithdrawalId
}

impl PacketId {
    /// From its two halves.
    #[must_use]
    pub const fn from_halves(high: u64, low: u64) -> Self {
        Self(((high as u128) << 64) | low as u128)
    }

    /// Its two halves.
    #[must_use]
    pub const fn halves(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }
}

/// A packet of a tenant: what every store files things under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketKey {
    /// Added by the host; a plugin cannot name it.
    pub tenant: TenantId,
    /// Named by the plugin.
    pub packet: PacketId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_id_is_a_uuid_of_version_7_that_sorts_by_time() {
        let id = PacketId::new(0x0123_4567_89ab, u128::MAX);
        assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(PacketId::from_bytes(id.to_bytes()), id);
        let (high, low) = id.halves();
        assert_eq!(PacketId::from_halves(high, low), id);
        assert!(PacketId::new(2, 0) > PacketId::new(1, u128::MAX));
        assert_eq!("+1234567-89ab-7fff-bfff-ffffffffffff".parse::<PacketId>(), Err(IdError::NotHex));
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(UserId::new("微信").is_ok());
        assert_eq!(UserId::new(""), Err(IdError::Length(0)));
        assert_eq!(UserId::new("x".repeat(257)), Err(IdError::Length(257)));
        assert_eq!(UserId::new("a\u{7}b"), Err(IdError::Control));
        assert_eq!(UserId::new("x".repeat(256)).unwrap().as_str().len(), 256);
        for name in ["a\0b", "\0", "a\nb", "a\rb", "\u{7f}", "a\u{85}"] {
            assert_eq!(UserId::new(name), Err(IdError::Control), "{name:?}");
        }
    }

    #[test]
    fn a_reference_may_be_empty_and_is_short_and_printable() {
        assert_eq!(Reference::new("").unwrap(), Reference::default());
        assert_eq!(Reference::new("..").unwrap().as_str(), "..", "it is no step in a path");
        assert_eq!(Reference::new("x".repeat(256)).unwrap().as_str().len(), 256);
        assert_eq!(Reference::new("x".repeat(257)), Err(IdError::TooLong(257)));
        assert_eq!(Reference::new("a\0b"), Err(IdError::Control));
    }

    #[test]
    fn names_are_no_steps_in_a_path() {
        for name in [".", "..", "%2e", "%2E", "%2e%2e", "%2E.", ".%2e", "%2e%2E"] {
            assert_eq!(UserId::new(name), Err(IdError::Dots), "{name}");
            assert_eq!(Name::new(name), Err(IdError::Dots), "{name}");
            assert_eq!(TenantId::new(name), Err(IdError::Dots), "{name}");
        }
        for name in ["...", "..a", "a..", ".a", "a/..", "../..", "%2e%2e%2e", "%2f", "。", "．．"] {
            assert!(UserId::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_are_compared_byte_by_byte() {
        let names = ["é", "e\u{301}", "É", " é", "é ", "é\u{202e}", "é\u{200d}"];
        let different: std::collections::BTreeSet<_> =
            names.iter().map(|name| UserId::new(*name).unwrap()).collect();
        assert_eq!(different.len(), names.len());
    }
}

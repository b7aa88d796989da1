//! Events of a room. They may be lost, and are no source of truth: a reader who missed one queries the
//! ledger how things stand.

use std::fmt;
use std::str::FromStr;

use super::{Amount, IdError, Name, PacketId, TenantId, UserId};

/// A room of a tenant: what events are filed under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomKey {
    /// Whose room it is.
    pub tenant: TenantId,
    /// As the platform names it.
    pub room: Name,
}

/// The place of an event in its room: rises with every event, in the order of posting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// When it was posted; at least that of the event before it.
    pub ms: u64,
    /// Among those of the same instant, from 0.
    pub sequence: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

impl FromStr for EventId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = |text: &str| {
            let is_number = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let (ms, sequence) = text.split_once('-').ok_or(IdError::NotEvent)?;
        Ok(Self {
            ms: number(ms).ok_or(IdError::NotEvent)?,
            sequence: number(sequence).ok_or(IdError::NotEvent)?,
        })
    }
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody said something that is no command.
    Message {
        /// The platform's id of the message.
        id: Name,
        /// Who said it.
        sender: UserId,
        /// What was said.
        text: String,
    },
    /// How a packet stands now.
    Packet(PacketEvent),
}

/// How a packet stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketEvent {
    /// Which packet.
    pub packet: PacketId,
    /// The packet's version in the ledger: of two events about a packet, the higher is the later.
    pub version: u64,
    /// Who sent it.
    pub sender: UserId,
    /// How many shares it has.
    pub shares: u32,
    /// How many are claimed.
    pub claimed_shares: u32,
    /// What became of it.
    pub news: News,
}

/// What is new about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It was sent.
    Sent {
        /// When it ends.
        expires_at_ms: u64,
    },
    /// Shares were claimed, and some are left.
    Progress,
    /// Every share is claimed.
    Finished {
        /// The whole packet.
        total: Amount,
        /// Who was luckiest: the largest claim, of equal ones the first.
        best: UserId,
        /// With how much.
        best_amount: Amount,
        /// From the sending to the last claim.
        took_ms: u64,
    },
    /// Its time is over.
    Expired {
        /// What went back to the sender.
        refunded: Amount,
    },
}

impl Event {
    /// The name in every interface.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Packet(PacketEvent { news, .. }) => match news {
                News::Sent { .. } => "sent",
                News::Progress => "progress",
                News::Finished { .. } => "finished",
                News::Expired { .. } => "expired",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_two_numbers_that_sort() {
        let id = EventId { ms: 1_700_000_000_000, sequence: 7 };
        assert_eq!(id.to_string(), "1700000000000-7");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id < EventId { ms: id.ms, sequence: 10 } && id < EventId { ms: id.ms + 1, sequence: 0 });
        for text in ["", "1", "-", "1-", "-1", "+1-2", "1-99999999999999999999", "1-2-3", "1 -2"] {
            assert_eq!(text.parse::<EventId>(), Err(IdError::NotEvent), "{text}");
        }
    }
}

//! Events of money: what a tenant's ledger holds, told in the order of its transactions. A movement or a claim is the
//! event; nothing is written beside it, so none can be lost and none told that did not happen.

use std::fmt;
use std::str::FromStr;

use super::{Amount, IdError, MovementKind, Name, PacketId, UserId, WithdrawalId};

/// Something that happened to money, as the ledger holds it for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyEvent {
    /// Its place among the events of its tenant.
    pub id: MoneyEventId,
    /// When, by the host's clock, in milliseconds since the Unix epoch. Of two events the later in order may have the
    /// earlier time: hosts have clocks of their own.
    pub at_ms: u64,
    /// What it was.
    pub what: MoneyEventKind,
}

/// What happened to money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyEventKind {
    /// A wallet was credited from outside.
    Funded {
        /// Whose wallet.
        user: UserId,
        /// How much.
        amount: Amount,
    },
    /// A packet was sent, and its sender's wallet debited.
    Sent {
        /// Which packet.
        packet: PacketId,
        /// Who sent it.
        sender: UserId,
        /// What it holds.
        total: Amount,
        /// The rest of what was ordered.
        terms: Terms,
    },
    /// Somebody claimed a share of a packet. Their wallet is credited when it is settled.
    Claimed {
        /// Of which packet.
        packet: PacketId,
        /// Who.
        user: UserId,
        /// How much.
        amount: Amount,
        /// The claim's number in its packet, from 1.
        sequence: u32,
    },
    /// A claim reached its owner's wallet.
    Settled {
        /// Of which packet.
        packet: PacketId,
        /// Whose wallet.
        user: UserId,
        /// How much.
        amount: Amount,
    },
    /// What was left of a packet at the end of its time went back to its sender.
    Refunded {
        /// Of which packet.
        packet: PacketId,
        /// Who sent it.
        sender: UserId,
        /// How much.
        amount: Amount,
    },
    /// Money was taken out of a wallet, to go outside: it is held.
    Withdrawn {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Out of whose wallet.
        user: UserId,
        /// How much.
        amount: Amount,
    },
    /// Money that was held went outside.
    Completed {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Out of whose wallet it was taken.
        user: UserId,
        /// How much.
        amount: Amount,
    },
    /// Money that was held came back to its wallet.
    Cancelled {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Whose wallet.
        user: UserId,
        /// How much.
        amount: Amount,
    },
}

/// What an event of a packet that was sent tells of its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// In which room.
    pub room: Name,
    /// In how many shares.
    pub shares: u32,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// What its sender wished; may be empty.
    pub greeting: String,
}

/// A movement as the ledger holds it, which an event is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The number that orders the transactions of the ledger.
    pub place: u64,
    /// The movement's number.
    pub id: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Why.
    pub kind: MovementKind,
    /// Of which packet, if of one.
    pub packet: Option<PacketId>,
    /// Of which withdrawal, if of one.
    pub withdrawal: Option<WithdrawalId>,
    /// Whose wallet it was.
    pub user: UserId,
    /// How much.
    pub amount: Amount,
    /// Of a packet that was sent.
    pub terms: Option<Terms>,
}

impl MoneyEvent {
    /// What a movement tells; None where what its kind needs is missing.
    #[must_use]
    pub fn moved(moved: Moved) -> Option<Self> {
        let Moved { place, id, at_ms, kind, packet, withdrawal, user, amount, terms } = moved;
        let (within, what) = match kind {
            MovementKind::Fund => (Within::Before(id), MoneyEventKind::Funded { user, amount }),
            MovementKind::Send => {
                let (packet, terms) = (packet?, terms?);
                (Within::Before(id), MoneyEventKind::Sent { packet, sender: user, total: amount, terms })
            }
            MovementKind::Settle => {
                (Within::After(id), MoneyEventKind::Settled { packet: packet?, user, amount })
            }
            MovementKind::Refund => {
                (Within::After(id), MoneyEventKind::Refunded { packet: packet?, sender: user, amount })
            }
            MovementKind::Withdraw => {
                (Within::Before(id), MoneyEventKind::Withdrawn { withdrawal: withdrawal?, user, amount })
            }
            MovementKind::Complete => {
                (Within::After(id), MoneyEventKind::Completed { withdrawal: withdrawal?, user, amount })
            }
            MovementKind::Cancel => {
                (Within::After(id), MoneyEventKind::Cancelled { withdrawal: withdrawal?, user, amount })
            }
        };
        Some(Self::new(place, within, at_ms, what))
    }

    /// What a claim tells. `place` is the number that orders the transactions of the ledger.
    #[must_use]
    pub fn claimed(place: u64, packet: PacketId, claim: super::Claim) -> Self {
        let super::Claim { user, amount, sequence, claimed_at_ms } = claim;
        let what = MoneyEventKind::Claimed { packet, user, amount, sequence };
        Self::new(place, Within::Claim { packet, sequence }, claimed_at_ms, what)
    }

    fn new(place: u64, within: Within, at_ms: u64, what: MoneyEventKind) -> Self {
        let check = what.check(at_ms);
        Self { id: MoneyEventId { place, within, check }, at_ms, what }
    }
}

impl MoneyEventKind {
    /// The names of all kinds, in every interface: the thing, and what became of it.
    pub const NAMES: [&str; 8] = [
        "wallet.funded",
        "packet.sent",
        "share.claimed",
        "share.settled",
        "packet.refunded",
        "withdrawal.held",
        "withdrawal.completed",
        "withdrawal.cancelled",
    ];

    /// The name in every interface, one of [`NAMES`](Self::NAMES).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Funded { .. } => "wallet.funded",
            Self::Sent { .. } => "packet.sent",
            Self::Claimed { .. } => "share.claimed",
            Self::Settled { .. } => "share.settled",
            Self::Refunded { .. } => "packet.refunded",
            Self::Withdrawn { .. } => "withdrawal.held",
            Self::Completed { .. } => "withdrawal.completed",
            Self::Cancelled { .. } => "withdrawal.cancelled",
        }
    }

    /// The packet that it is about.
    #[must_use]
    pub const fn packet(&self) -> Option<PacketId> {
        match self {
            Self::Funded { .. }
            | Self::Withdrawn { .. }
            | Self::Completed { .. }
            | Self::Cancelled { .. } => None,
            Self::Sent { packet, .. }
            | Self::Claimed { packet, .. }
            | Self::Settled { packet, .. }
            | Self::Refunded { packet, .. } => Some(*packet),
        }
    }

    /// The withdrawal that it is about.
    #[must_use]
    pub const fn withdrawal(&self) -> Option<WithdrawalId> {
        match self {
            Self::Withdrawn { withdrawal, .. }
            | Self::Completed { withdrawal, .. }
            | Self::Cancelled { withdrawal, .. } => Some(*withdrawal),
            Self::Funded { .. }
            | Self::Sent { .. }
            | Self::Claimed { .. }
            | Self::Settled { .. }
            | Self::Refunded { .. } => None,
        }
    }

    /// Whose money it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        match self {
            Self::Funded { user, .. }
            | Self::Claimed { user, .. }
            | Self::Settled { user, .. }
            | Self::Withdrawn { user, .. }
            | Self::Completed { user, .. }
            | Self::Cancelled { user, .. } => user,
            Self::Sent { sender, .. } | Self::Refunded { sender, .. } => sender,
        }
    }

    /// How much, at least 1.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Funded { amount, .. }
            | Self::Claimed { amount, .. }
            | Self::Settled { amount, .. }
            | Self::Refunded { amount, .. }
            | Self::Withdrawn { amount, .. }
            | Self::Completed { amount, .. }
            | Self::Cancelled { amount, .. } => *amount,
            Self::Sent { total, .. } => *total,
        }
    }

    /// A checksum over what never changes of an event (FNV-1a of 64 bits, folded): a ledger that lost its last moments
    /// gives the same places to other events.
    fn check(&self, at_ms: u64) -> u32 {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let packet = self.packet().map(PacketId::to_bytes).unwrap_or_default();
        let withdrawal = self.withdrawal().map(WithdrawalId::to_bytes).unwrap_or_default();
        let (amount, at_ms) = (self.amount().get().to_be_bytes(), at_ms.to_be_bytes());
        let (name, user) = (self.name().as_bytes(), self.user().as_str().as_bytes());
        let parts: [&[u8]; 6] = [name, &packet, &withdrawal, &amount, &at_ms, user];
        let bytes = parts.into_iter().flatten();
        let sum = bytes.fold(BASIS, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME));
        (sum ^ (sum >> 32)) as u32
    }
}

/// The place of an event of money among those of its tenant: rises in the order of the ledger's transactions, and is the
/// same for ever for the same event. Its text is opaque. It has a checksum of its event, so that one that was given by a
/// history of the ledger which is no more is not taken for another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MoneyEventId {
    place: u64,
    within: Within,
    check: u32,
}

/// The order of events in one transaction: sends, claims, and what comes of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Within {
    /// A movement that no claim of this transaction can have led to, by its number.
    Before(u64),
    /// A claim.
    Claim {
        /// Of which packet.
        packet: PacketId,
        /// Its number in the packet.
        sequence: u32,
    },
    /// Any other movement, by its number.
    After(u64),
}

impl MoneyEventId {
    /// The number that orders the transactions of the ledger.
    #[must_use]
    pub const fn place(self) -> u64 {
        self.place
    }

    /// The place within its transaction.
    #[must_use]
    pub const fn within(self) -> Within {
        self.within
    }

    /// Its three parts, where the text has them; in whichever form.
    fn read(text: &str) -> Option<Self> {
        let (place, rest) = text.split_once('-')?;
        let (within, check) = rest.rsplit_once('-')?;
        let within = match (within.split_at_checked(1)?, within.rsplit_once('.')) {
            (("a", number), None) => Within::Before(number.parse().ok()?),
            (("b", _), Some((packet, sequence))) => {
                let packet = u128::from_str_radix(packet.get(1..)?, 16).ok()?.to_be_bytes();
                Within::Claim { packet: PacketId::from_bytes(packet), sequence: sequence.parse().ok()? }
            }
            (("c", number), None) => Within::After(number.parse().ok()?),
            _ => return None,
        };
        Some(Self { place: place.parse().ok()?, within, check: u32::from_str_radix(check, 16).ok()? })
    }
}

impl fmt::Display for MoneyEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, within, check } = self;
        match within {
            Within::Before(number) => write!(f, "{place}-a{number}-{check:08x}"),
            Within::Claim { packet, sequence } => {
                write!(f, "{place}-b{:032x}.{sequence}-{check:08x}", u128::from_be_bytes(packet.to_bytes()))
            }
            Within::After(number) => write!(f, "{place}-c{number}-{check:08x}"),
        }
    }
}

impl FromStr for MoneyEventId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        // Numbers can be written in many ways; an id in one.
        Self::read(text).filter(|id| id.to_string() == text).ok_or(IdError::NotMoneyEvent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn moved(place: u64, id: u64, kind: MovementKind) -> Moved {
        let terms =
            Terms { room: Name::new("room").unwrap(), shares: 3, expires_at_ms: 9, greeting: String::new() };
        Moved {
            place,
            id,
            at_ms: 7,
            kind,
            packet: matches!(kind, MovementKind::Send | MovementKind::Settle | MovementKind::Refund)
                .then(|| PacketId::from_bytes([0xab; 16])),
            withdrawal: matches!(
                kind,
                MovementKind::Withdraw | MovementKind::Complete | MovementKind::Cancel
            )
            .then(|| WithdrawalId::from_bytes([0xef; 16])),
            user: user("alice"),
            amount: Amount::new(5).unwrap(),
            terms: Some(terms),
        }
    }

    fn event(place: u64, id: u64, kind: MovementKind) -> MoneyEvent {
        MoneyEvent::moved(moved(place, id, kind)).unwrap()
    }

    fn claim(place: u64, packet: u8, sequence: u32) -> MoneyEvent {
        let claim =
            crate::Claim { user: user("bob"), amount: Amount::new(2).unwrap(), sequence, claimed_at_ms: 8 };
        MoneyEvent::claimed(place, PacketId::from_bytes([packet; 16]), claim)
    }

    #[test]
    fn ids_are_read_as_they_are_written_and_in_no_other_way() {
        use MovementKind::{Fund, Refund, Send, Settle};
        let events = [event(1, 2, Fund), event(u64::MAX, u64::MAX, Send), event(3, 4, Settle)];
        let events = events.into_iter().chain([event(5, 6, Refund), claim(7, 0xcd, u32::MAX)]);
        for MoneyEvent { id, .. } in events {
            let text = id.to_string();
            assert_eq!(text.parse(), Ok(id), "{text}");
            assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'.')));
            for other in [format!("0{text}"), format!("+{text}"), format!("{text}0"), text.to_uppercase()] {
                assert_eq!(other.parse::<MoneyEventId>(), Err(IdError::NotMoneyEvent), "{other}");
            }
        }
        for text in ["", "-", "--", "1-a1", "1-d1-00000000", "1-b1-00000000", "1-a1-0", "1-é-00000000"] {
            assert_eq!(text.parse::<MoneyEventId>(), Err(IdError::NotMoneyEvent), "{text}");
        }
    }

    #[test]
    fn a_transaction_is_told_from_sends_to_refunds() {
        use MovementKind::{Fund, Refund, Send, Settle};
        let told = [
            event(4, 99, Refund),
            event(5, 1, Fund),
            event(5, 4, Send),
            claim(5, 1, 1),
            claim(5, 1, 2),
            claim(5, 2, 1),
            event(5, 2, Settle),
            event(5, 3, Refund),
            event(6, 0, Send),
        ];
        assert!(told.is_sorted_by_key(|event| event.id), "{told:?}");
    }

    #[test]
    fn an_id_tells_its_event_from_another_at_the_same_place() {
        let (one, place) = (moved(1, 1, MovementKind::Fund), |moved| MoneyEvent::moved(moved).unwrap().id);
        let others = [
            Moved { user: user("bob"), ..one.clone() },
            Moved { amount: Amount::new(6).unwrap(), ..one.clone() },
            Moved { at_ms: 8, ..one.clone() },
        ];
        for other in others {
            assert_ne!(place(other), place(one.clone()));
        }
        assert_eq!(place(one.clone()), place(one));
    }

    #[test]
    fn each_kind_has_a_name_and_what_lacks_a_packet_is_no_event() {
        use MovementKind::{Cancel, Complete, Fund, Refund, Send, Settle, Withdraw};
        let events = [event(1, 1, Fund), event(1, 1, Send), claim(1, 1, 1), event(1, 1, Settle)];
        let rest = [Refund, Withdraw, Complete, Cancel].map(|kind| event(1, 1, kind));
        let names = events.into_iter().chain(rest).map(|event| event.what.name());
        assert_eq!(names.collect::<Vec<_>>(), MoneyEventKind::NAMES);
        for kind in [Send, Settle, Refund] {
            assert_eq!(MoneyEvent::moved(Moved { packet: None, ..moved(1, 1, kind) }), None);
        }
        for kind in [Withdraw, Complete, Cancel] {
            assert_eq!(MoneyEvent::moved(Moved { withdrawal: None, ..moved(1, 1, kind) }), None);
        }
        assert_eq!(MoneyEvent::moved(Moved { terms: None, ..moved(1, 1, Send) }), None);
    }
}

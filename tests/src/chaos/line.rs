//! What a process tells the runner, a line each.

use std::fmt;

/// A line. The first word is its name, the others are its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The process is at work.
    Ready,
    /// Nobody is under way any more, as was asked for.
    Resting,
    /// Packet number so is in the ledger, under this id.
    Sent {
        /// Its number in the run.
        number: u64,
        /// Its id.
        packet: String,
    },
    /// An open was answered `opened`.
    Opened {
        /// Which packet.
        packet: String,
        /// Whose share.
        user: String,
        /// How much.
        amount: u64,
        /// Place in the order of claiming.
        sequence: u32,
        /// When the call began that was answered.
        began_ms: u64,
    },
    /// An open was answered `already-opened`.
    Already {
        /// Which packet.
        packet: String,
        /// Whose share.
        user: String,
        /// How much.
        amount: u64,
        /// Place in the order of claiming.
        sequence: u32,
    },
    /// A grab was answered `already-opened`, which tells the amount alone.
    Held {
        /// Which packet.
        packet: String,
        /// Whose share.
        user: String,
        /// How much.
        amount: u64,
    },
    /// An open was answered that every share is claimed: this user gets nothing, ever.
    Nothing {
        /// Which packet.
        packet: String,
        /// Who.
        user: String,
    },
    /// A withdrawal was taken out, under this id.
    Taken {
        /// Its number in the run.
        number: u64,
        /// Its id.
        withdrawal: String,
    },
    /// A withdrawal ended so.
    Ended {
        /// Its id.
        withdrawal: String,
        /// `completed` or `cancelled`.
        state: String,
    },
    /// A call had no answer for now, by this code, and is made again.
    Again(String),
    /// Something that must not be, in words.
    Odd(String),
    /// So many claims were settled.
    Settled(u64),
}

impl Line {
    /// Reads a line; none where it is not understood.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut words = rest.split(' ').map(str::to_owned);
        Some(match name {
            "ready" => Self::Ready,
            "resting" => Self::Resting,
            "sent" => Self::Sent { number: words.next()?.parse().ok()?, packet: words.next()? },
            "opened" => Self::Opened {
                packet: words.next()?,
                user: words.next()?,
                amount: words.next()?.parse().ok()?,
                sequence: words.next()?.parse().ok()?,
                began_ms: words.next()?.parse().ok()?,
            },
            "already" => Self::Already {
                packet: words.next()?,
                user: words.next()?,
                amount: words.next()?.parse().ok()?,
                sequence: words.next()?.parse().ok()?,
            },
            "held" => {
                Self::Held { packet: words.next()?, user: words.next()?, amount: words.next()?.parse().ok()? }
            }
            "nothing" => Self::Nothing { packet: words.next()?, user: words.next()? },
            "taken" => Self::Taken { number: words.next()?.parse().ok()?, withdrawal: words.next()? },
            "ended" => Self::Ended { withdrawal: words.next()?, state: words.next()? },
            "again" => Self::Again(rest.to_owned()),
            "odd" => Self::Odd(rest.to_owned()),
            "settled" => Self::Settled(words.next()?.parse().ok()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Resting => f.write_str("resting"),
            Self::Sent { number, packet } => write!(f, "sent {number} {packet}"),
            Self::Opened { packet, user, amount, sequence, began_ms } => {
                write!(f, "opened {packet} {user} {amount} {sequence} {began_ms}")
            }
            Self::Already { packet, user, amount, sequence } => {
                write!(f, "already {packet} {user} {amount} {sequence}")
            }
            Self::Held { packet, user, amount } => write!(f, "held {packet} {user} {amount}"),
            Self::Nothing { packet, user } => write!(f, "nothing {packet} {user}"),
            Self::Taken { number, withdrawal } => write!(f, "taken {number} {withdrawal}"),
            Self::Ended { withdrawal, state } => write!(f, "ended {withdrawal} {state}"),
            Self::Again(code) => write!(f, "again {code}"),
            Self::Odd(what) => write!(f, "odd {what}"),
            Self::Settled(claims) => write!(f, "settled {claims}"),
        }
    }
}

//! Encoding of counters in Redis.
//!
//! A counter is two keys with one hash tag, so that a cluster keeps both in one slot:
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{namespace}:@{history}:{{packet/tenant}}` | hash | `m`: meta data; `c`: card; `:{user}`: the user's seat |
//! | `{namespace}:@{history}:{{packet/tenant}}:leases` | sorted set | `:{user}` by the end of the user's lease |
//!
//! The history is that of the ledger (see [`History`](hongbao_store::History)), so that what was counted in another
//! one is not found; without a ledger it is left out, with its mark and its colon. No namespace has such a mark in
//! it. What nobody finds any more ends by its time to live.
//!
//! The packet comes first, so that no name of a tenant can make the tag an empty one. A seat is `s`
//! for a lease with a slot, `a` for an admitted one without, or the amount in digits once it is
//! opened. The meta data is eight little-endian doubles (see [`Meta`]): a double holds versions and
//! times exactly up to 2^53, and amounts, which may be larger, are never in one.

use std::fmt::Write as _;
use std::sync::Arc;

use redis::Value;

use hongbao_domain::{Amount, Audience, PacketKey, UserId};
use hongbao_store::{Card, CounterState, Holder, OpenedSeat, Opening, Seat, Seating, View};

/// The suffix of the key of leases.
pub(super) const LEASES: &str = ":leases";

/// What stands in Redis is not what we write there.
#[derive(Debug, thiserror::Error)]
#[error("{0} cannot be read")]
pub(super) struct DecodeError(&'static str);

impl DecodeError {
    /// Of this part.
    pub(super) const fn of(part: &'static str) -> Self {
        Self(part)
    }
}

/// What the keys of counters of a history begin with.
pub(super) fn prefix(namespace: &str, history: Option<&str>) -> String {
    match history {
        Some(history) => format!("{namespace}:@{history}:"),
        None => format!("{namespace}:"),
    }
}

/// The two keys of a counter.
pub(super) struct Keys {
    pub entry: String,
    pub leases: String,
}

impl Keys {
    pub(super) fn new(namespace: &str, history: Option<&str>, key: &PacketKey) -> Self {
        let mut entry = prefix(namespace, history);
        entry.reserve(key.tenant.as_str().len() + 48);
        // Writing into a string cannot fail.
        let _ = write!(entry, "{{{}/{}}}", key.packet, key.tenant);
        Self::of_entry(entry)
    }

    /// Of no packet: of a probe.
    pub(super) fn of_tag(namespace: &str, tag: &str) -> Self {
        Self::of_entry(format!("{namespace}:{{{tag}}}"))
    }

    fn of_entry(entry: String) -> Self {
        let leases = [&entry, LEASES].concat();
        Self { entry, leases }
    }

    /// Of the key of leases.
    pub(super) fn of_leases(leases: &str) -> Option<Self> {
        leases.strip_suffix(LEASES).map(|entry| Self::of_entry(entry.to_owned()))
    }
}

/// The field of a user. No other field begins with a colon.
pub(super) fn field(user: &UserId) -> String {
    [":", user.as_str()].concat()
}

/// The meta data of a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meta {
    /// No lease ends before; infinite where there is none.
    pub next_end: f64,
    pub keep: f64,
    pub version: f64,
    pub shares: f64,
    /// Number of opened seats.
    pub opened: f64,
    /// Number of leases that hold a slot.
    pub leased: f64,
    /// 1 where the counter was closed, otherwise 0.
    pub closed: f64,
    pub lenient: f64,
}

/// Ten years: an entry that should be kept for longer is kept for so long, and a time to live
/// stays one that Redis takes.
const KEPT_AT_MOST_MS: u64 = 10 * 366 * 24 * 60 * 60 * 1000;

impl Meta {
    pub(super) fn of(opening: &Opening, now_ms: u64) -> Self {
        Self {
            next_end: f64::INFINITY,
            keep: opening.keep_until_ms.min(now_ms.saturating_add(KEPT_AT_MOST_MS)) as f64,
            version: 1.0,
            shares: f64::from(opening.shares),
            opened: opening.opened.len() as f64,
            leased: 0.0,
            closed: 0.0,
            lenient: opening.lenient_until_ms as f64,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { next_end, keep, version, shares, opened, leased, closed, lenient } = *self;
        [next_end, keep, version, shares, opened, leased, closed, lenient]
            .into_iter()
            .flat_map(f64::to_le_bytes)
            .collect()
    }

    pub(super) fn decode(value: &Value) -> Result<Self, DecodeError> {
        let bytes = bytes(value).and_then(|bytes| <&[u8; 64]>::try_from(bytes).ok());
        let (doubles, _) = bytes.ok_or(DecodeError("the meta data"))?.as_chunks::<8>();
        let Ok([next_end, keep, version, shares, opened, leased, closed, lenient]) =
            <[[u8; 8]; 8]>::try_from(doubles)
        else {
            return Err(DecodeError("the meta data"));
        };
        let double = f64::from_le_bytes;
        Ok(Self {
            next_end: double(next_end),
            keep: double(keep),
            version: double(version),
            shares: double(shares),
            opened: double(opened),
            leased: double(leased),
            closed: double(closed),
            lenient: double(lenient),
        })
    }

    fn slots(&self) -> u32 {
        // What is below zero becomes zero.
        if self.closed == 1.0 { 0 } else { (self.shares - self.opened - self.leased) as u32 }
    }
}

/// A view, from the answer of the server: meta data, card, and the seats of the users asked about.
pub(super) fn view(answer: &[Value]) -> Result<View, DecodeError> {
    let [meta, card, seats @ ..] = answer else { return Err(DecodeError("the answer")) };
    let meta = Meta::decode(meta)?;
    Ok(View {
        version: meta.version as u64,
        slots: meta.slots(),
        finished: meta.opened >= meta.shares,
        holders: holders(seats)?,
        card: Arc::new(decode_card(card)?),
    })
}

/// Who is seated, from meta data and the seats of the users asked about.
pub(super) fn seating(answer: &[Value], now_ms: u64) -> Result<Seating, DecodeError> {
    let [meta, seats @ ..] = answer else { return Err(DecodeError("the answer")) };
    let lenient = (now_ms as f64) < Meta::decode(meta)?.lenient;
    Ok(Seating { holders: holders(seats)?, lenient })
}

fn holders(seats: &[Value]) -> Result<Vec<Holder>, DecodeError> {
    let held = (0_u32..).zip(seats).filter(|(_, seat)| **seat != Value::Nil);
    held.map(|(index, value)| Ok(Holder { index, seat: seat(value)? })).collect()
}

/// A whole counter, from all its fields and their values in turn.
pub(super) fn state(answer: &[Value]) -> Result<CounterState, DecodeError> {
    let (pairs, _) = answer.as_chunks::<2>();
    let (mut meta, mut opened) = (None, Vec::new());
    for [name, value] in pairs {
        match text(name)? {
            "m" => meta = Some(Meta::decode(value)?),
            name => {
                if let Some(user) = name.strip_prefix(':')
                    && let Seat::Opened(amount) = seat(value)?
                {
                    opened.push(OpenedSeat { user: user_of(user)?, amount });
                }
            }
        }
    }
    let meta = meta.ok_or(DecodeError("the meta data"))?;
    opened.sort_unstable_by(|a, b| a.user.cmp(&b.user));
    Ok(CounterState { slots: meta.slots(), leased: meta.leased as u32, opened, closed: meta.closed == 1.0 })
}

fn seat(value: &Value) -> Result<Seat, DecodeError> {
    match text(value)? {
        "s" | "a" => Ok(Seat::Leased),
        digits => {
            let amount = digits.parse().ok().and_then(|minor| Amount::new(minor).ok());
            amount.map(Seat::Opened).ok_or(DecodeError("a seat"))
        }
    }
}

/// A line with the end of the packet and the kind of the audience, then a line for each name. A
/// name has no control characters, so no line break either.
pub(super) fn encode_card(card: &Card) -> String {
    let (kind, names) = match &card.audience {
        Audience::Everyone => ("everyone", [].as_slice()),
        Audience::EveryoneBut(sender) => ("everyone-but", std::slice::from_ref(sender)),
        Audience::Only(users) => ("only", &**users),
    };
    let mut text = format!("{} {kind}", card.expires_at_ms);
    for name in names {
        text.push('\n');
        text.push_str(name.as_str());
    }
    text
}

fn decode_card(value: &Value) -> Result<Card, DecodeError> {
    let damaged = || DecodeError("the card");
    let mut lines = text(value)?.split('\n');
    let (expires, kind) = lines.next().and_then(|line| line.split_once(' ')).ok_or_else(damaged)?;
    let audience = match kind {
        "everyone" => Audience::Everyone,
        "everyone-but" => Audience::EveryoneBut(user_of(lines.next().ok_or_else(damaged)?)?),
        "only" => Audience::Only(lines.map(user_of).collect::<Result<_, _>>()?),
        _ => return Err(damaged()),
    };
    Ok(Card { audience, expires_at_ms: expires.parse().map_err(|_| damaged())? })
}

fn user_of(name: &str) -> Result<UserId, DecodeError> {
    UserId::new(name).map_err(|_| DecodeError("a user's name"))
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: &Value) -> Result<&str, DecodeError> {
    bytes(value).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(DecodeError("a text"))
}

//! What may happen to a ledger, as plain data, and how it is drawn.

use hongbao_host::domain::Amount;
use proptest::collection::vec;
use proptest::prelude::*;

use super::USERS;

/// How many tenants share the ledger. Most happens to the first.
pub const TENANTS: usize = 2;

/// How many rooms packets are sent to.
pub const ROOMS: usize = 2;

/// What every wallet holds at first, or most of a history would be refusals.
pub const PURSE: u64 = 500;

/// Packets are known by index. This one never was.
pub const NOWHERE: usize = 9;

/// What is done, told by indexes. What it comes to (versions, amounts) depends on how the
/// oracle stands at that moment, so that a shortened history still means something.
#[derive(Clone, Debug)]
pub enum Op {
    Fund {
        tenant: usize,
        user: usize,
        minor: u64,
        /// One of few, so that it is soon used again.
        key: Option<u8>,
    },
    Withdraw {
        tenant: usize,
        user: usize,
        minor: u64,
        /// One of few, so that it is soon used again.
        key: u8,
    },
    /// Ends a withdrawal, which is known by index.
    End {
        withdrawal: usize,
        /// In whose name; past the last user, in that of its own.
        user: usize,
        /// Whether it is completed; else it is cancelled.
        complete: bool,
    },
    Record {
        tenant: usize,
        wish: Wish,
    },
    /// The same order once more, under another id.
    RecordAgain {
        packet: usize,
    },
    Claim {
        packet: usize,
        version: Version,
        shares: Vec<Wanted>,
    },
    Close {
        packet: usize,
        version: Version,
    },
    Settle {
        limit: u32,
    },
    Advance {
        ms: u64,
    },
}

/// An order in short.
#[derive(Clone, Debug)]
pub struct Wish {
    pub key: u8,
    pub room: usize,
    pub sender: usize,
    pub total: u64,
    pub shares: u32,
    pub audience: Who,
    pub life_ms: u64,
}

#[derive(Clone, Debug)]
pub enum Who {
    Everyone,
    NotTheSender,
    Only(Vec<usize>),
}

#[derive(Clone, Copy, Debug)]
pub enum Version {
    Present,
    Behind(u64),
    Ahead(u64),
}

#[derive(Clone, Debug)]
pub struct Wanted {
    pub user: usize,
    pub take: Take,
    pub large: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Take {
    /// By the rules: this part in 255 of the most that may be taken, or the rest where it is
    /// the last share.
    Part(u8),
    /// Whatever the rules are.
    Minor(u64),
}

/// Small or near the largest, of which so many in sixteen.
fn minor(large: u32) -> impl Strategy<Value = u64> {
    let largest = Amount::MAX.get();
    prop_oneof![16 - large => 0..200_u64, large => largest - 2 * PURSE..=largest]
}

fn version() -> impl Strategy<Value = Version> {
    let near = || 1..3_u64;
    prop_oneof![
        8 => Just(Version::Present),
        1 => near().prop_map(Version::Behind),
        1 => near().prop_map(Version::Ahead),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        4 => Just(Who::Everyone),
        1 => Just(Who::NotTheSender),
        1 => vec(0..USERS.len(), 1..4).prop_map(Who::Only),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let content = (minor(1), 0..7_u32, who(), 1..200_u64);
    let named = (0..9_u8, 0..ROOMS, 0..USERS.len());
    (named, content).prop_map(|((key, room, sender), (total, shares, audience, life_ms))| Wish {
        key,
        room,
        sender,
        total,
        shares,
        audience,
        life_ms,
    })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let take = prop_oneof![8 => any::<u8>().prop_map(Take::Part), 1 => minor(2).prop_map(Take::Minor)];
    (0..USERS.len(), take, any::<bool>()).prop_map(|(user, take, large)| Wanted { user, take, large })
}

fn tenants() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => 1..TENANTS]
}

fn record() -> impl Strategy<Value = Op> {
    (tenants(), wish()).prop_map(|(tenant, wish)| Op::Record { tenant, wish })
}

fn op() -> impl Strategy<Value = Op> {
    let packet = || 0..=NOWHERE;
    let shares = prop_oneof![1 => vec(wanted(), 0), 10 => vec(wanted(), 1), 5 => vec(wanted(), 2..4)];
    let key = proptest::option::of(0..4_u8);
    let fund = (tenants(), 0..USERS.len(), prop_oneof![2 => 0..3_u64, 3 => minor(6)], key);
    let withdraw = (tenants(), 0..USERS.len(), prop_oneof![8 => 0..200_u64, 1 => minor(6)], 0..9_u8);
    let end = (0..=NOWHERE, prop_oneof![6 => Just(USERS.len()), 1 => 0..USERS.len()], any::<bool>());
    prop_oneof![
        6 => fund.prop_map(|(tenant, user, minor, key)| Op::Fund { tenant, user, minor, key }),
        5 => withdraw.prop_map(|(tenant, user, minor, key)| Op::Withdraw { tenant, user, minor, key }),
        5 => end.prop_map(|(withdrawal, user, complete)| Op::End { withdrawal, user, complete }),
        8 => record(),
        2 => packet().prop_map(|packet| Op::RecordAgain { packet }),
        20 => (packet(), version(), shares)
            .prop_map(|(packet, version, shares)| Op::Claim { packet, version, shares }),
        6 => (packet(), version()).prop_map(|(packet, version)| Op::Close { packet, version }),
        4 => (0..4_u32).prop_map(|limit| Op::Settle { limit }),
        4 => (1..100_u64).prop_map(|ms| Op::Advance { ms }),
    ]
}

/// A history that begins with packets, since little happens before there are some.
pub fn history() -> impl Strategy<Value = Vec<Op>> {
    (vec(record(), 0..5), vec(op(), 1..60)).prop_map(|(records, ops)| [records, ops].concat())
}

//! Claims: gathered, and written by one statement for all packets of a batch.
//!
//! The statement takes a packet's shares all or none, and says only which packets it took. Why
//! one was not taken is asked afterwards, by [`checks`]: that is rare, and not part of what has
//! to be one transaction.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use tokio::sync::oneshot;

use super::error::Error;
use super::rows::{Columns, stored, uuid};
use super::sessions::{ANSWER, Client, Sessions};
use hongbao_domain::{PacketKey, Priority, Share, UserId};
use hongbao_store::committer::{CommitterError, Limits};
use hongbao_store::gatherer::Gatherer;
use hongbao_store::{Claimed, Ledger as _, Refusal, StoreError, checks};

/// A queue of this length is worked off in well under a second.
const LIMITS: Limits = Limits { queue: 8192, batch: 512 };
/// Statements under way at one time: while one waits for its flush, another is carried out. A packet
/// goes to one of them always, so they never wait for each other's locks.
const WRITERS: usize = 2;
/// How often a batch is tried that another transaction made us undo.
const TRIES: usize = 3;

/// The shares of one packet, and who waits for the answer.
struct Claim {
    key: PacketKey,
    version: i64,
    now_ms: i64,
    shares: Vec<Share>,
    amount: i64,
    /// The first sequence, or None where the packet did not take them.
    reply: oneshot::Sender<Result<Option<u32>, StoreError>>,
}

/// The writers of claims of this process.
pub(super) struct Claims {
    writers: [Gatherer<Claim>; WRITERS],
}

impl Claims {
    pub(super) fn start(sessions: &Sessions) -> Self {
        let writer = |_| {
            let sessions = sessions.clone();
            Gatherer::start(LIMITS, move |batch| {
                let sessions = sessions.clone();
                async move { write(&sessions, batch).await }
            })
        };
        Self { writers: std::array::from_fn(writer) }
    }

    /// Claims shares, all or none; None where they were not taken.
    pub(super) async fn claim(
        &self,
        key: &PacketKey,
        version: u64,
        shares: &[Share],
        now_ms: u64,
    ) -> Result<Option<u32>, StoreError> {
        let (Ok(version), Some(amount)) = (stored(version), sum(shares)) else {
            return Ok(None);
        };
        let (reply, answer) = oneshot::channel();
        let claim = Claim {
            key: key.clone(),
            version,
            now_ms: stored(now_ms)?,
            shares: shares.to_vec(),
            amount,
            reply,
        };
        // The low half of an id is random.
        let (_, low) = key.packet.halves();
        let writer = self.writers.get(low as usize % WRITERS).ok_or(CommitterError::Ended)?;
        writer.submit(claim)?;
        answer.await.unwrap_or_else(|_| Err(CommitterError::Ended.into()))
    }
}

/// The sum of shares that may be written at all: some, none of them nothing, no user twice.
fn sum(shares: &[Share]) -> Option<i64> {
    let mut users = HashSet::with_capacity(shares.len());
    if shares.is_empty() || !shares.iter().all(|share| !share.amount.is_zero() && users.insert(&share.user)) {
        return None;
    }
    i64::try_from(shares.iter().map(|share| share.amount).sum::<u128>()).ok()
}

/// Writes a batch. A packet that stands in it twice goes in the next round: the second expects
/// what the first makes, or is stale.
async fn write(sessions: &Sessions, batch: Vec<Claim>) {
    let mut waiting = batch;
    while !waiting.is_empty() {
        let mut round = BTreeMap::new();
        let mut next = Vec::new();
        for claim in waiting {
            // In the order of the database's keys, so that hosts lock in the same order.
            let place = (claim.key.packet, claim.key.tenant.clone());
            match round.entry(place) {
                Entry::Occupied(_) => next.push(claim),
                Entry::Vacant(free) => _ = free.insert(claim),
            }
        }
        write_round(sessions, round.into_values().collect()).await;
        waiting = next;
    }
}

async fn write_round(sessions: &Sessions, claims: Vec<Claim>) {
    match commit(sessions, &claims).await {
        Ok(firsts) => {
            for (claim, first) in claims.into_iter().zip(firsts) {
                answer(claim, Ok(first));
            }
        }
        // The statement checks all that a claim can break, so this is somebody's planted fault.
        // It must not cost the others theirs.
        Err(error) if error.is_refusal() && claims.len() > 1 => {
            for claim in claims {
                let written = commit(sessions, std::slice::from_ref(&claim)).await;
                let first = written.map(|firsts| firsts.into_iter().next().flatten());
                answer(claim, first.map_err(StoreError::from));
            }
        }
        Err(error) => {
            let lost = error.for_each();
            claims.into_iter().for_each(|claim| answer(claim, Err(lost())));
        }
    }
}

fn answer(claim: Claim, first: Result<Option<u32>, StoreError>) {
    // A caller that went away wants no answer.
    let _ = claim.reply.send(first);
}

/// One statement, which is one transaction. In the order of the claims: the first sequence of
/// those that were taken.
async fn commit(sessions: &Sessions, claims: &[Claim]) -> Result<Vec<Option<u32>>, Error> {
    let mut tries = 1;
    loop {
        match sessions.write(ANSWER, async |client| statement(client, claims).await).await {
            Err(error) if error.is_collision() && tries < TRIES => tries += 1,
            answer => return answer,
        }
    }
}

async fn statement(client: &Client, claims: &[Claim]) -> Result<Vec<Option<u32>>, Error> {
    let shares = || {
        let numbered = (1_i64..).zip(claims);
        numbered.flat_map(|(item, claim)| claim.shares.iter().map(move |share| (item, share)))
    };
    let ids: Vec<_> = claims.iter().map(|claim| uuid(claim.key.packet)).collect();
    let tenants: Vec<_> = claims.iter().map(|claim| claim.key.tenant.as_str()).collect();
    let versions: Vec<_> = claims.iter().map(|claim| claim.version).collect();
    let times: Vec<_> = claims.iter().map(|claim| claim.now_ms).collect();
    let counts: Vec<_> = claims.iter().map(|claim| claim.shares.len() as i64).collect();
    let sums: Vec<_> = claims.iter().map(|claim| claim.amount).collect();
    let first_places = counts.iter().scan(1, |next, count| Some(std::mem::replace(next, *next + count)));
    let first_places: Vec<i64> = first_places.collect();
    let items: Vec<_> = shares().map(|(item, _)| item).collect();
    let users: Vec<_> = shares().map(|(_, share)| share.user.as_str()).collect();
    let amounts: Vec<_> = shares().map(|(_, share)| share.amount.as_i64()).collect();
    let priorities: Vec<_> =
        shares().map(|(_, share)| i16::from(share.priority == Priority::Large)).collect();
    let statement = client.prepare_cached(include_str!("claim.sql")).await?;
    let rows = client
        .query(
            &statement,
            &[
                &ids,
                &tenants,
                &versions,
                &times,
                &counts,
                &sums,
                &first_places,
                &items,
                &users,
                &amounts,
                &priorities,
            ],
        )
        .await?;
    let mut firsts = vec![None; claims.len()];
    for row in &rows {
        let mut columns = Columns::of(row);
        let (item, first): (usize, u32) = (columns.number()?, columns.number()?);
        if let Some(slot) = item.checked_sub(1).and_then(|index| firsts.get_mut(index)) {
            *slot = Some(first);
        }
    }
    Ok(firsts)
}

/// Why a packet did not take shares.
pub(super) async fn refusal(
    ledger: &super::PostgresLedger,
    key: &PacketKey,
    expected_version: u64,
    shares: &[Share],
    now_ms: u64,
) -> Result<Claimed, StoreError> {
    let users: Vec<UserId> = shares.iter().map(|share| share.user.clone()).collect();
    let Some(loaded) = ledger.load(key, &users).await? else {
        return Ok(Claimed::Refused(Refusal::NotFound));
    };
    if let Some(over) = checks::is_over(&loaded.packet, now_ms) {
        return Ok(over);
    }
    let has_claimed = |share: &Share| loaded.claims.iter().any(|claim| claim.user == share.user);
    let refused = checks::claim(&loaded.packet, shares, has_claimed);
    match refused.filter(|_| loaded.packet.version == expected_version) {
        Some(refusal) => Ok(Claimed::Refused(refusal)),
        None => Ok(Claimed::Stale(loaded)),
    }
}

//! Claims: gathered, and written by one statement for all packets of a batch.
//!
//! The statement takes a packet's shares all or none, and says only which packets it took. Why
//! one was not taken is asked afterwards, by [`checks`]: that is rare, and not part of what has
//! to be one transaction.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use tokio::sync::oneshot;

use super::error::Error;
use super::load::Loads;
use super::rows::{Columns, stored, uuid};
use super::sessions::{ANSWER, Client, Sessions};
use hongbao_domain::{PacketKey, Priority, Share, UserId};
use hongbao_store::gatherer::{Bounds, Gatherer, Operation};
use hongbao_store::{Attempt, Claimed, Loaded, Lookup, Refusal, StoreError, checks};

/// A queue of this length is worked off in well under a second where each list is a short one.
const BOUNDS: Bounds = Bounds { queue: 8192, batch: 512 };
/// Statements under way at one time: while one waits for its flush, another is carried out. Packets are locked in
/// the order of their keys, so these do not wait for each other in a circle.
const WRITERS: usize = 2;
/// How often a batch is tried that another transaction made us undo.
const TRIES: usize = 3;

/// What became of the shares of each packet: the first sequence, or None where the packet did not take them.
type Firsts = Vec<Result<Option<u32>, StoreError>>;

/// Shares of packets, and who waits for the answer.
struct Claims {
    attempts: Vec<Attempt>,
    now_ms: i64,
    /// With the attempts, since why one was not taken is asked afterwards.
    reply: oneshot::Sender<Result<(Vec<Attempt>, Firsts), StoreError>>,
}

impl Operation for Claims {
    fn size(&self) -> usize {
        self.attempts.len()
    }
}

/// The shares of one packet, as they are written.
#[derive(Clone, Copy)]
struct Item<'c> {
    attempt: &'c Attempt,
    version: i64,
    amount: i64,
    now_ms: i64,
}

impl<'c> Item<'c> {
    /// None where they cannot be written at all: a version past what a column holds, no shares, one of nothing, or
    /// a user twice.
    fn of(attempt: &'c Attempt, now_ms: i64) -> Option<Self> {
        let version = i64::try_from(attempt.version).ok()?;
        Some(Self { attempt, version, amount: sum(&attempt.shares)?, now_ms })
    }
}

/// The writers of claims of this process.
pub(super) struct Writers {
    gatherer: Gatherer<Claims>,
}

impl Writers {
    pub(super) fn start(sessions: &Sessions) -> Self {
        let sessions = sessions.clone();
        Self {
            gatherer: Gatherer::on_runtime(BOUNDS, WRITERS, move |batch| {
                let sessions = sessions.clone();
                async move { write(&sessions, batch).await }
            }),
        }
    }

    /// Claims shares of each packet, all or none.
    pub(super) async fn claim_all(
        &self,
        loads: &Loads,
        attempts: Vec<Attempt>,
        now_ms: u64,
    ) -> Vec<Result<Claimed, StoreError>> {
        let count = attempts.len();
        let (attempts, firsts) = match self.write(attempts, now_ms).await {
            Ok(written) => written,
            Err(error) => return StoreError::to_each(Err(error), count),
        };
        let is_open = |first: &Result<Option<u32>, StoreError>| matches!(first, Ok(None));
        let refused: Vec<_> = attempts
            .iter()
            .zip(&firsts)
            .filter(|(_, first)| is_open(first))
            .map(|(attempt, _)| attempt)
            .collect();
        let mut reasons = refusals(loads, &refused, now_ms).await.into_iter();
        let mut answer = |first| match first {
            Ok(Some(first)) => Ok(Claimed::Committed(first)),
            // There is one for each.
            Ok(None) => reasons.next().unwrap_or(Ok(Claimed::Closed)),
            Err(error) => Err(error),
        };
        firsts.into_iter().map(&mut answer).collect()
    }

    async fn write(&self, attempts: Vec<Attempt>, now_ms: u64) -> Result<(Vec<Attempt>, Firsts), StoreError> {
        if attempts.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let now_ms = stored(now_ms)?;
        self.gatherer.ask(|reply| Claims { attempts, now_ms, reply }).await
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
async fn write(sessions: &Sessions, batch: Vec<Claims>) {
    let of_batch =
        batch.iter().flat_map(|claims| claims.attempts.iter().map(|attempt| (attempt, claims.now_ms)));
    let mut firsts: Firsts = Vec::with_capacity(batch.iter().map(Operation::size).sum());
    let mut waiting = Vec::new();
    for (place, (attempt, now_ms)) in of_batch.enumerate() {
        firsts.push(Ok(None));
        waiting.extend(Item::of(attempt, now_ms).map(|item| (place, item)));
    }
    while !waiting.is_empty() {
        let mut round = BTreeMap::new();
        let mut next = Vec::new();
        for (place, item) in waiting {
            // In the order of the database's keys, so that hosts lock in the same order.
            let PacketKey { tenant, packet } = &item.attempt.key;
            match round.entry((packet, tenant)) {
                Entry::Occupied(_) => next.push((place, item)),
                Entry::Vacant(free) => _ = free.insert((place, item)),
            }
        }
        let (places, items): (Vec<_>, Vec<_>) = round.into_values().unzip();
        for (place, first) in places.into_iter().zip(write_round(sessions, &items).await) {
            if let Some(slot) = firsts.get_mut(place) {
                *slot = first;
            }
        }
        waiting = next;
    }
    let mut firsts = firsts.into_iter();
    for Claims { attempts, reply, .. } in batch {
        let own = firsts.by_ref().take(attempts.len()).collect();
        // A caller that went away wants no answer.
        let _ = reply.send(Ok((attempts, own)));
    }
}

async fn write_round(sessions: &Sessions, items: &[Item<'_>]) -> Firsts {
    match commit(sessions, items).await {
        Ok(firsts) => firsts.into_iter().map(Ok).collect(),
        // The statement checks all that a claim can break, so this is somebody's planted fault.
        // It must not cost the others theirs.
        Err(error) if error.is_refusal() && items.len() > 1 => {
            let mut all = Vec::with_capacity(items.len());
            for item in items {
                let written = commit(sessions, std::slice::from_ref(item)).await;
                all.push(written.map(|firsts| firsts.into_iter().next().flatten()).map_err(StoreError::from));
            }
            all
        }
        Err(error) => StoreError::to_each(Err(error.into()), items.len()),
    }
}

/// One statement, which is one transaction. In the order of the claims: the first sequence of
/// those that were taken.
async fn commit(sessions: &Sessions, items: &[Item<'_>]) -> Result<Vec<Option<u32>>, Error> {
    let mut tries = 1;
    loop {
        match sessions.write(ANSWER, async |client| statement(client, items).await).await {
            Err(error) if error.is_collision() && tries < TRIES => tries += 1,
            answer => return answer,
        }
    }
}

async fn statement(client: &Client, items: &[Item<'_>]) -> Result<Vec<Option<u32>>, Error> {
    let shares = || {
        let numbered = (1_i64..).zip(items);
        numbered.flat_map(|(number, item)| item.attempt.shares.iter().map(move |share| (number, share)))
    };
    let ids: Vec<_> = items.iter().map(|item| uuid(item.attempt.key.packet)).collect();
    let tenants: Vec<_> = items.iter().map(|item| item.attempt.key.tenant.as_str()).collect();
    let versions: Vec<_> = items.iter().map(|item| item.version).collect();
    let times: Vec<_> = items.iter().map(|item| item.now_ms).collect();
    let counts: Vec<_> = items.iter().map(|item| item.attempt.shares.len() as i64).collect();
    let sums: Vec<_> = items.iter().map(|item| item.amount).collect();
    let first_places = counts.iter().scan(1, |next, count| Some(std::mem::replace(next, *next + count)));
    let first_places: Vec<i64> = first_places.collect();
    let numbers: Vec<_> = shares().map(|(number, _)| number).collect();
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
                &numbers,
                &users,
                &amounts,
                &priorities,
            ],
        )
        .await?;
    let mut firsts = vec![None; items.len()];
    for row in &rows {
        let mut columns = Columns::of(row);
        let (item, first): (usize, u32) = (columns.number()?, columns.number()?);
        if let Some(slot) = item.checked_sub(1).and_then(|index| firsts.get_mut(index)) {
            *slot = Some(first);
        }
    }
    Ok(firsts)
}

/// Why packets did not take shares.
async fn refusals(loads: &Loads, refused: &[&Attempt], now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
    let users = |attempt: &&Attempt| attempt.shares.iter().map(|share| share.user.clone()).collect();
    let users: Vec<Vec<UserId>> = refused.iter().map(users).collect();
    let lookups = refused.iter().zip(&users).map(|(attempt, users)| Lookup { key: &attempt.key, users });
    let found = loads.load_all(&lookups.collect::<Vec<_>>()).await;
    refused.iter().zip(found).map(|(attempt, found)| Ok(refusal(attempt, found?, now_ms))).collect()
}

fn refusal(attempt: &Attempt, found: Option<Loaded>, now_ms: u64) -> Claimed {
    let Some(loaded) = found else { return Claimed::Refused(Refusal::NotFound) };
    if let Some(over) = checks::is_over(&loaded.packet, now_ms) {
        return over;
    }
    let has_claimed = |share: &Share| loaded.claims.iter().any(|claim| claim.user == share.user);
    let refused = checks::claim(&loaded.packet, &attempt.shares, has_claimed);
    match refused.filter(|_| loaded.packet.version == attempt.version) {
        Some(refusal) => Claimed::Refused(refusal),
        None => Claimed::Stale(loaded),
    }
}

//! Reads of packets: gathered, as they are half of every open.

use futures::future::try_join;
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;

use super::error::Error;
use super::rows::{Columns, claim_columns, packet_columns, uuid};
use super::sessions::{ANSWER, Client, Sessions};
use hongbao_domain::{PacketKey, UserId};
use hongbao_store::committer::{CommitterError, Limits};
use hongbao_store::gatherer::Gatherer;
use hongbao_store::{Loaded, StoreError};

const LIMITS: Limits = Limits { queue: 8192, batch: 512 };

const PACKETS: &str = concat!(
    "SELECT item, ",
    packet_columns!(),
    " FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS item (packet, of, item)
      CROSS JOIN LATERAL (SELECT * FROM hongbao.packets WHERE id = item.packet AND tenant = item.of OFFSET 0) AS p"
);
const CLAIMS: &str = concat!(
    "SELECT item, ",
    claim_columns!(),
    " FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[]) AS asked (item, packet, of, name)
      CROSS JOIN LATERAL (SELECT * FROM hongbao.claims
                           WHERE packet = asked.packet AND tenant = asked.of AND user_id = asked.name OFFSET 0) AS c
     ORDER BY item, sequence"
);

/// A packet and users that are asked for, and who waits for the answer.
struct Load {
    key: PacketKey,
    users: Vec<UserId>,
    reply: oneshot::Sender<Result<Option<Loaded>, StoreError>>,
}

/// The one reader of packets of this process.
pub(super) struct Loads {
    gatherer: Gatherer<Load>,
}

impl Loads {
    pub(super) fn start(sessions: &Sessions) -> Self {
        let sessions = sessions.clone();
        Self {
            gatherer: Gatherer::start(LIMITS, move |batch| {
                let sessions = sessions.clone();
                async move { read(&sessions, batch).await }
            }),
        }
    }

    pub(super) async fn load(&self, key: &PacketKey, users: &[UserId]) -> Result<Option<Loaded>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.gatherer.submit(Load { key: key.clone(), users: users.to_vec(), reply })?;
        answer.await.unwrap_or_else(|_| Err(CommitterError::Ended.into()))
    }
}

async fn read(sessions: &Sessions, batch: Vec<Load>) {
    match sessions.with(ANSWER, async |client| found(client, &batch).await).await {
        Ok(found) => {
            for (load, loaded) in batch.into_iter().zip(found) {
                // A caller that went away wants no answer.
                let _ = load.reply.send(Ok(loaded));
            }
        }
        Err(error) => {
            let lost = error.for_each();
            batch.into_iter().for_each(|load| _ = load.reply.send(Err(lost())));
        }
    }
}

/// Both statements in one round trip. The packets are read first: a claim that commits in between
/// is seen beside a packet that does not count it yet, which its version tells; the other way
/// round, a user's claim could be missing from a packet that counts it.
async fn found(client: &Client, batch: &[Load]) -> Result<Vec<Option<Loaded>>, Error> {
    let asked = || {
        let numbered = (1_i64..).zip(batch);
        numbered.flat_map(|(item, load)| load.users.iter().map(move |user| (item, load, user)))
    };
    let ids: Vec<_> = batch.iter().map(|load| uuid(load.key.packet)).collect();
    let tenants: Vec<_> = batch.iter().map(|load| load.key.tenant.as_str()).collect();
    let items: Vec<_> = asked().map(|(item, ..)| item).collect();
    let packets: Vec<_> = asked().map(|(_, load, _)| uuid(load.key.packet)).collect();
    let of: Vec<_> = asked().map(|(_, load, _)| load.key.tenant.as_str()).collect();
    let names: Vec<_> = asked().map(|(_, _, user)| user.as_str()).collect();
    let first = client.prepare_cached(PACKETS).await?;
    let second = client.prepare_cached(CLAIMS).await?;
    let of_packets: [&(dyn ToSql + Sync); 2] = [&ids, &tenants];
    let of_claims: [&(dyn ToSql + Sync); 4] = [&items, &packets, &of, &names];
    let both = try_join(client.query(&first, &of_packets), client.query(&second, &of_claims));
    let (packet_rows, claim_rows) = both.await?;
    let mut found: Vec<Option<Loaded>> = batch.iter().map(|_| None).collect();
    for row in &packet_rows {
        let mut columns = Columns::of(row);
        let item: usize = columns.number()?;
        let packet = columns.packet()?;
        if let Some(slot) = found.get_mut(item.wrapping_sub(1)) {
            *slot = Some(Loaded { packet, claims: Vec::new() });
        }
    }
    for row in &claim_rows {
        let mut columns = Columns::of(row);
        let item: usize = columns.number()?;
        let claim = columns.claim()?;
        if let Some(Some(loaded)) = found.get_mut(item.wrapping_sub(1)) {
            loaded.claims.push(claim);
        }
    }
    for loaded in found.iter_mut().flatten() {
        // Whoever is asked for twice is still one.
        loaded.claims.dedup_by_key(|claim| claim.sequence);
    }
    Ok(found)
}

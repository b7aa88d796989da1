//! Reads of packets: gathered, as they are half of every open.

use futures::future::try_join;
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;

use super::error::Error;
use super::rows::{Columns, claim_columns, packet_columns, uuid};
use super::sessions::{ANSWER, Client, Sessions};
use hongbao_domain::{PacketKey, UserId};
use hongbao_store::gatherer::{Bounds, Gatherer, Operation};
use hongbao_store::{Loaded, Lookup, StoreError};

/// At most so many lists wait, and so many packets are read at once, save where one list has more.
const BOUNDS: Bounds = Bounds { queue: 8192, batch: 512 };

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

/// What is found of each packet.
type Found = Vec<Result<Option<Loaded>, StoreError>>;

/// Packets and users that are asked for, and who waits for the answer.
struct Load {
    asked: Vec<(PacketKey, Vec<UserId>)>,
    reply: oneshot::Sender<Result<Found, StoreError>>,
}

impl Operation for Load {
    fn size(&self) -> usize {
        self.asked.len()
    }
}

/// The one reader of packets of this process.
pub(super) struct Loads {
    gatherer: Gatherer<Load>,
}

impl Loads {
    pub(super) fn start(sessions: &Sessions) -> Self {
        let sessions = sessions.clone();
        Self {
            gatherer: Gatherer::on_runtime(BOUNDS, 1, move |batch| {
                let sessions = sessions.clone();
                async move { read(&sessions, batch).await }
            }),
        }
    }

    pub(super) async fn load_all(&self, lookups: &[Lookup<'_>]) -> Found {
        if lookups.is_empty() {
            return Vec::new();
        }
        let asked = lookups.iter().map(|asked| (asked.key.clone(), asked.users.to_vec())).collect();
        let found = self.gatherer.ask(|reply| Load { asked, reply }).await;
        StoreError::to_each(found, lookups.len())
    }
}

async fn read(sessions: &Sessions, batch: Vec<Load>) {
    let asked: Vec<_> = batch.iter().flat_map(|load| &load.asked).collect();
    let found = sessions.with(ANSWER, async |client| found(client, &asked).await).await;
    // A caller that went away wants no answer.
    match found {
        Ok(found) => {
            let mut found = found.into_iter();
            for Load { asked, reply } in batch {
                let _ = reply.send(Ok(found.by_ref().take(asked.len()).collect()));
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
async fn found(client: &Client, asked: &[&(PacketKey, Vec<UserId>)]) -> Result<Found, Error> {
    let of_users = || {
        let numbered = (1_i64..).zip(asked);
        numbered.flat_map(|(item, (key, users))| users.iter().map(move |user| (item, key, user)))
    };
    let ids: Vec<_> = asked.iter().map(|(key, _)| uuid(key.packet)).collect();
    let tenants: Vec<_> = asked.iter().map(|(key, _)| key.tenant.as_str()).collect();
    let items: Vec<_> = of_users().map(|(item, ..)| item).collect();
    let packets: Vec<_> = of_users().map(|(_, key, _)| uuid(key.packet)).collect();
    let of: Vec<_> = of_users().map(|(_, key, _)| key.tenant.as_str()).collect();
    let names: Vec<_> = of_users().map(|(_, _, user)| user.as_str()).collect();
    let first = client.prepare_cached(PACKETS).await?;
    let second = client.prepare_cached(CLAIMS).await?;
    let of_packets: [&(dyn ToSql + Sync); 2] = [&ids, &tenants];
    let of_claims: [&(dyn ToSql + Sync); 4] = [&items, &packets, &of, &names];
    let both = try_join(client.query(&first, &of_packets), client.query(&second, &of_claims));
    let (packet_rows, claim_rows) = both.await?;
    let mut found: Found = asked.iter().map(|_| Ok(None)).collect();
    for row in &packet_rows {
        let mut columns = Columns::of(row);
        let item: usize = columns.number()?;
        // A row that cannot be read is told to whoever asked for it alone.
        let packet = columns.packet().map_err(StoreError::from);
        if let Some(slot) = found.get_mut(item.wrapping_sub(1)) {
            *slot = packet.map(|packet| Some(Loaded { packet, claims: Vec::new() }));
        }
    }
    for row in &claim_rows {
        let mut columns = Columns::of(row);
        let item: usize = columns.number()?;
        let claim = columns.claim().map_err(StoreError::from);
        let Some(slot) = found.get_mut(item.wrapping_sub(1)) else { continue };
        match (claim, slot) {
            (Ok(claim), Ok(Some(loaded))) => loaded.claims.push(claim),
            (Err(error), slot) => *slot = Err(error),
            (Ok(_), Ok(None) | Err(_)) => {}
        }
    }
    for loaded in found.iter_mut().filter_map(|found| found.as_mut().ok()?.as_mut()) {
        // Whoever is asked for twice is still one.
        loaded.claims.dedup_by_key(|claim| claim.sequence);
    }
    Ok(found)
}

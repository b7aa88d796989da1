//! The ledger of real runs: a PostgreSQL database that any number of hosts share. The service's
//! [records](PostgresRegistry) are in it as well.
//!
//! The rules of the books are in the database, as constraints and triggers (`migrations/`). The
//! checks in Rust only say which rule it was.
//!
//! What users wait for is gathered: while one statement is under way, the claims of all packets
//! (and likewise the reads) of this process come together and go in the next, in one round trip
//! and one transaction. `synchronous_commit` is on: what is acknowledged has reached the disk,
//! and the synchronous standby where there is one.
//!
//! Several hosts may stand in the URL; whichever is the primary is used. A server that is away
//! makes calls [`Unavailable`](StoreError::Unavailable) within seconds, and nothing has to be
//! done when it is back.

#![warn(missing_docs)]

mod address;
mod audit;
mod claim;
mod connector;
mod diagnosis;
mod error;
mod guards;
mod history;
mod lists;
mod load;
mod migrate;
mod money_events;
mod open;
mod parameters;
mod places;
mod pooler;
mod probe;
mod read;
mod record;
mod registry;
mod rights;
mod rows;
mod sequences;
mod sessions;
mod settings;
mod settle;
mod tls;
mod wallets;
mod watch;
mod withdrawals;
mod write;

use std::time::Duration;

use async_trait::async_trait;

pub use self::migrate::Schema;
pub use self::open::OpenError;
pub use self::registry::PostgresRegistry;
pub use self::tls::TlsError;

use self::address::{Address, REHEARSAL};
use self::claim::Writers;
use self::error::Error;
use self::load::Loads;
use self::record::Records;
use self::sessions::{ANSWER, Client, LONG, Sessions};
use hongbao_domain::{Claim, MoneyEvent, MoneyEventId, Name, Packet, PacketId, PacketKey, TenantId, UserId};
use hongbao_store::{
    Attempt, Audit, AuditLedger, Backlog, Claimed, Closed, Discrepancy, Due, History, Loaded, Lookup,
    MoneyEvents, NewPacket, PacketLedger, PacketLists, Parked, Recorded, Settled, Settlement, StoreError,
};

/// Connections of one ledger. Claims and reads are gathered, so few carry much.
const MOST: usize = 8;

/// A ledger in PostgreSQL, 14 or later.
pub struct PostgresLedger {
    sessions: Sessions,
    records: Records,
    claims: Writers,
    loads: Loads,
    history: History,
}

/// Whether a URL can be used at all. Connects to nobody.
///
/// # Errors
/// What is wrong with it; see [`OpenError::Url`].
pub fn check_url(url: &str) -> Result<(), OpenError> {
    Address::parse(url).map(drop)
}

impl PostgresLedger {
    /// Opens the books of a database: `postgres://user:password@host:5432/database`, with several
    /// hosts separated by commas, and with libpq's parameters for TLS (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`,
    /// `sslnegotiation`, `channel_binding`). On a tokio runtime, which it stays on.
    ///
    /// # Errors
    /// When the database cannot be reached, or is not ours, not whole or not of our version.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        address.check(REHEARSAL, &rights::LEDGER).await?;
        let history = History::default();
        address.learn(&history).await?;
        let connector = address.connector.learning(history.clone());
        let sessions = Sessions::new(connector, MOST, &rights::LEDGER)
            .map_err(|error| OpenError::Url(error.to_string()))?;
        Ok(Self {
            records: Records::start(&sessions),
            claims: Writers::start(&sessions),
            loads: Loads::start(&sessions),
            sessions,
            history,
        })
    }

    /// Makes the books of a database, or brings them to our version; gives how they stood before.
    ///
    /// # Errors
    /// As [`PostgresLedger::open`]. Then the database is as it was.
    pub async fn migrate(url: &str) -> Result<Schema, OpenError> {
        Address::parse(url)?.migrate().await
    }

    async fn with<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        Ok(self.sessions.with(patience, act).await?)
    }

    /// As [`with`](Self::with), for what moves money.
    async fn write<T>(
        &self,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        Ok(self.sessions.write(ANSWER, act).await?)
    }
}

#[async_trait]
impl PacketLedger for PostgresLedger {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        self.records.record_all(packets, now_ms).await
    }

    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        self.loads.load_all(lookups).await
    }

    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        self.claims.claim_all(&self.loads, attempts, now_ms).await
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        self.write(async |client| write::close(client, key, expected_version, now_ms).await).await
    }
}

#[async_trait]
impl PacketLists for PostgresLedger {
    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError> {
        self.with(ANSWER, async |client| write::recorded(client, tenant, sender, key).await).await
    }

    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError> {
        self.with(ANSWER, async |client| read::claims(client, key, cursor, limit).await).await
    }

    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let cursor = cursor.as_ref();
        self.with(ANSWER, async |client| read::due(client, tenant, now_ms, cursor, limit).await).await
    }

    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.with(ANSWER, async |client| read::open_packets(client, tenant, cursor, limit).await).await
    }

    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.with(ANSWER, async |client| lists::recent(client, tenant, room, before, limit).await).await
    }

    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.with(ANSWER, async |client| lists::recent_packets(client, tenant, room, before, limit).await)
            .await
    }

    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.with(ANSWER, async |client| lists::sent(client, tenant, user, before, limit).await).await
    }
}

#[async_trait]
impl Settlement for PostgresLedger {
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError> {
        Ok(settle::settle(&self.sessions, limit, now_ms).await?)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.with(ANSWER, async |client| settle::backlog(client).await).await
    }

    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.with(ANSWER, async |client| settle::parked(client, limit).await).await
    }

    async fn unpark(&self) -> Result<u64, StoreError> {
        self.write(async |client| settle::unpark(client).await).await
    }
}

#[async_trait]
impl MoneyEvents for PostgresLedger {
    async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        self.with(ANSWER, async |client| money_events::after(client, tenant, after, limit).await).await
    }

    async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError> {
        self.with(ANSWER, async |client| money_events::last(client, tenant).await).await
    }
}

#[async_trait]
impl AuditLedger for PostgresLedger {
    fn history(&self) -> History {
        self.history.clone()
    }

    async fn server_ms(&self) -> Result<Option<u64>, StoreError> {
        self.with(ANSWER, async |client| read::server_ms(client).await).await.map(Some)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.sessions.check().await?;
        self.with(ANSWER, async |client| {
            history::learn(client, &self.history).await?;
            probe::write(client).await
        })
        .await
    }

    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        self.with(LONG, async |client| audit::audit(client, tenant).await).await
    }

    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        self.with(LONG, async |client| audit::verify(client, tenant).await).await
    }
}

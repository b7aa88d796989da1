//! The embedded ledger: one SQLite database in a directory. Beside it, in a file of its own, the
//! service's [records](SqliteRegistry).
//!
//! Write-ahead logging with `synchronous=FULL`: what is acknowledged has been flushed to the
//! disk. One thread writes, whatever has gathered in one transaction (see
//! [`gatherer`](hongbao_store::gatherer)); a few read, each batch from one snapshot, and never
//! wait for the writer. Several processes may have the same directory open: each transaction
//! takes the database's lock before its first read.
//!
//! The rules of the books are in the database, as constraints and triggers
//! (`migrations/`). The checks here come first only because they can say which
//! rule it was.

#![warn(missing_docs)]

mod audit;
mod batch;
mod beside;
mod error;
mod guard;
mod history;
mod lists;
mod migrate;
mod money_events;
mod open;
mod open_error;
mod probe;
mod read;
mod registry;
mod rows;
mod sessions;
mod settle;
#[cfg(test)]
mod tests;
mod wallets;
mod withdrawals;
mod write;

use std::path::Path;

use async_trait::async_trait;
use futures::future::join_all;
use rusqlite::Connection;

pub use self::open_error::OpenError;
pub use self::registry::SqliteRegistry;

use self::error::Error;
use self::guard::Guard;
use self::sessions::Sessions;
use hongbao_domain::{Claim, MoneyEvent, MoneyEventId, Name, Packet, PacketId, PacketKey, TenantId, UserId};
use hongbao_store::{
    Attempt, Audit, AuditLedger, Backlog, Claimed, Closed, Discrepancy, Due, History, Loaded, Lookup,
    MoneyEvents, NewPacket, PacketLedger, PacketLists, Parked, Recorded, Settled, Settlement, StoreError,
    checks,
};

/// Threads that read.
const READERS: usize = 2;

/// A ledger in a directory.
pub struct SqliteLedger {
    sessions: Sessions,
    history: History,
}

impl SqliteLedger {
    /// Opens the ledger of a directory. Both are made where they are missing, and an older
    /// database is brought to this version.
    ///
    /// # Errors
    /// See [`OpenError`]. Whatever was there stays as it was.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let sessions = Sessions::open(directory, migrate::BOOKS, "ledger", READERS)?;
        let history = history::of(sessions.path())?;
        Ok(Self { sessions, history })
    }

    /// Whoever is the only one to serve from the directory begins another history of its books: the file may
    /// be an older copy of the one that was there before, and nothing in it would say so.
    ///
    /// # Errors
    /// When the file takes no writes.
    pub async fn begin_history(&self) -> Result<(), StoreError> {
        let name = self.write(history::begin).await?;
        self.history.goes_on_as(&name);
        Ok(())
    }

    /// When money was last moved, by the clock of whoever moved it; None where it never was.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn latest_ms(&self) -> Result<Option<u64>, StoreError> {
        self.read(history::latest).await
    }

    /// Whether a directory has a ledger.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        migrate::BOOKS.is_in(directory)
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sessions.write(operation).await
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sessions.read(question).await
    }

    /// For questions that read whole tables: a connection and a snapshot of their own, so that
    /// nobody who is served waits behind them.
    async fn survey<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.sessions.path().to_owned();
        let survey = tokio::task::spawn_blocking(move || {
            let mut db = open::surveyor(&path).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            let snapshot = db.transaction().map_err(Error::from)?;
            Ok(question(&snapshot)?)
        });
        survey.await.unwrap_or_else(|error| Err(StoreError::Unavailable(Box::new(error))))
    }
}

#[async_trait]
impl PacketLedger for SqliteLedger {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        // Each is an operation of its own, which may fail alone; the writer takes them together.
        let record = async |NewPacket { key, order }: NewPacket| {
            checks::order(&order, now_ms)?;
            self.write(move |db| write::record(db, &key.tenant, key.packet, &order, now_ms)).await
        };
        join_all(packets.into_iter().map(record)).await
    }

    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        let asked: Vec<_> = lookups.iter().map(|asked| (asked.key.clone(), asked.users.to_vec())).collect();
        let load = move |db: &Connection| {
            Ok(asked.iter().map(|(key, users)| Ok(read::load(db, key, users)?)).collect())
        };
        StoreError::to_each(self.read(load).await, lookups.len())
    }

    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let claim = async |Attempt { key, version, shares }: Attempt| {
            self.write(move |db| write::claim(db, &key, version, &shares, now_ms)).await
        };
        join_all(attempts.into_iter().map(claim)).await
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let key = key.clone();
        self.write(move |db| write::close(db, &key, expected_version, now_ms)).await
    }
}

#[async_trait]
impl PacketLists for SqliteLedger {
    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError> {
        let (tenant, sender, key) = (tenant.clone(), sender.clone(), key.clone());
        self.read(move |db| write::find_by_key(db, &tenant, &sender, &key)).await
    }

    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError> {
        let key = key.clone();
        self.read(move |db| read::claims(db, &key, cursor, limit)).await
    }

    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let tenant = tenant.cloned();
        self.read(move |db| read::due(db, tenant.as_ref(), now_ms, cursor.as_ref(), limit)).await
    }

    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| read::open_packets(db, &tenant, cursor, limit)).await
    }

    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        let (tenant, room) = (tenant.clone(), room.clone());
        self.read(move |db| lists::recent(db, &tenant, &room, before, limit)).await
    }

    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        let (tenant, room) = (tenant.clone(), room.clone());
        self.read(move |db| lists::recent_packets(db, &tenant, &room, before, limit)).await
    }

    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| lists::sent(db, &tenant, &user, before, limit)).await
    }
}

#[async_trait]
impl Settlement for SqliteLedger {
    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError> {
        self.write(move |db| settle::settle(db, limit, now_ms)).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.survey(settle::backlog).await
    }

    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.survey(move |db| settle::parked(db, limit)).await
    }

    async fn unpark(&self) -> Result<u64, StoreError> {
        self.write(settle::unpark).await
    }
}

#[async_trait]
impl MoneyEvents for SqliteLedger {
    async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| money_events::after(db, &tenant, after, limit)).await
    }

    async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| money_events::last(db, &tenant)).await
    }
}

#[async_trait]
impl AuditLedger for SqliteLedger {
    fn history(&self) -> History {
        self.history.clone()
    }

    async fn server_ms(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.read(lists::check).await?;
        self.write(probe::write).await
    }

    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        let (tenant, path) = (tenant.clone(), self.sessions.path().to_owned());
        self.survey(move |db| {
            // Sums that agree say nothing where what keeps them so is gone.
            Guard::new(&path, migrate::BOOKS)?.look(db)?;
            audit::audit(db, &tenant)
        })
        .await
    }

    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        let (tenant, path) = (tenant.clone(), self.sessions.path().to_owned());
        self.survey(move |db| audit::verify(db, &Guard::new(&path, migrate::BOOKS)?, &tenant)).await
    }
}

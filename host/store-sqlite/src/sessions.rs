//! The threads of a database: one that writes, and some that read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use super::error::Error;
use super::guard::Guard;
use super::migrate::Series;
use super::open_error::OpenError;
use super::{batch, open};
use hongbao_store::StoreError;
use hongbao_store::gatherer::{Bounds, Gatherer, GathererError};
use hongbao_store::job::Job;

/// A queue of this length is worked off in about a second on a slow disk.
const WRITES: Bounds = Bounds { queue: 8192, batch: 1024 };
/// Batches of reads are small, so that a snapshot does not keep the log from being recycled.
const READS: Bounds = Bounds { queue: 8192, batch: 256 };

/// An open database: its file, and the threads with their connections.
pub(super) struct Sessions {
    path: PathBuf,
    /// Before the writer, since the last connection to close tidies up and must be able to write.
    readers: Vec<Gatherer<Job<Connection>>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    writer: Gatherer<Job<Connection>>,
}

impl Sessions {
    /// Opens the database of a series in a directory, and starts its threads, which are named after
    /// `name`.
    pub(super) fn open(
        directory: &Path,
        series: Series<'_>,
        name: &str,
        readers: usize,
    ) -> Result<Self, OpenError> {
        let (db, path) = open::writer(directory, series)?;
        let mut guard = Guard::new(&path, series).map_err(|error| OpenError::other(&path, error))?;
        let readers = (0..readers).map(|_| reader(&path, name)).collect::<Result<_, _>>()?;
        let writer = format!("{name}-writer");
        let writer = Gatherer::on_thread(&writer, WRITES, move |jobs| batch::write(&db, &mut guard, jobs))
            .map_err(|error| OpenError::other(&path, error))?;
        Ok(Self { path, readers, turn: AtomicUsize::new(0), writer })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Carries a write out, in one transaction with others that have gathered.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.run(move |db| Ok(operation(db)?)).await
    }

    /// Answers a question from a snapshot that has all that was acknowledged before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len().max(1);
        let reader = self.readers.get(turn).ok_or(GathererError::Ended)?;
        reader.run(move |db| Ok(question(db)?)).await
    }
}

fn reader(path: &Path, name: &str) -> Result<Gatherer<Job<Connection>>, OpenError> {
    let db = open::reader(path)?;
    let thread = Gatherer::on_thread(&format!("{name}-reader"), READS, move |jobs| batch::read(&db, jobs));
    thread.map_err(|error| OpenError::other(path, error))
}

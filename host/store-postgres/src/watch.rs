//! Looks after the guards while the ledger is used: somebody may switch them off at any time, and then no money
//! must move until they are back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Error, Unfit};
use super::guards;
use super::migrate::{self, Schema};
use super::sessions::{ANSWER, Client, Sessions};

/// Guards that were looked at so long ago are looked at again by whoever moves money next.
const EVERY: Duration = Duration::from_secs(5);

/// What is known of the guards.
#[derive(Default)]
struct Known {
    /// How the catalogue was when all guards were there.
    fingerprint: Option<String>,
    /// What is off.
    damage: Option<String>,
    /// When somebody last began to look.
    begun: Option<Instant>,
}

/// What one process knows of the guards of its books.
#[derive(Clone, Default)]
pub(super) struct Watch {
    known: Arc<Mutex<Known>>,
}

impl Watch {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change of it is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether guards are off, as far as is known.
    pub(super) fn verdict(&self) -> Result<(), Error> {
        match &self.known().damage {
            Some(damage) => Err(Unfit::Damaged(damage.clone()).into()),
            None => Ok(()),
        }
    }

    /// Looks in a task of its own if nobody has for some time: nobody waits for it.
    pub(super) fn look_now_and_then(&self, sessions: &Sessions) {
        let mut known = self.known();
        if known.begun.is_none_or(|begun| begun.elapsed() >= EVERY) {
            known.begun = Some(Instant::now());
            let (watch, sessions) = (self.clone(), sessions.clone());
            tokio::spawn(async move { _ = watch.look(&sessions).await });
        }
    }

    /// Looks, and keeps what was found.
    pub(super) async fn look(&self, sessions: &Sessions) -> Result<(), Error> {
        self.known().begun = Some(Instant::now());
        let before = self.known().fingerprint.clone();
        match sessions.with(ANSWER, async |client| look(client, before).await).await {
            Ok(fingerprint) => {
                let mut known = self.known();
                if known.damage.take().is_some() {
                    tracing::info!("the guards of the books are back");
                }
                known.fingerprint = Some(fingerprint);
                Ok(())
            }
            Err(Error::Unfit(Unfit::Damaged(what))) => {
                let mut known = self.known();
                known.fingerprint = None;
                if known.damage.as_ref() != Some(&what) {
                    tracing::error!("guards of the books are off, so no money moves: {what}");
                }
                known.damage = Some(what.clone());
                Err(Unfit::Damaged(what).into())
            }
            Err(error) => Err(error),
        }
    }
}

/// How the catalogue is, if all guards are there. It is read before they are, so that a change in between is seen
/// the next time. Books that a newer program has migrated while this one serves have guards of which this one does
/// not know: it goes on, as it may until it ends, and does not judge them.
async fn look(client: &Client, before: Option<String>) -> Result<String, Error> {
    let now = guards::fingerprint(client).await?;
    if before.as_ref() != Some(&now) {
        match migrate::schema(client).await? {
            Schema::Newer(version) => {
                tracing::warn!(
                    "the books are at schema version {version} by now: replace this host by the newer program"
                );
            }
            _ => guards::intact(client).await?,
        }
    }
    Ok(now)
}

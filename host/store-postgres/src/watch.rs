//! Looks after the guards while the ledger is used: somebody may switch them off at any time, and then no money
//! must move until they are back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connector::Client;
use super::error::{Error, Unfit};
use super::guards;
use super::migrate::{self, Schema};
use super::rights::Rights;
use super::sequences;

/// Guards that were looked at so long ago are looked at again by whoever moves money next.
const EVERY: Duration = Duration::from_secs(5);

/// What is known of the guards.
#[derive(Default)]
struct Known {
    /// How the books were when all guards were there.
    good: Option<Seen>,
    /// What is off.
    unfit: Option<Unfit>,
    /// When somebody last began to look.
    begun: Option<Instant>,
}

/// What may have changed since the last look.
#[derive(Clone)]
pub(super) struct Seen {
    /// How the catalogue was.
    fingerprint: String,
    /// The last place that a movement was given.
    place: Option<i64>,
}

impl Seen {
    /// Whether all that was there at `before` is there still. Places only rise.
    fn follows(&self, before: &Self) -> bool {
        self.fingerprint == before.fingerprint && self.place >= before.place
    }
}

/// What one process knows of the guards of its books, and of what it may do there.
#[derive(Clone)]
pub(super) struct Watch {
    known: Arc<Mutex<Known>>,
    rights: &'static Rights,
}

impl Watch {
    pub(super) fn new(rights: &'static Rights) -> Self {
        Self { known: Arc::default(), rights }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change of it is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether guards are off, as far as is known.
    pub(super) fn verdict(&self) -> Result<(), Error> {
        match &self.known().unfit {
            Some(unfit) => Err(unfit.clone().into()),
            None => Ok(()),
        }
    }

    /// Whether nobody has looked for some time. Whoever hears that it is looks.
    pub(super) fn is_due(&self) -> bool {
        let mut known = self.known();
        let is_due = known.begun.is_none_or(|begun| begun.elapsed() >= EVERY);
        if is_due {
            known.begun = Some(Instant::now());
        }
        is_due
    }

    /// Somebody is about to look; gives what was seen when all was well.
    pub(super) fn begin(&self) -> Option<Seen> {
        let mut known = self.known();
        known.begun = Some(Instant::now());
        known.good.clone()
    }

    /// How the books are, if all guards are there and all is allowed.
    pub(super) async fn look(&self, client: &Client, before: Option<Seen>) -> Result<Seen, Error> {
        look(client, self.rights, before).await
    }

    /// Keeps what was found.
    pub(super) fn learn(&self, seen: Result<Seen, Error>) -> Result<(), Error> {
        match seen {
            Ok(seen) => {
                let mut known = self.known();
                match known.unfit.take() {
                    Some(Unfit::NotPermitted(_)) => tracing::info!("the ledger's user has its rights again"),
                    Some(_) => tracing::info!("the guards of the books are back"),
                    None => {}
                }
                known.good = Some(seen);
                Ok(())
            }
            Err(Error::Unfit(unfit @ (Unfit::Damaged(_) | Unfit::NotPermitted(_)))) => {
                let mut known = self.known();
                known.good = None;
                if known.unfit.as_ref() != Some(&unfit) {
                    tell(&unfit);
                }
                known.unfit = Some(unfit.clone());
                Err(unfit.into())
            }
            Err(error) => Err(error),
        }
    }
}

fn tell(unfit: &Unfit) {
    match unfit {
        Unfit::Damaged(what) => tracing::error!("guards of the books are off, so no money moves: {what}"),
        lacking => tracing::error!("the ledger may not do its work, so no money moves: {lacking}; grant it"),
    }
}

/// How the books are, if all guards are there and all is allowed. The catalogue is read before they are, so that a
/// change in between is seen the next time. Books that a newer program has migrated while this one serves have
/// guards of which this one does not know: it goes on, as it may until it ends, and does not judge them.
async fn look(client: &Client, rights: &Rights, before: Option<Seen>) -> Result<Seen, Error> {
    rights.held(client).await?;
    let fingerprint = guards::fingerprint(client).await?;
    let is_same = before.as_ref().is_some_and(|before| before.fingerprint == fingerprint);
    if is_same {
        // Where it was not known, it is not ours to ask for.
        let place = match before.as_ref().and_then(|before| before.place) {
            Some(_) => sequences::last(client).await?,
            None => None,
        };
        let seen = Seen { fingerprint, place };
        if before.is_some_and(|before| seen.follows(&before)) {
            return Ok(seen);
        }
        guards::intact(client).await?;
        return Ok(seen);
    }
    match migrate::schema(client).await? {
        Schema::Newer(version) => {
            tracing::warn!(
                "the books are at schema version {version} by now: replace this host by the newer program"
            );
            Ok(Seen { fingerprint, place: None })
        }
        _ => {
            guards::intact(client).await?;
            Ok(Seen { fingerprint, place: sequences::last(client).await? })
        }
    }
}

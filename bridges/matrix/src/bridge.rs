//! What all parts of a running bridge share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::card::{self, Mark};
use crate::event::{self, Event};
use crate::fault::Fault;
use crate::hongbao::Hongbao;
use crate::live::Live;
use crate::matrix::Matrix;
use crate::newcomers::Newcomers;
use crate::recent::Recent;
use crate::rooms::Rooms;

/// Events and cards that are remembered, which saves asking for them; nothing depends on it.
const REMEMBERED: usize = 50_000;

/// How often a server that is not allowed is told so in a room, at most.
const TOLD_EVERY_MS: u64 = 3_600_000;

pub(crate) struct Bridge {
    pub(crate) matrix: Matrix,
    pub(crate) hongbao: Hongbao,
    /// Whose users may send and take packets.
    pub(crate) servers: Vec<String>,
    /// Of who typed a command that does not tell.
    pub(crate) language: String,
    pub(crate) rooms: Rooms,
    pub(crate) live: Live,
    newcomers: Mutex<Newcomers>,
    cards: Mutex<Recent<Option<Mark>>>,
    handled: Mutex<Recent<()>>,
    /// How often an event failed in a way that may be the same for ever.
    doubts: Mutex<Recent<u32>>,
    told: Mutex<Recent<u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Bridge {
    pub(crate) fn new(
        matrix: Matrix,
        hongbao: Hongbao,
        servers: Vec<String>,
        language: String,
        most_newcomers: usize,
    ) -> Self {
        Self {
            matrix,
            hongbao,
            servers,
            language,
            rooms: Rooms::default(),
            live: Live::default(),
            newcomers: Mutex::new(Newcomers::new(most_newcomers)),
            cards: Mutex::new(Recent::new(REMEMBERED)),
            handled: Mutex::new(Recent::new(REMEMBERED)),
            doubts: Mutex::new(Recent::new(REMEMBERED)),
            told: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    /// Whether an event was handled before, as far as this process remembers.
    pub(crate) fn is_handled(&self, event: &str) -> bool {
        lock(&self.handled).get(event).is_some()
    }

    pub(crate) fn set_handled(&self, event: &str) {
        lock(&self.handled).put(event.to_owned(), ());
    }

    /// Counts a failure of an event; gives how many there were.
    pub(crate) fn doubt(&self, event: &str) -> u32 {
        let mut doubts = lock(&self.doubts);
        let count = doubts.get(event).map_or(1, |count| count.saturating_add(1));
        doubts.put(event.to_owned(), count);
        count
    }

    pub(crate) fn allows(&self, user: &str) -> bool {
        let server = event::server(user);
        self.servers.iter().any(|allowed| allowed == server)
    }

    /// Whether it is time to say something again in a room; the next time is later.
    pub(crate) fn may_tell(&self, room: &str, about: &str) -> bool {
        let (key, now) = (format!("{room} {about}"), now_ms());
        let mut told = lock(&self.told);
        let is_due = told.get(&key).is_none_or(|at| now.saturating_sub(*at) >= TOLD_EVERY_MS);
        if is_due {
            told.put(key, now);
        }
        is_due
    }

    /// Whether a user may take shares now: one of too many new users may not.
    pub(crate) async fn admits(&self, user: &str) -> Result<bool, Fault> {
        if lock(&self.newcomers).is_known(user) {
            return Ok(true);
        }
        if self.hongbao.knows(user).await? {
            lock(&self.newcomers).know(user);
            return Ok(true);
        }
        Ok(lock(&self.newcomers).admit(user, event::server(user), now_ms()))
    }

    /// The card that a message is; none where it is another message.
    pub(crate) async fn card(&self, room: &str, message: &str) -> Result<Option<Mark>, Fault> {
        let key = format!("{room} {message}");
        if let Some(known) = lock(&self.cards).get(&key) {
            return Ok(known.clone());
        }
        let event = self.matrix.event(room, message).await?;
        let mark = event.and_then(|event| card::mark(&event, &self.matrix.bot, room));
        lock(&self.cards).put(key, mark.clone());
        Ok(mark)
    }

    pub(crate) fn set_card(&self, room: &str, message: &str, mark: Option<Mark>) {
        lock(&self.cards).put(format!("{room} {message}"), mark);
    }

    /// Says something to users in the thread of an event. Where the bridge may not write, nothing is said.
    pub(crate) async fn tell(&self, to: &Told<'_>) -> Result<(), Fault> {
        let content = card::notice(to.body, to.html, to.root, to.users);
        let sent = self.matrix.send(to.room, "m.room.message", to.transaction, &content).await;
        match sent {
            Err(Fault::Final { code, message }) => {
                tracing::warn!(room = ?to.room, code, why = ?message, "an answer could not be given");
                Ok(())
            }
            sent => sent.map(drop),
        }
    }

    /// Says something to the sender of an event.
    pub(crate) async fn answer(&self, event: &Event, thread: Option<&str>, said: &str) -> Result<(), Fault> {
        let text = card::banged(said);
        self.tell(&Told {
            room: &event.room,
            root: card::thread(event, thread),
            transaction: &format!("hongbao.answer.{}.{}", event.id, digest(&[said])),
            users: &[&event.sender],
            body: &format!("{}: {text}", card::isolated(&event.sender)),
            html: &format!("{}: {}", card::link(&event.sender), card::escaped(&text)),
        })
        .await
    }
}

/// A notice in a thread.
pub(crate) struct Told<'a> {
    pub(crate) room: &'a str,
    /// The first event of the thread.
    pub(crate) root: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) users: &'a [&'a str],
    pub(crate) body: &'a str,
    pub(crate) html: &'a str,
}

/// A short name for texts, always the same for the same ones.
pub(crate) fn digest(texts: &[&str]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

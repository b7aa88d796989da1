//! The connection to Redis, shared by all calls and re-established when lost.
//!
//! The client sends whatever waits in one write and reads the answers in order, so concurrent
//! calls share round trips without anybody gathering them.
//!
//! When the connection is lost, one task makes another, however many calls noticed. While its
//! first attempt is under way, calls wait for it, since most losses are short. After that they are
//! told at once what went wrong, until an attempt succeeds. So a call takes at most [`CONNECT`] and
//! [`RESPONSE`] together, and a server that comes back meets one attempt at a time.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::future::join_all;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::connect::{CONNECT, Connection, RESPONSE};
use super::error::{Failure, is_lost};
use super::health::Health;
use super::url::Place;

/// So many calls may be on their way; further ones are refused at once. A server that shares its
/// machine answers as many in a good part of [`RESPONSE`], so more would only wait in vain.
const CALLS: usize = 8192;
/// So many commands are one write.
const AT_ONCE: usize = 512;
/// The first pause between two attempts to connect. It doubles up to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The last pause.
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(500);
/// The pause where only a person can put it right, such as a wrong password: some servers count these.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// The one connection.
pub(super) struct Link {
    place: Place,
    /// A key that every attempt to connect writes to, to see that it may.
    probe: String,
    calls: Semaphore,
    state: watch::Sender<State>,
    /// Is told when the server cannot be reached, and when it can again.
    health: Arc<Health>,
    started: Instant,
    /// When the server was last heard, in milliseconds since `started`.
    heard_ms: AtomicU64,
}

/// One of the masters, and the connection that leads to it.
pub(super) struct Master {
    connection: Connection,
    generation: u64,
}

enum State {
    Up {
        connection: Connection,
        /// Which connection this is, so that a late complaint about an earlier one is not taken
        /// for one about this.
        generation: u64,
    },
    /// Lost a moment ago.
    Connecting,
    /// The last attempt came to this.
    Down(Arc<Failure>),
}

impl Link {
    /// Connects for the first time.
    pub(super) async fn new(place: Place, probe: String, health: Arc<Health>) -> Result<Arc<Self>, Failure> {
        let connection = place.connect(&probe).await?;
        Ok(Self::with(place, probe, health, State::Up { connection, generation: 0 }))
    }

    /// Connects for the first time; where that fails and may go better later, goes on trying.
    pub(super) async fn join(place: Place, probe: String, health: Arc<Health>) -> Result<Arc<Self>, Failure> {
        let failure = match place.connect(&probe).await {
            Ok(connection) => {
                return Ok(Self::with(place, probe, health, State::Up { connection, generation: 0 }));
            }
            Err(failure) if failure.fault().is_none_or(|fault| fault.is_mistake()) => return Err(failure),
            Err(failure) => failure,
        };
        health.link_failed(&failure);
        let link = Self::with(place, probe, health, State::Down(Arc::new(failure)));
        tokio::spawn(reconnect(Arc::downgrade(&link), 1));
        Ok(link)
    }

    fn with(place: Place, probe: String, health: Arc<Health>, state: State) -> Arc<Self> {
        let (calls, started, heard_ms) = (Semaphore::new(CALLS), Instant::now(), AtomicU64::new(0));
        let state = watch::Sender::new(state);
        Arc::new(Self { place, probe, calls, state, health, started, heard_ms })
    }

    /// Where the servers are, for messages.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.place.is_cluster()
    }

    /// Sends a command about a key. Once more where the connection turns out to be closed: the
    /// server may have been restarted long ago, or have closed a connection that was idle. All
    /// commands may be repeated.
    pub(super) async fn call(self: &Arc<Self>, command: &Cmd, key: &str) -> Result<Value, Failure> {
        let _permit = self.calls.try_acquire().map_err(|_| Failure::Busy)?;
        self.call_uncounted(command, key).await
    }

    /// The same with commands that each have a key, and answers in their order. One server is sent them in one write;
    /// a cluster's nodes get each their own.
    pub(super) async fn call_all(
        self: &Arc<Self>,
        commands: &[Cmd],
        keys: &[&str],
    ) -> Vec<Result<Value, Failure>> {
        if let ([command], [key]) = (commands, keys) {
            return vec![self.call(command, key).await];
        }
        if self.is_cluster() {
            return join_all(commands.iter().zip(keys).map(|(command, key)| self.call(command, key))).await;
        }
        let mut answers = Vec::with_capacity(commands.len());
        for part in commands.chunks(AT_ONCE) {
            answers.extend(match self.call_part(part).await {
                Ok(answers) => answers,
                Err(failure) => vec![Err(failure); part.len()],
            });
        }
        answers
    }

    async fn call_part(self: &Arc<Self>, commands: &[Cmd]) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let permits = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        let _permits = self.calls.try_acquire_many(permits).map_err(|_| Failure::Busy)?;
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let started = Instant::now();
        match self.try_call_all(&pipeline).await {
            Err(Failure::Redis(error)) if error.is_connection_dropped() => {
                let left = (CONNECT + RESPONSE).saturating_sub(started.elapsed());
                timeout(left, self.try_call_all(&pipeline)).await.unwrap_or(Err(Failure::Late))
            }
            answers => answers,
        }
    }

    async fn try_call_all(
        self: &Arc<Self>,
        commands: &Pipeline,
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let (mut connection, generation) = self.connection().await?;
        let answers = match connection.send_all(commands).await {
            Ok(answers) => answers,
            Err(error) => {
                self.look_at(&connection, generation, &error);
                return Err(Failure::Redis(error));
            }
        };
        // Answers came, whatever they say.
        self.heard_ms.store(self.now_ms(), Ordering::Relaxed);
        let answer = |answer: redis::RedisResult<Value>| {
            answer.inspect_err(|error| self.look_at(&connection, generation, error)).map_err(Failure::Redis)
        };
        Ok(answers.into_iter().map(answer).collect())
    }

    /// The same for probes and housekeeping, which must get through where as many calls wait as may, and take
    /// no caller's place.
    pub(super) async fn call_uncounted(self: &Arc<Self>, command: &Cmd, key: &str) -> Result<Value, Failure> {
        let started = Instant::now();
        match self.try_call(command, key).await {
            Err(Failure::Redis(error)) if error.is_connection_dropped() => {
                let left = (CONNECT + RESPONSE).saturating_sub(started.elapsed());
                timeout(left, self.try_call(command, key)).await.unwrap_or(Err(Failure::Late))
            }
            answer => answer,
        }
    }

    async fn try_call(self: &Arc<Self>, command: &Cmd, key: &str) -> Result<Value, Failure> {
        let (mut connection, generation) = self.connection().await?;
        let answer = connection.send(command, key).await;
        match &answer {
            Ok(_) => self.heard_ms.store(self.now_ms(), Ordering::Relaxed),
            Err(error) => self.look_at(&connection, generation, error),
        }
        answer.map_err(Failure::Redis)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Whether the server answered others lately. Then it is slow and not away, and to leave would
    /// throw away all that it is working on.
    fn is_busy(&self) -> bool {
        let silence_ms = self.now_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed));
        Duration::from_millis(silence_ms) < RESPONSE
    }

    /// The masters, to be asked about all keys.
    pub(super) async fn masters(self: &Arc<Self>) -> Result<Vec<Master>, Failure> {
        // A connection that was closed while nobody used it is replaced by this.
        self.call_uncounted(redis::cmd("UNLINK").arg(&self.probe), &self.probe).await?;
        let (mut connection, generation) = self.connection().await?;
        let masters = connection.masters().await;
        let masters = masters.inspect_err(|error| self.look_at(&connection, generation, error))?;
        Ok(masters.into_iter().map(|connection| Master { connection, generation }).collect())
    }

    /// The masters of a cluster and their slots, from any node.
    pub(super) async fn slots(self: &Arc<Self>) -> Result<Value, Failure> {
        let (mut connection, generation) = self.connection().await?;
        let answer = connection.slots().await;
        Ok(answer.inspect_err(|error| self.look_at(&connection, generation, error))?)
    }

    /// Sends a command to one of the masters.
    pub(super) async fn ask(self: &Arc<Self>, master: &mut Master, command: &Cmd) -> Result<Value, Failure> {
        let answer = master.connection.send(command, "").await;
        Ok(answer.inspect_err(|error| self.look_at(&master.connection, master.generation, error))?)
    }

    /// The present connection. Waits where one is about to be there.
    async fn connection(&self) -> Result<(Connection, u64), Failure> {
        if let Some(known) = self.known() {
            return known;
        }
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|state| !matches!(state, State::Connecting));
        // Whether it settled in time, is seen by looking once more.
        let _ = timeout(CONNECT, settled).await;
        self.known().unwrap_or(Err(Failure::Late))
    }

    fn known(&self) -> Option<Result<(Connection, u64), Failure>> {
        match &*self.state.borrow() {
            State::Up { connection, generation } => Some(Ok((connection.clone(), *generation))),
            State::Connecting => None,
            State::Down(failure) => Some(Err(Failure::Down(Arc::clone(failure)))),
        }
    }

    /// If the error says that the connection is lost, replaces it.
    fn look_at(self: &Arc<Self>, connection: &Connection, generation: u64, error: &RedisError) {
        if !is_lost(error) || connection.heals_by_itself(error) || (error.is_timeout() && self.is_busy()) {
            return;
        }
        let is_news = self.state.send_if_modified(|state| match state {
            State::Up { generation: present, .. } if *present == generation => {
                *state = State::Connecting;
                true
            }
            _ => false,
        });
        if is_news {
            // Most losses are short; one that is not is told by the first attempt that fails.
            tracing::debug!(redis = self.place.name(), "the connection to Redis is lost: {error}");
            tokio::spawn(reconnect(Arc::downgrade(self), generation + 1));
        }
    }
}

/// Tries until there is a connection, or nobody needs one any more.
async fn reconnect(link: Weak<Link>, generation: u64) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(link) = link.upgrade() else { return };
        match link.place.connect(&link.probe).await {
            Ok(connection) => {
                tracing::debug!(redis = link.place.name(), "the connection to Redis is back");
                link.heard_ms.store(link.now_ms(), Ordering::Relaxed);
                link.state.send_replace(State::Up { connection, generation });
                link.health.link_made();
                return;
            }
            Err(failure) => {
                tracing::debug!(redis = link.place.name(), "Redis cannot be reached: {failure}");
                if failure.fault().is_some_and(|fault| fault.is_mistake()) {
                    pause = LONG_PAUSE;
                }
                link.health.link_failed(&failure);
                link.state.send_replace(State::Down(Arc::new(failure)));
            }
        }
        drop(link);
        sleep(spread(pause)).await;
        pause = LAST_PAUSE.min(pause * 2);
    }
}

/// Between half of the pause and all of it, so that many hosts do not come back at the same time.
pub(super) fn spread(pause: Duration) -> Duration {
    // Each of these hashes differently, which is random enough here.
    let part = RandomState::new().hash_one(0) % 1024;
    pause / 2 + pause / 2 * part as u32 / 1024
}

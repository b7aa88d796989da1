//! Listeners of rooms, and the connection that wakes them.
//!
//! A task holds the connection and is subscribed to what somebody listens to. Listening never waits
//! for it: a room is woken once its subscription stands, so whoever read the room before that reads
//! it again. A room that nobody listens to any more is found by the next beat.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisError, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::connect::RESPONSE;
use super::error::Failure;
use super::fault::Fault;
use super::link::{FIRST_PAUSE, LAST_PAUSE, spread};
use super::url::Place;

/// How often the connection shows that it is there, and rooms that nobody listens to are left.
const BEAT: Duration = Duration::from_secs(1);
/// So many rooms are subscribed to at once.
const AT_ONCE: usize = 1024;

/// Those who listen. Dropping this ends the connection.
pub(super) struct Listeners {
    rooms: Arc<Rooms>,
    _task: JoinSet<()>,
}

/// Rooms by their channels.
#[derive(Default)]
struct Rooms {
    wakes: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// Told of a room that is new.
    is_new: Notify,
}

/// A connection for messages alone.
struct Subscription {
    sink: PubSubSink,
    messages: PubSubStream,
    /// The channels that it is subscribed to.
    channels: HashSet<String>,
}

impl Listeners {
    /// Begins to connect, and goes on until it succeeds.
    pub(super) fn start(place: Place) -> Self {
        let rooms = Arc::<Rooms>::default();
        let mut task = JoinSet::new();
        task.spawn(keep(place, Arc::clone(&rooms)));
        Self { rooms, _task: task }
    }

    pub(super) fn listen(&self, channel: String) -> watch::Receiver<u64> {
        let mut wakes = self.rooms.wakes();
        let is_new = !wakes.contains_key(&channel);
        let listener = wakes.entry(channel).or_default().subscribe();
        if is_new {
            self.rooms.is_new.notify_one();
        }
        listener
    }
}

impl Rooms {
    fn wakes(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        // Every change is one insertion or removal, so a panic leaves a whole map.
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, channel: &str) {
        if let Some(room) = self.wakes().get(channel) {
            ring(room);
        }
    }

    fn wake_all(&self) {
        self.wakes().values().for_each(ring);
    }

    /// Leaves the rooms that nobody listens to.
    fn leave(&self) {
        self.wakes().retain(|_, room| room.receiver_count() > 0);
    }
}

fn ring(room: &watch::Sender<u64>) {
    room.send_modify(|rung| *rung = rung.wrapping_add(1));
}

/// Tries out on this channel whether a subscription is allowed.
pub(super) async fn rehearse(place: &Place, channel: &str) -> Result<(), Failure> {
    let mut first = Subscription::new(place).await?;
    first.subscribe(&[channel.to_owned()]).await?;
    first.unsubscribe(&[channel.to_owned()]).await
}

/// Listens for ever; connects again whenever the connection is lost.
async fn keep(place: Place, rooms: Arc<Rooms>) {
    let mut trouble = Trouble::new(place.name());
    loop {
        // It begins with all rooms and wakes each of them, whatever was missed.
        let failure = match listen(&place, &rooms, &mut trouble).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        trouble.goes_on(&failure);
        // Also after a connection that was made: one that is of no use is made again as easily.
        sleep(spread(trouble.pause)).await;
        trouble.pause = LAST_PAUSE.min(trouble.pause * 2);
    }
}

async fn listen(place: &Place, rooms: &Rooms, trouble: &mut Trouble) -> Result<Infallible, Failure> {
    let mut subscription = Subscription::new(place).await?;
    follow(&mut subscription, rooms, place.is_cluster(), trouble).await
}

/// What keeps messages from coming, and how long to wait before the next try. That the server is away is told by
/// whoever asks it; here, only what keeps messages alone from coming.
struct Trouble {
    redis: String,
    pause: Duration,
    told: Option<Fault>,
}

impl Trouble {
    fn new(redis: String) -> Self {
        Self { redis, pause: FIRST_PAUSE, told: None }
    }

    /// The connection was not made, or is lost.
    fn goes_on(&mut self, failure: &Failure) {
        let redis = self.redis.as_str();
        tracing::debug!(redis, "the subscription to Redis is lost: {failure}");
        let fault = failure.fault().filter(|fault| fault.refuses_writes() || fault.is_mistake());
        let Some(fault) = fault.filter(|fault| self.told.as_ref() != Some(fault)) else { return };
        tracing::warn!(redis, "events: Redis cannot be subscribed to, so rooms hear late: {fault}");
        self.told = Some(fault);
    }

    /// The connection has held for a while, with a subscription if one was refused before.
    fn ends(&mut self) {
        self.pause = FIRST_PAUSE;
        if self.told.take().is_some() {
            tracing::info!(redis = self.redis.as_str(), "events: the subscription to Redis is back");
        }
    }
}

/// Wakes rooms by messages until the connection is lost.
async fn follow(
    subscription: &mut Subscription,
    rooms: &Rooms,
    is_cluster: bool,
    trouble: &mut Trouble,
) -> Result<Infallible, Failure> {
    let (mut beat, begun) = (interval(BEAT), Instant::now());
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = subscription.messages.next() => {
                let message: Msg = message.ok_or_else(closed)?;
                rooms.wake(message.get_channel_name());
                continue;
            }
            () = rooms.is_new.notified() => {}
            _ = beat.tick() => {
                rooms.leave();
                subscription.ping().await?;
                if is_cluster {
                    rooms.wake_all();
                }
            }
        }
        subscription.agree(rooms).await?;
        // What was refused was a subscription, mostly: without one nothing shows that it is allowed again.
        if begun.elapsed() >= BEAT && (trouble.told.is_none() || !subscription.channels.is_empty()) {
            trouble.ends();
        }
    }
}

fn closed() -> Failure {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset)).into()
}

/// The answer, if it comes in time.
async fn in_time<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Failure> {
    Ok(timeout(RESPONSE, call).await.map_err(|_| Failure::Late)??)
}

impl Subscription {
    async fn new(place: &Place) -> Result<Self, Failure> {
        let (sink, messages) = place.subscription().await?.split();
        Ok(Self { sink, messages, channels: HashSet::new() })
    }

    /// Subscribes to what is listened to, and to nothing else. New rooms are woken.
    async fn agree(&mut self, rooms: &Rooms) -> Result<(), Failure> {
        let (new, left) = {
            let wakes = rooms.wakes();
            let new = wakes.keys().filter(|channel| !self.channels.contains(*channel));
            let left = self.channels.iter().filter(|channel| !wakes.contains_key(*channel));
            (new.cloned().collect::<Vec<_>>(), left.cloned().collect::<Vec<_>>())
        };
        for part in new.chunks(AT_ONCE) {
            self.subscribe(part).await?;
            part.iter().for_each(|channel| rooms.wake(channel));
        }
        for part in left.chunks(AT_ONCE) {
            self.unsubscribe(part).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self, channels: &[String]) -> Result<(), Failure> {
        in_time(self.sink.subscribe(channels)).await?;
        self.channels.extend(channels.iter().cloned());
        Ok(())
    }

    async fn unsubscribe(&mut self, channels: &[String]) -> Result<(), Failure> {
        in_time(self.sink.unsubscribe(channels)).await?;
        channels.iter().for_each(|channel| {
            self.channels.remove(channel);
        });
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        in_time(self.sink.ping::<Value>()).await.map(drop)
    }
}

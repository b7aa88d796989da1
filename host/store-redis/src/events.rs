//! Room events in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use redis::{Cmd, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::error::Failure;
use super::health::{EVENTS, Health};
use super::link::{Link, spread};
use super::listeners::{self, Listeners};
use super::news::{self, Page, RoomKeys};
use super::scripts::{EventScripts, Script};
use super::shared::PROBED;
use super::url::Address;
use super::{OpenError, codec::DecodeError};
use hongbao_domain::{Event, EventId, Name, RoomKey, TenantId};
use hongbao_store::events::is_gap;
use hongbao_store::{Events, Followed, History, KEPT_EVENTS, KEPT_MS, Report, Since, StoreError};

/// Later times count as this one: what a double, the number of Lua, holds exactly.
const LATEST_MS: u64 = 1 << 53;

/// Events in Redis, told to whoever listens on any host.
///
/// **The data** of a room is two keys in one slot: a stream of events, and a hash of what the room was
/// last told of each packet, both written down in `news.rs`. To post is one script: a stale version
/// is dropped, the place is made from the caller's time and the last place, and the old events go. The
/// server's own clock forgets a room in which nothing happened for a day.
///
/// **Whoever listens is woken** by a message that the script publishes, on a channel with the name of
/// the stream. One connection of the host is subscribed to the rooms that somebody listens to. It asks
/// whether the server is still there every second; when it was lost and is made again, everybody is
/// woken, since messages may have been missed. In a cluster a message reaches every node, so one
/// connection to any of them does; since that node may be cut off from the others and not know it,
/// everybody is woken every second besides.
pub struct RedisEvents {
    link: Arc<Link>,
    namespace: String,
    scripts: Arc<EventScripts>,
    listeners: Listeners,
    /// Told of calls that are refused.
    health: Arc<Health>,
    history: Followed,
    _watch: JoinSet<()>,
}

impl RedisEvents {
    /// Connects, and tries out once that everything is allowed that events need. The URLs are those
    /// of the [module](super).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let (address, health) = Self::begin(url)?;
        let name = address.place.name();
        let failed = |failure| OpenError::new(&name, failure);
        let probe = address.probe();
        let link = Link::new(address.place, probe, Arc::clone(&health)).await.map_err(failed)?;
        let events = Self::start(url, link, address.namespace, health)?;
        events.rehearse(url).await.map_err(failed)?;
        Ok(events)
    }

    /// The same where the process must start without the server: see
    /// [`RedisCounter::join`](super::RedisCounter::join).
    ///
    /// # Errors
    /// What can only be a mistake: see [`OpenError`].
    pub async fn join(url: &str) -> Result<Self, OpenError> {
        let (address, health) = Self::begin(url)?;
        let name = address.place.name();
        let failed = |failure| OpenError::new(&name, failure);
        let probe = address.probe();
        let link = Link::join(address.place, probe, Arc::clone(&health)).await.map_err(failed)?;
        let events = Self::start(url, link, address.namespace, health)?;
        if !events.health.is_ill()
            && let Err(failure) = events.rehearse(url).await
        {
            if failure.fault().is_some_and(|fault| fault.is_mistake()) {
                return Err(failed(failure));
            }
            events.health.call_failed("", &failure);
        }
        Ok(events)
    }

    fn begin(url: &str) -> Result<(Address, Arc<Health>), OpenError> {
        let address = Address::parse(url)?;
        let health = Arc::new(Health::new(EVENTS, address.place.name()));
        Ok((address, health))
    }

    fn start(url: &str, link: Arc<Link>, namespace: String, health: Arc<Health>) -> Result<Self, OpenError> {
        let listeners = Listeners::start(Address::parse(url)?.place);
        let (scripts, history) = (Arc::new(EventScripts::new()), Followed::default());
        let mut watch = JoinSet::new();
        watch.spawn(look_after(
            Arc::clone(&link),
            Arc::clone(&scripts),
            namespace.clone(),
            Arc::clone(&health),
        ));
        Ok(Self { link, namespace, scripts, listeners, health, history, _watch: watch })
    }

    /// Does what events do, in a room that nobody asks about, and forgets it.
    async fn rehearse(&self, url: &str) -> Result<(), Failure> {
        let keys = rehearse(&self.link, &self.scripts, &self.namespace).await?;
        match Address::parse(url) {
            Ok(Address { place, .. }) => listeners::rehearse(&place, &keys.room).await,
            Err(_) => Ok(()),
        }
    }

    fn keys(&self, room: &RoomKey) -> RoomKeys {
        RoomKeys::new(&self.namespace, room)
    }

    /// Says what came of a call to whoever looks after the server.
    fn heard(&self, key: &str, answer: Result<Value, Failure>) -> Result<Value, Failure> {
        answer.inspect_err(|failure| self.health.call_failed(key, failure))
    }

    /// At most `limit` entries from this place on.
    async fn page(&self, keys: &RoomKeys, after: EventId, limit: u32) -> Result<Page, StoreError> {
        let mut command = about(&self.scripts.since, keys);
        command.arg(news::after(after)).arg(limit.max(1));
        let answer = self.heard(&keys.room, self.scripts.since.run(&self.link, &command, &keys.room).await);
        let page = answer.and_then(|answer| news::page(&answer).map_err(damaged));
        page.map_err(|failure| failure.about(&keys.room))
    }
}

fn damaged(error: DecodeError) -> Failure {
    Failure::Damaged(error.to_string())
}

/// The beginning of a command that runs a script about these keys.
fn about(script: &Script, keys: &RoomKeys) -> Cmd {
    let mut command = script.command();
    command.arg(2).arg(&keys.room).arg(&keys.told);
    command
}

fn telling(script: &Script, keys: &RoomKeys, (event, history): (&Event, Option<&str>), now_ms: u64) -> Cmd {
    let (subject, version) = news::subject(event, history);
    let mut command = about(script, keys);
    command.arg(now_ms.min(LATEST_MS)).arg(subject).arg(version).arg(news::encode(event));
    command.arg(KEPT_EVENTS).arg(KEPT_MS);
    command
}

/// Finds out whether all that events need is allowed, whenever a call says that something is not, and again until it
/// is: a room may have nothing more to tell. Never ends.
async fn look_after(link: Arc<Link>, scripts: Arc<EventScripts>, namespace: String, health: Arc<Health>) {
    loop {
        health.asked().await;
        loop {
            let outcome = rehearse(&link, &scripts, &namespace).await;
            health.probed(0, outcome.as_ref().map(|_| ()));
            // Also where it is well: calls that fail for another reason must not make it busy.
            sleep(spread(PROBED)).await;
            if !health.is_ill() {
                break;
            }
        }
    }
}

/// Does what events do, in a room that nobody asks about, and forgets it.
async fn rehearse(link: &Arc<Link>, scripts: &EventScripts, namespace: &str) -> Result<RoomKeys, Failure> {
    let nobody = || Failure::Damaged("a name that is none".into());
    let (room, sender) = (Name::new("-").ok(), hongbao_domain::UserId::new("-").ok());
    let room = RoomKey { tenant: TenantId::default(), room: room.ok_or_else(nobody)? };
    let keys = RoomKeys::rehearsal(namespace, &room);
    let sender = sender.ok_or_else(nobody)?;
    let event = Event::Message { id: room.room, sender, text: String::new() };
    // One script by its code and one by its digest: both ways have to be allowed.
    let command = scripts.tell.in_full(&telling(&scripts.tell, &keys, (&event, None), 1));
    link.call(&command, &keys.room).await?;
    let mut command = about(&scripts.since, &keys);
    command.arg("0-1").arg(1);
    scripts.since.run(link, &command, &keys.room).await?;
    let latest = redis::cmd("HGET").arg(&keys.told).arg("last").take();
    link.call(&latest, &keys.told).await?;
    let forget = redis::cmd("UNLINK").arg(&keys.room).arg(&keys.told).take();
    link.call(&forget, &keys.room).await?;
    Ok(keys)
}

#[async_trait]
impl Events for RedisEvents {
    async fn post(&self, room: &RoomKey, event: Event, now_ms: u64) -> Result<Option<EventId>, StoreError> {
        let keys = self.keys(room);
        let history = self.history.name();
        let command = telling(&self.scripts.tell, &keys, (&event, history.as_deref()), now_ms);
        let answer = self.scripts.tell.run(&self.link, &command, &keys.room).await;
        let answer = self.heard(&keys.room, answer);
        let place = answer.and_then(|answer| match answer {
            Value::Nil => Ok(None),
            place => news::place(&place).map(Some).map_err(damaged),
        });
        place.map_err(|failure| failure.about(&keys.room))
    }

    async fn latest(&self, room: &RoomKey) -> Result<EventId, StoreError> {
        let keys = self.keys(room);
        let command = redis::cmd("HGET").arg(&keys.told).arg("last").take();
        let answer = self.heard(&keys.told, self.link.call(&command, &keys.told).await);
        let place = answer.and_then(|answer| match answer {
            Value::Nil => Ok(EventId::default()),
            place => news::place(&place).map_err(damaged),
        });
        place.map_err(|failure| failure.about(&keys.told))
    }

    async fn since(&self, room: &RoomKey, after: EventId, limit: u32) -> Result<Since, StoreError> {
        let keys = self.keys(room);
        let mut page = self.page(&keys, after, limit).await?;
        let is_gap = is_gap(page.extent, after);
        // Where a later version has told what this one does not know, what comes after it counts.
        while page.events.is_empty()
            && let Some(last) = page.last.filter(|_| page.entries >= limit.max(1) as usize)
        {
            page = self.page(&keys, last, limit).await?;
        }
        page.events.truncate(limit as usize);
        Ok(Since { events: page.events, is_gap })
    }

    fn follow(&self, history: History) {
        self.history.follow(history);
    }

    fn health(&self) -> Option<Report> {
        Some(self.health.told())
    }

    async fn listen(&self, room: &RoomKey) -> Result<watch::Receiver<u64>, StoreError> {
        Ok(self.listeners.listen(self.keys(room).room))
    }
}

//! The checks of events, and the bench they work at.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::{Check, RACERS, START, amount, packet, race, tenant, user};
use crate::{Events, History, KEPT_EVENTS, Since};
use hongbao_domain::{Amount, Event, EventId, Name, News, PacketEvent, RoomKey};

mod listening;
mod reading;
mod telling;

pub(super) fn checks() -> Vec<Check<[Arc<dyn Events>; 2]>> {
    [telling::CHECKS, reading::CHECKS, listening::CHECKS].concat()
}

/// How long a listener may sleep on.
const WOKEN: Duration = Duration::from_secs(10);
/// How long nothing happens where nothing more will.
const QUIET: Duration = Duration::from_millis(300);

/// The place before the first event.
const BEGINNING: EventId = EventId { ms: 0, sequence: 0 };

/// Events under check, as two hosts have them, and a room. Times count from [`START`].
#[derive(Clone)]
struct Bench {
    here: Arc<dyn Events>,
    there: Arc<dyn Events>,
    room: RoomKey,
}

impl Bench {
    async fn run<F: Future<Output = ()> + Send>(
        [here, there]: [Arc<dyn Events>; 2],
        check: impl FnOnce(Self) -> F + Send,
    ) {
        check(Self { here, there, room: room("here", "room") }).await;
    }

    /// The same events and another room.
    fn at(&self, room: RoomKey) -> Self {
        Self { room, ..self.clone() }
    }

    /// The same room from the other host.
    fn other_host(&self) -> Self {
        let Self { here, there, room } = self.clone();
        Self { here: there, there: here, room }
    }

    /// Every second racer works from the other host.
    fn of_racer(&self, racer: u32) -> Self {
        if racer.is_multiple_of(2) { self.clone() } else { self.other_host() }
    }

    async fn post(&self, event: Event, now: u64) -> Option<EventId> {
        self.here.post(&self.room, event, START + now).await.expect("post answers")
    }

    /// Posts what is news.
    async fn tell(&self, event: Event, now: u64) -> EventId {
        self.post(event, now).await.expect("it is news")
    }

    /// Posts as many messages.
    async fn chatter(&self, messages: usize) -> Vec<EventId> {
        let mut places = Vec::new();
        for number in 0..messages {
            places.push(self.tell(message(&format!("chatter {number}")), 0).await);
        }
        places
    }

    async fn latest(&self) -> EventId {
        self.here.latest(&self.room).await.expect("latest answers")
    }

    async fn since(&self, after: EventId, limit: u32) -> Since {
        self.here.since(&self.room, after, limit).await.expect("since answers")
    }

    /// Everything that the room keeps.
    async fn all(&self) -> Vec<(EventId, Event)> {
        self.since(BEGINNING, u32::MAX).await.events
    }

    async fn is_gap(&self, after: EventId) -> bool {
        self.since(after, 1).await.is_gap
    }

    async fn listen(&self) -> watch::Receiver<u64> {
        self.here.listen(&self.room).await.expect("listen answers")
    }

    /// Somebody who listens and was not woken for a while.
    async fn asleep(&self) -> watch::Receiver<u64> {
        let mut listener = self.listen().await;
        // Being woken for nothing is allowed, so it may never be quiet.
        for _ in 0..10 {
            if timeout(QUIET, listener.changed()).await.is_err() {
                break;
            }
        }
        listener
    }
}

async fn is_woken(listener: &mut watch::Receiver<u64>) -> bool {
    timeout(WOKEN, listener.changed()).await.is_ok_and(|woken| woken.is_ok())
}

fn room(tenant_name: &str, name: &str) -> RoomKey {
    RoomKey { tenant: tenant(tenant_name), room: text(name) }
}

fn text(name: &str) -> Name {
    Name::new(name).expect("checks name things well")
}

fn message(id: &str) -> Event {
    Event::Message { id: text(id), sender: user("alice"), text: format!("says {id}") }
}

/// How the `number`th packet stands at a version.
fn progress(number: u64, version: u64) -> Event {
    of(number, version, News::Progress)
}

fn of(number: u64, version: u64, news: News) -> Event {
    Event::Packet(PacketEvent {
        packet: packet("here", number).packet,
        version,
        sender: user("alice"),
        shares: 9,
        claimed_shares: 3,
        news,
    })
}

fn version(event: &Event) -> u64 {
    match event {
        Event::Packet(event) => event.version,
        Event::Message { .. } => panic!("the check posts no messages"),
    }
}

//! The stream of a room's events: server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The store keeps a room's latest events and wakes whoever listens; a stream then reads what came
//! after the last that it told. So a wake that is lost costs a moment, and never an event.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::Service;
use crate::access::{Caller, Member};
use crate::input::{Path, room, single};
use crate::model::event::EventView;
use crate::problem::{Kind, Problem};
use crate::quota::StreamPlace;
use hongbao_domain::{EventId, IdError, RoomKey};
use hongbao_runtime::Tenant;

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Proxies close what is silent for a minute or so.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Looks without having been woken: for wakes that were lost, keys that were revoked, and tenants that
/// were suspended.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const AT_ONCE: u32 = 128;

/// Listen to a room
///
/// Events are `message`, `sent`, `progress`, `finished`, `expired`, and `gap` where some are no longer
/// kept: then ask how things stand. With `Last-Event-ID` it goes on after that event, on whichever
/// host; without, it begins now. Events are news: the ledger is the truth.
#[utoipa::path(get, path = "/v1/rooms/{room}/events", tag = "events", operation_id = "events",
    params(("room" = String, Path),
        ("Last-Event-ID" = Option<String>, Header, pattern = "^([0-9]{1,20}-[0-9]{1,20})?$")),
    responses((status = 200, description = "The stream. Each event has a name and, as its `data`, an object of this schema",
        body = EventView, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let room = RoomKey { tenant: member.tenant.id().clone(), room: room(name)? };
    let stopping = service.stopping();
    if *stopping.borrow() {
        return Err(Problem::new(Kind::UNAVAILABLE, "this host is stopping; ask again for another one"));
    }
    let place = service.quotas().stream(&member.tenant)?;
    let permit =
        service.stream_permit().ok_or_else(|| Problem::new(Kind::BUSY, "too many streams are open"))?;
    let last = last_event(&headers)?;
    // Listening comes first: what is posted between the two is seen twice rather than never.
    let wake = service.events().listen(&room).await?;
    let at = match last {
        Some(last) => last,
        None => service.events().latest(&room).await?,
    };
    service.metrics().streams.inc();
    let feed = Feed {
        service,
        caller: member.caller,
        tenant: member.tenant,
        room,
        at,
        wake,
        stopping,
        ready: VecDeque::new(),
        _permit: permit,
        _place: place,
    };
    Ok(Sse::new(unfold(feed, Feed::next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// After which event a stream goes on. One that has seen none yet may say so with an empty header.
fn last_event(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let Some(last) = single(headers, &LAST_EVENT_ID)?.filter(|last| !last.is_empty()) else {
        return Ok(None);
    };
    let last = last.to_str().map_err(|_| IdError::NotEvent).and_then(str::parse);
    last.map(Some).map_err(|error| Problem::invalid(format!("Last-Event-ID {error}")))
}

/// One stream.
struct Feed {
    service: Service,
    caller: Caller,
    tenant: Tenant,
    room: RoomKey,
    /// The last event that was read.
    at: EventId,
    wake: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// Read and not told yet.
    ready: VecDeque<sse::Event>,
    _permit: OwnedSemaphorePermit,
    /// Among those of the tenant.
    _place: StreamPlace,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.service.metrics().streams.dec();
    }
}

impl Feed {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            if *self.stopping.borrow() || self.tenant.suspension().is_any() {
                return None;
            }
            if !self.caller.is_valid(&self.service).await {
                return None;
            }
            if !self.read().await {
                self.wait().await;
            }
        }
    }

    /// Reads what is new; false where nothing is.
    async fn read(&mut self) -> bool {
        self.wake.mark_unchanged();
        let since = match self.service.events().since(&self.room, self.at, AT_ONCE).await {
            Ok(since) => since,
            Err(error) => {
                tracing::debug!(room = self.room.room.as_str(), "events wait: {error}");
                return false;
            }
        };
        if since.is_gap {
            let data = EventView::gap(self.at).data();
            self.ready.push_back(sse::Event::default().event("gap").data(data));
            if since.events.is_empty() {
                self.at = self.service.events().latest(&self.room).await.unwrap_or(self.at);
            }
        }
        for (id, event) in since.events {
            let name = event.name();
            let data = EventView::from(event).data();
            self.ready.push_back(sse::Event::default().id(id.to_string()).event(name).data(data));
            self.at = id;
        }
        !self.ready.is_empty()
    }

    async fn wait(&mut self) {
        let changed = async {
            if self.wake.changed().await.is_err() {
                // Nobody will wake it any more: look now and then.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = changed => {}
            _ = self.stopping.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

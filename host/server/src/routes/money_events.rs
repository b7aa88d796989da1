//! Events of money of a tenant: pages for those who poll, and a stream of server-sent events.
//!
//! Each event is a row of the ledger, so nothing is kept for those who listen, and they may go on after any event that
//! they were ever told. Whoever listens looks by itself: soon after this host moved money of the tenant, more and more
//! rarely while nothing is new, and at least once a second, since other hosts move money as well.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::unfold;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stream::{KEEP_ALIVE, LAST_EVENT_ID};
use crate::Service;
use crate::access::{Caller, Spokesman};
use crate::input::{Query, single};
use crate::model::money_event::{MoneyEventPage, TenantEvent};
use crate::output::Told;
use crate::problem::{Kind, Problem};
use crate::quota::StreamPlace;
use hongbao_domain::{MoneyEvent, MoneyEventId, MoneyEventKind};
use hongbao_runtime::Tenant;

/// Of a page.
const BY_DEFAULT: u32 = 100;
const AT_MOST: u32 = 1_000;
/// Of one look of a stream.
const AT_ONCE: u32 = 128;
/// Pauses between two looks.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(tenant_events))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The last event that is known: the `next` of the page before, or the `id` of an event. Empty for all from the
    /// first on. Without it pages begin with the first, and a stream now.
    #[param(max_length = 80)]
    after: Option<String>,
    /// How many of a page at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Kinds, separated by commas; all where it is left out.
    #[param(max_length = 256, example = "share.claimed,packet.refunded")]
    kinds: Option<String>,
}

/// Where to begin.
#[derive(Clone, Copy)]
enum Begin {
    Now,
    After(Option<MoneyEventId>),
}

/// Read or follow what happens to a tenant's money
///
/// Every funding, packet, claim, settlement and refund of the tenant, each once and in order: of one packet `packet.sent`,
/// then `share.claimed` by their sequence, each before its `share.settled`, and `packet.refunded` after all claims. An event is part of the
/// ledger from the moment at which the money moves, so none is lost, and reading may go on after any event at any later
/// time. Events from before the ledger had them are not told. Needs an API key with the scope `member` that is not bound to
/// a user.
///
/// With `Accept: text/event-stream` it is a stream, in which the name of an event is its kind and its `id` the place;
/// `Last-Event-ID` goes on after that event and counts more than `after`, so that a client that reconnects by itself misses
/// nothing. Otherwise it is a page: ask again with its `next`, at once while there is `more`, and as often as you like
/// otherwise.
///
/// An event that the ledger does not know is answered with 410 `cursor-gone`: it was never given, or the ledger was
/// restored from a backup and has lost it. Then compare what you know with the lists, and begin anew with an empty
/// `after` or with a stream without one. A stream to which that happens tells a `gap` and ends.
///
/// Rooms have streams of their own, with messages and the progress of packets.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "tenant_events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header, max_length = 80)),
    responses((status = 200, description = "A page, or the stream: each of its events has a name, an id and, as its \
        `data`, an object",
        content((MoneyEventPage = "application/json"), (TenantEvent = "text/event-stream")))))]
async fn tenant_events(
    State(service): State<Service>,
    spokesman: Spokesman,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kinds = Kinds::read(wanted.kinds.as_deref())?;
    let limit = limit(wanted.limit)?;
    let after = wanted.after.as_deref().map(|text| cursor(text, "after")).transpose()?;
    if !wants_stream(&headers) {
        return page(&spokesman.tenant, after.flatten(), limit, &kinds).await;
    }
    let last = single(&headers, &LAST_EVENT_ID)?.filter(|last| !last.is_empty());
    let last = last.map(|last| cursor(last.to_str().unwrap_or("?"), "Last-Event-ID")).transpose()?;
    let begin = last.or(after).map_or(Begin::Now, Begin::After);
    stream(service, spokesman, begin, kinds).await
}

fn limit(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(BY_DEFAULT);
    if (1..=AT_MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::invalid(format!("limit must be 1 to {AT_MOST}")))
}

/// The event of this id; None of an empty text, which stands before the first.
fn cursor(text: &str, name: &str) -> Result<Option<MoneyEventId>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| Problem::invalid(format!("{name} {error}")))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    accepted.flat_map(|accepted| accepted.split(',')).any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
    })
}

fn gone() -> Problem {
    let why = "the ledger knows no such event: it was never given, or the ledger was restored from a backup";
    Problem::new(Kind::CURSOR_GONE, why)
}

/// Kinds of events that are told.
struct Kinds(Vec<&'static str>);

impl Kinds {
    fn read(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self(MoneyEventKind::NAMES.to_vec()));
        };
        let known = |name: &str| MoneyEventKind::NAMES.into_iter().find(|known| *known == name);
        let unknown = || {
            let names = MoneyEventKind::NAMES.join(", ");
            Problem::invalid(format!("kinds must be among {names}, separated by commas"))
        };
        text.split(',').map(|name| known(name).ok_or_else(unknown)).collect::<Result<_, _>>().map(Self)
    }

    fn have(&self, event: &MoneyEvent) -> bool {
        self.0.contains(&event.what.name())
    }
}

async fn page(
    tenant: &Tenant,
    after: Option<MoneyEventId>,
    limit: u32,
    kinds: &Kinds,
) -> Result<Response, Problem> {
    let events = tenant.money_events(after, limit).await?.ok_or_else(gone)?;
    let next = events.last().map(|last| last.id).or(after);
    let more = events.len() == limit as usize;
    let items = events.into_iter().filter(|event| kinds.have(event)).map(Into::into).collect();
    let page = MoneyEventPage { items, next: next.map(|next| next.to_string()), more };
    Ok(Told(page).into_response())
}

async fn stream(
    service: Service,
    Spokesman { caller, tenant }: Spokesman,
    begin: Begin,
    kinds: Kinds,
) -> Result<Response, Problem> {
    let stopping = service.stopping();
    if *stopping.borrow() {
        return Err(Problem::new(Kind::UNAVAILABLE, "this host is stopping; ask again for another one"));
    }
    let place = service.quotas().stream(&tenant)?;
    let permit =
        service.stream_permit().ok_or_else(|| Problem::new(Kind::BUSY, "too many streams are open"))?;
    // Listening comes first: what happens between the two is looked for twice rather than late.
    let wake = tenant.money_moves();
    let at = match begin {
        Begin::After(after) => after,
        Begin::Now => tenant.last_money_event().await?,
    };
    let first = tenant.money_events(at, AT_ONCE).await?.ok_or_else(gone)?;
    service.metrics().streams.inc();
    let mut feed = Feed {
        service,
        caller,
        tenant,
        kinds,
        at,
        wake,
        stopping,
        pause: SHORTEST,
        ready: VecDeque::new(),
        is_over: false,
        _permit: permit,
        _place: place,
    };
    feed.take(first);
    let stream = unfold(feed, Feed::next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One stream.
struct Feed {
    service: Service,
    caller: Caller,
    tenant: Tenant,
    kinds: Kinds,
    /// The last event that was read.
    at: Option<MoneyEventId>,
    wake: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    /// Before the next look, where nothing was new.
    pause: Duration,
    /// Read and not told yet.
    ready: VecDeque<sse::Event>,
    /// What is ready is the last.
    is_over: bool,
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
            let is_over = self.is_over || *self.stopping.borrow() || self.tenant.suspension().is_any();
            if is_over || !self.caller.is_valid(&self.service).await {
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
        match self.tenant.money_events(self.at, AT_ONCE).await {
            Ok(Some(events)) => self.take(events),
            Ok(None) => {
                // It was read a moment ago: the ledger goes on without its last moments.
                let gap =
                    self.at.map(|at| sse::Event::default().event("gap").data(TenantEvent::gap(at).data()));
                self.ready.extend(gap);
                self.is_over = true;
                true
            }
            Err(error) => {
                tracing::debug!(tenant = self.tenant.id().as_str(), "events of money wait: {error}");
                false
            }
        }
    }

    /// Takes in what was read; false where it is nothing.
    fn take(&mut self, events: Vec<MoneyEvent>) -> bool {
        let Some(last) = events.last().map(|last| last.id) else { return false };
        self.at = Some(last);
        let mut told = None;
        for event in events.into_iter().filter(|event| self.kinds.have(event)) {
            let (id, name) = (event.id, event.what.name());
            let data = TenantEvent::Money(event.into()).data();
            self.ready.push_back(sse::Event::default().id(id.to_string()).event(name).data(data));
            told = Some(id);
        }
        if told != Some(last) {
            // Without data it is no event, and the client goes on from there all the same.
            self.ready.push_back(sse::Event::default().id(last.to_string()));
        }
        self.pause = SHORTEST;
        true
    }

    async fn wait(&mut self) {
        let changed = async {
            if self.wake.changed().await.is_err() {
                // Nobody will wake it any more: look now and then.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // What has moved may be told a moment later: others that began before have to end.
            () = changed => self.pause = SHORTEST,
            _ = self.stopping.changed() => {}
            () = tokio::time::sleep(self.pause) => self.pause = LONGEST.min(self.pause * 2),
        }
    }
}

//! What stands between a connection and the routes: it tells the one what the others are doing.

use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, Version, header};
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tower::Service;

use super::activity::Activity;
use super::gate::Gate;
use super::stream::Connection;

/// Begins to track what happens on a connection.
#[derive(Clone, Copy)]
pub(crate) struct Tracking;

impl<S> Accept<Connection, S> for Tracking {
    type Stream = Connection;
    type Service = Tracked<S>;
    type Future = Ready<io::Result<(Connection, Tracked<S>)>>;

    fn accept(&self, connection: Connection, inner: S) -> Self::Future {
        let ticket = connection.ticket();
        let (gate, origin, id) = (ticket.gate.clone(), ticket.origin, ticket.id);
        let client = Client { gate, origin, id, activity: Arc::clone(&ticket.activity) };
        ready(Ok((connection, Tracked { inner, client })))
    }
}

/// Who sent a request, as far as the connection tells. It is among the request's extensions.
#[derive(Clone)]
pub(crate) struct Client {
    gate: Gate,
    origin: IpAddr,
    id: u64,
    activity: Arc<Activity>,
}

impl Client {
    /// Whom the connection counts for. What a header says of other addresses is anybody's word.
    pub(crate) const fn origin(&self) -> IpAddr {
        self.origin
    }

    /// A valid API key came with the request: the connection is no stranger's any more.
    pub(crate) fn has_key(&self) {
        if !self.activity.has_key() {
            self.gate.has_key(self.id);
        }
    }
}

/// A service that tells what it is doing.
#[derive(Clone)]
pub(crate) struct Tracked<S> {
    inner: S,
    client: Client,
}

impl<S, Q, B> Service<Request<Q>> for Tracked<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let activity = Arc::clone(&self.client.activity);
        let work = Work::begin(Arc::clone(&activity), request.version() == Version::HTTP_2);
        request.extensions_mut().insert(self.client.clone());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            let work = is_stream(answer.headers()).then_some(work);
            Ok(answer.map(|body| Answer { body, activity, _work: work }))
        })
    }
}

/// Whether an answer has no end of its own.
fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Something that a connection is at work for.
struct Work(Arc<Activity>);

impl Work {
    fn begin(activity: Arc<Activity>, is_http2: bool) -> Self {
        activity.request(Instant::now(), is_http2);
        Self(activity)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.rests(Instant::now());
    }
}

/// The body of an answer, whose end is a move of the connection. A stream of events is work until it ends.
pub(crate) struct Answer<B> {
    body: B,
    activity: Arc<Activity>,
    _work: Option<Work>,
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.activity.moves(Instant::now());
    }
}

impl<B: HttpBody + Unpin> HttpBody for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

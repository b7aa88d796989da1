//! The service between a connection and the routes, which reports requests to the connection's activity.

use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode, Version, header};
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tower::Service;

use super::activity::{Activity, Holder};
use super::gate::Gate;
use super::stream::Connection;
use crate::observe::Code;
use crate::problem::Kind;
use hongbao_domain::TenantId;

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

    /// A request of this tenant's was admitted, or one of the operator's: the connection is theirs now.
    pub(crate) fn admitted(&self, tenant: Option<&TenantId>) {
        self.hold(tenant.map_or(Holder::Operator, |tenant| Holder::Tenant(tenant.clone())));
    }

    /// A request was refused to whoever sent it: the connection is a stranger's again, unless another request over it
    /// was not.
    fn refused(&self) {
        if !self.activity.is_shared() {
            self.hold(Holder::Stranger);
        }
    }

    fn hold(&self, holder: Holder) {
        self.activity.hold(holder, |holder| self.gate.hold(self.id, holder));
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
        let client = self.client.clone();
        let activity = Arc::clone(&client.activity);
        let work = Work::begin(Arc::clone(&activity), request.version() == Version::HTTP_2);
        request.extensions_mut().insert(self.client.clone());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            if is_refused(&answer) {
                client.refused();
            }
            let work = is_stream(answer.headers()).then_some(work);
            activity.answer();
            Ok(answer.map(|body| Answer { body, activity, _work: work }))
        })
    }
}

/// Whether whoever asked had no valid key, asked too often, or is suspended.
fn is_refused<B>(answer: &Response<B>) -> bool {
    let Some(Code(code)) = answer.extensions().get() else { return false };
    *code == Kind::SUSPENDED.code
        || [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&answer.status())
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
        self.activity.answered(Instant::now());
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

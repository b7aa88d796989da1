//! Connections: how many there may be, and how long one may take to send its first request.
//!
//! A connection costs a descriptor before anybody knows whose it is, and the stores of this process need descriptors
//! as well. So there is a bound on all connections, which leaves [`RESERVED`] descriptors free, and one on those of
//! an address. A connection that has not sent the head of a request yet is *silent*: it has one deadline from the
//! moment it was accepted, through the TLS handshake and the choice of the HTTP version. Where a bound is reached,
//! the oldest silent connection is closed in favour of the new one; where there is none, the new one is closed.
//!
//! A peer that does not read its answers is given up as well.

use std::collections::{BTreeMap, HashMap};
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};
use tower::Service as _;

use super::observe::HttpMetrics;

/// Descriptors that connections leave to stores, files and listeners.
pub(super) const RESERVED: u64 = 64;

/// Bounds on the connections of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub all: usize,
    /// Connections of one IPv4 address, or of one IPv6 network of 64 bits.
    pub per_address: usize,
    /// From the moment a connection is accepted to the head of its first request.
    pub first_request: Duration,
    /// So long a peer may leave what it was sent unread.
    pub unread: Duration,
}

impl Default for ConnectionLimits {
    /// Behind a proxy all connections come from one address, and half of all is still many.
    fn default() -> Self {
        Self {
            all: 10_000,
            per_address: 5_000,
            first_request: Duration::from_secs(10),
            unread: Duration::from_secs(30),
        }
    }
}

impl ConnectionLimits {
    /// The same where no more than `descriptors` may be open in this process.
    pub(super) fn within(self, descriptors: u64) -> Self {
        let reserved = RESERVED.min(descriptors / 2);
        let most = usize::try_from(descriptors - reserved).unwrap_or(usize::MAX).max(1);
        let all = self.all.min(most);
        Self { all, per_address: self.per_address.min(all), ..self }
    }
}

/// Why a connection is closed before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Closed {
    /// Too many in all, and none of them is silent.
    Full,
    /// Too many of its address, and none of them is silent.
    FullForAddress,
    /// It was silent when room was needed for another one.
    MadeRoom,
    /// It took too long.
    Silent,
}

impl Closed {
    /// In the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::FullForAddress => "full-for-address",
            Self::MadeRoom => "made-room",
            Self::Silent => "silent",
        }
    }
}

impl From<Closed> for io::Error {
    fn from(closed: Closed) -> Self {
        Self::new(io::ErrorKind::ConnectionAborted, closed.name())
    }
}

/// Whom a connection counts for: an IPv6 customer has a whole network.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 => v4,
    }
}

/// The connections there are.
#[derive(Default)]
struct Open {
    /// How many of each origin, in all.
    origins: HashMap<IpAddr, usize>,
    all: usize,
    /// Silent ones in the order in which they came. To drop the sender closes the connection.
    silent: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    next: u64,
}

impl Open {
    /// Closes the oldest silent connection, of this origin or of any.
    fn make_room(&mut self, origin: Option<IpAddr>) -> bool {
        let mut silent = self.silent.iter();
        let oldest = silent.find(|(_, (of, _))| origin.is_none_or(|origin| origin == *of));
        let oldest = oldest.map(|(id, _)| *id);
        oldest.is_some_and(|id| self.silent.remove(&id).is_some())
    }
}

/// Counts connections and bounds them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
    metrics: Arc<HttpMetrics>,
}

impl Gate {
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<HttpMetrics>) -> Self {
        Self { limits, open: Arc::default(), metrics }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in, for as long as its ticket lives.
    fn enter(&self, address: IpAddr) -> Result<(Ticket, oneshot::Receiver<()>), Closed> {
        let origin = origin(address);
        let mut open = self.open();
        let of_origin = open.origins.get(&origin).copied().unwrap_or_default();
        // One that is told to close is gone in a moment: counts may exceed their bounds by those.
        if of_origin >= self.limits.per_address && !open.make_room(Some(origin)) {
            return Err(Closed::FullForAddress);
        }
        if open.all >= self.limits.all && !open.make_room(None) {
            return Err(Closed::Full);
        }
        let (keep, told) = oneshot::channel();
        let id = open.next;
        open.next += 1;
        open.all += 1;
        *open.origins.entry(origin).or_default() += 1;
        open.silent.insert(id, (origin, keep));
        self.metrics.connections.inc();
        Ok((Ticket { gate: self.clone(), origin, id }, told))
    }
}

/// A connection that was let in.
struct Ticket {
    gate: Gate,
    origin: IpAddr,
    id: u64,
}

impl Ticket {
    /// It has sent the head of a request.
    fn speaks(&self) {
        if let Some((_, keep)) = self.gate.open().silent.remove(&self.id) {
            // The connection may be gone already.
            let _ = keep.send(());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.gate.open();
        open.silent.remove(&self.id);
        open.all -= 1;
        if let Some(count) = open.origins.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                open.origins.remove(&self.origin);
            }
        }
        self.gate.metrics.connections.dec();
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Guarded;
    type Service = Noticing<S>;
    type Future = Ready<io::Result<(Guarded, Noticing<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(stream.peer_addr().and_then(|peer| {
            let (ticket, told) = self.enter(peer.ip()).inspect_err(|closed| self.metrics.closed(*closed))?;
            stream.set_nodelay(true)?;
            let ticket = Arc::new(ticket);
            let service = Noticing { inner: service, ticket: Arc::clone(&ticket) };
            let deadline = Box::pin(sleep(self.limits.first_request));
            Ok((Guarded { stream, ticket, silent: Some(Silence { told, deadline }), stalled: None }, service))
        }))
    }
}

/// Notices that a connection has sent the head of a request.
#[derive(Clone)]
pub(super) struct Noticing<S> {
    inner: S,
    ticket: Arc<Ticket>,
}

impl<S: tower::Service<Request<B>>, B> tower::Service<Request<B>> for Noticing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.ticket.speaks();
        self.inner.call(request)
    }
}

/// What ends a silent connection.
struct Silence {
    /// Told when it speaks; closed when room is needed.
    told: oneshot::Receiver<()>,
    deadline: Pin<Box<Sleep>>,
}

/// A connection within its bounds.
pub(super) struct Guarded {
    stream: TcpStream,
    ticket: Arc<Ticket>,
    silent: Option<Silence>,
    /// Running while the peer reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    /// Whether it has to end before its first request.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Result<(), Closed> {
        let Some(silence) = &mut self.silent else { return Ok(()) };
        let closed = match Pin::new(&mut silence.told).poll(context) {
            Poll::Ready(Ok(())) => {
                self.silent = None;
                return Ok(());
            }
            Poll::Ready(Err(_)) => Closed::MadeRoom,
            Poll::Pending if silence.deadline.as_mut().poll(context).is_ready() => Closed::Silent,
            Poll::Pending => return Ok(()),
        };
        self.ticket.gate.metrics.closed(closed);
        Err(closed)
    }

    /// Bounds the time for which the peer takes nothing.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let unread = self.ticket.gate.limits.unread;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(unread)));
        std::task::ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read its answers")))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_silence(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(all: usize, per_address: usize) -> Gate {
        let limits = ConnectionLimits { all, per_address, ..ConnectionLimits::default() };
        Gate::new(limits, Arc::new(HttpMetrics::new(7)))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_silent_connection_makes_room() {
        let gate = gate(2, 2);
        let (_first, mut told_first) = gate.enter(address("10.0.0.1")).unwrap();
        let (second, mut told_second) = gate.enter(address("10.0.0.2")).unwrap();
        second.speaks();
        assert_eq!(told_second.try_recv(), Ok(()));
        let (third, _told) = gate.enter(address("10.0.0.3")).unwrap();
        assert_eq!(told_first.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        third.speaks();
        assert_eq!(gate.enter(address("10.0.0.4")).err(), Some(Closed::Full));
        drop(second);
        drop(third);
        assert!(gate.enter(address("10.0.0.4")).is_ok());
    }

    #[test]
    fn an_address_has_a_bound_of_its_own() {
        let gate = gate(10, 1);
        let (one, _told) = gate.enter(address("2001:db8::1")).unwrap();
        one.speaks();
        // The same network of 64 bits.
        assert_eq!(gate.enter(address("2001:db8::2")).err(), Some(Closed::FullForAddress));
        assert!(gate.enter(address("2001:db8:0:1::2")).is_ok());
        assert!(gate.enter(address("10.0.0.1")).is_ok());
        assert_eq!(origin(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn tickets_leave_nothing_behind() {
        let gate = gate(2, 2);
        drop(gate.enter(address("10.0.0.1")).unwrap());
        let open = gate.open();
        assert!(open.origins.is_empty() && open.silent.is_empty() && open.all == 0);
    }

    #[test]
    fn connections_leave_descriptors_to_the_stores() {
        let limits = ConnectionLimits::default();
        assert_eq!(limits.within(1024), ConnectionLimits { all: 960, per_address: 960, ..limits });
        assert_eq!(limits.within(100).all, 50);
        assert_eq!(limits.within(1_000_000), limits);
    }
}

//! Who is let in, and who makes room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use axum_server::{AddrListener, Address};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::activity::Activity;
use super::stream::Connection;
use super::{Closed, ConnectionLimits};
use crate::observe::HttpMetrics;

/// A connection with a key makes room only after so long without a request: a balancer is about to send the next
/// one over a connection that it has just used.
const IDLE_AT_LEAST: Duration = Duration::from_secs(5);

/// So often those who were told to close are given a turn before a new connection is refused.
const TURNS: usize = 8;

/// Errors of `accept` that are about the machine: too many open files, in this process or in all.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

/// Whom a connection counts for: an IPv6 customer has a whole network.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 => v4,
    }
}

/// A connection that may still be told to close, which is done by dropping `keep`.
struct Kept {
    origin: IpAddr,
    activity: Arc<Activity>,
    _keep: oneshot::Sender<()>,
}

#[derive(Default)]
struct Origin {
    /// Those that were not told to close.
    kept: usize,
    strangers: BTreeSet<u64>,
}

/// The connections there are. Numbers rise with each.
#[derive(Default)]
struct Open {
    /// In all, those included that were told to close.
    all: usize,
    next: u64,
    origins: HashMap<IpAddr, Origin>,
    /// In the order in which they came.
    strangers: BTreeMap<u64, Kept>,
    with_key: HashMap<u64, Kept>,
}

impl Open {
    fn kept(&self) -> usize {
        self.strangers.len() + self.with_key.len()
    }

    /// Whether a bound is reached, and by whom.
    fn full(&self, limits: &ConnectionLimits, origin: IpAddr) -> Option<Closed> {
        let of_origin = self.origins.get(&origin).map_or(0, |origin| origin.kept);
        if of_origin >= limits.per_address {
            Some(Closed::FullForAddress)
        } else if self.kept() >= limits.all {
            Some(Closed::Full)
        } else {
            None
        }
    }

    /// Tells one connection to close, of this origin or of any; false where all of them are at work.
    fn make_room(&mut self, origin: Option<IpAddr>, now: Instant) -> bool {
        let oldest = match origin {
            Some(origin) => self.origins.get(&origin).and_then(|origin| origin.strangers.first().copied()),
            None => self.strangers.keys().next().copied(),
        };
        let chosen = oldest.or_else(|| self.longest_idle(origin, now));
        chosen.is_some_and(|id| self.remove(id))
    }

    fn longest_idle(&self, origin: Option<IpAddr>, now: Instant) -> Option<u64> {
        let of_origin =
            self.with_key.iter().filter(|(_, kept)| origin.is_none_or(|origin| origin == kept.origin));
        let idle = of_origin.filter_map(|(id, kept)| Some((kept.activity.idle(now)?, *id)));
        idle.filter(|(idle, _)| *idle >= IDLE_AT_LEAST).max().map(|(_, id)| id)
    }

    fn add(&mut self, kept: Kept) -> u64 {
        let id = self.next;
        self.next += 1;
        self.all += 1;
        let origin = self.origins.entry(kept.origin).or_default();
        origin.kept += 1;
        origin.strangers.insert(id);
        self.strangers.insert(id, kept);
        id
    }

    /// Forgets one that ends or has to; false where it was forgotten before.
    fn remove(&mut self, id: u64) -> bool {
        let Some(kept) = self.strangers.remove(&id).or_else(|| self.with_key.remove(&id)) else {
            return false;
        };
        if let Some(origin) = self.origins.get_mut(&kept.origin) {
            origin.strangers.remove(&id);
            origin.kept -= 1;
            if origin.kept == 0 {
                self.origins.remove(&kept.origin);
            }
        }
        true
    }

    fn has_key(&mut self, id: u64) {
        let Some(kept) = self.strangers.remove(&id) else { return };
        if let Some(origin) = self.origins.get_mut(&kept.origin) {
            origin.strangers.remove(&id);
        }
        self.with_key.insert(id, kept);
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
    fn new(limits: ConnectionLimits, metrics: Arc<HttpMetrics>) -> Self {
        Self { limits, open: Arc::default(), metrics }
    }

    pub(super) const fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Counts one that the listener closes.
    pub(super) fn closed(&self, closed: Closed) {
        self.metrics.closed(closed);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells one connection to close, and counts it.
    fn make_room(&self, open: &mut Open, origin: Option<IpAddr>, now: Instant) -> bool {
        let is_made = open.make_room(origin, now);
        if is_made {
            self.closed(Closed::MadeRoom);
        }
        is_made
    }

    /// Lets a connection in, for as long as its ticket lives.
    fn enter(&self, address: IpAddr, now: Instant) -> Result<(Ticket, oneshot::Receiver<()>), Closed> {
        let origin = origin(address);
        let mut open = self.open();
        while let Some(full) = open.full(&self.limits, origin) {
            let of = (full == Closed::FullForAddress).then_some(origin);
            if !self.make_room(&mut open, of, now) {
                return Err(full);
            }
        }
        if open.all >= self.limits.at_most() {
            return Err(Closed::Full);
        }
        let (keep, told) = oneshot::channel();
        let activity = Arc::new(Activity::new(now));
        let id = open.add(Kept { origin, activity: Arc::clone(&activity), _keep: keep });
        self.metrics.connections.inc();
        Ok((Ticket { gate: self.clone(), origin, id, activity }, told))
    }

    /// The same, after those who were told to close had their turn.
    async fn admit(&self, stream: TcpStream, address: IpAddr) -> Option<Connection> {
        let mut turns = 0;
        let (ticket, told) = loop {
            match self.enter(address, Instant::now()) {
                Ok(entered) => break entered,
                Err(_) if turns < TURNS && self.open().all >= self.limits.at_most() => {
                    turns += 1;
                    yield_now().await;
                }
                Err(closed) => {
                    self.closed(closed);
                    return None;
                }
            }
        };
        // An answer is written whole, so there is nothing to wait for. Refused of a peer that is gone already.
        let _ = stream.set_nodelay(true);
        Some(Connection::new(stream, ticket, told))
    }

    /// Notes that a valid API key came over a connection.
    pub(super) fn has_key(&self, id: u64) {
        self.open().has_key(id);
    }
}

/// A connection that was let in.
pub(super) struct Ticket {
    pub(super) gate: Gate,
    pub(super) origin: IpAddr,
    pub(super) id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.gate.open();
        open.remove(self.id);
        open.all -= 1;
        self.gate.metrics.connections.dec();
    }
}

/// Where connections come in.
pub(crate) struct Listener {
    listener: TcpListener,
    gate: Gate,
}

impl Listener {
    pub(crate) fn new(
        listener: std::net::TcpListener,
        limits: ConnectionLimits,
        metrics: Arc<HttpMetrics>,
    ) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, gate: Gate::new(limits, metrics) })
    }
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Address for Peer {
    type Stream = Connection;
    type Listener = Listener;
}

impl AddrListener<Connection, Peer> for Listener {
    async fn bind_to(_: Peer) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "made of a listener that is bound already"))
    }

    /// Here and not in the connection's task: so no more than one descriptor is taken before its bounds are looked at.
    async fn accept_stream(&self) -> io::Result<(Connection, Peer)> {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                // About that one connection alone.
                Err(error)
                    if [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted]
                        .contains(&error.kind()) =>
                {
                    continue;
                }
                Err(error) => {
                    // Others than connections have taken the descriptors: give some back. The server waits for a
                    // moment before it accepts again.
                    if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
                        self.gate.make_room(&mut self.gate.open(), None, Instant::now());
                    }
                    return Err(error);
                }
            };
            if let Some(connection) = self.gate.admit(stream, address.ip()).await {
                return Ok((connection, Peer(address)));
            }
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.listener.local_addr().map(Peer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn gate(all: usize, per_address: usize) -> Gate {
        let limits = ConnectionLimits { all, per_address, ..ConnectionLimits::default() };
        Gate::new(limits, Arc::new(HttpMetrics::new(7)))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_stranger_makes_room() {
        let (gate, now) = (gate(2, 2), Instant::now());
        let (_first, mut told_first) = gate.enter(address("10.0.0.1"), now).unwrap();
        let (second, mut told_second) = gate.enter(address("10.0.0.2"), now).unwrap();
        second.activity.request(now, false);
        let (third, _told) = gate.enter(address("10.0.0.3"), now).unwrap();
        assert_eq!(told_first.try_recv(), Err(TryRecvError::Closed));
        gate.has_key(third.id);
        let (_fourth, _told) = gate.enter(address("10.0.0.4"), now).unwrap();
        assert_eq!(told_second.try_recv(), Err(TryRecvError::Closed), "at work, and still a stranger's");
    }

    #[test]
    fn of_those_with_a_key_one_that_is_idle_for_long_makes_room() {
        let (gate, now) = (gate(2, 2), Instant::now());
        let (first, mut told_first) = gate.enter(address("10.0.0.1"), now).unwrap();
        let (second, mut told_second) = gate.enter(address("10.0.0.2"), now).unwrap();
        for ticket in [&first, &second] {
            ticket.activity.request(now, false);
            gate.has_key(ticket.id);
        }
        assert_eq!(gate.enter(address("10.0.0.3"), now).err(), Some(Closed::Full), "both are at work");
        second.activity.rests(now);
        let now = now + IDLE_AT_LEAST / 2;
        assert_eq!(
            gate.enter(address("10.0.0.3"), now).err(),
            Some(Closed::Full),
            "a moment ago it was at work"
        );
        let now = now + IDLE_AT_LEAST;
        let third = gate.enter(address("10.0.0.3"), now);
        assert!(third.is_ok() && told_second.try_recv() == Err(TryRecvError::Closed));
        assert_eq!(told_first.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn an_address_has_a_bound_of_its_own() {
        let (gate, now) = (gate(10, 1), Instant::now());
        let (one, _told) = gate.enter(address("2001:db8::1"), now).unwrap();
        one.activity.request(now, false);
        gate.has_key(one.id);
        // The same network of 64 bits.
        assert_eq!(gate.enter(address("2001:db8::2"), now).err(), Some(Closed::FullForAddress));
        assert!(gate.enter(address("2001:db8:0:1::2"), now).is_ok());
        assert!(gate.enter(address("10.0.0.1"), now).is_ok());
        assert_eq!(origin(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn one_that_was_told_to_close_counts_until_it_is_gone() {
        let (gate, now) = (gate(1, 1), Instant::now());
        let held: Vec<_> =
            (0..gate.limits.at_most()).map(|_| gate.enter(address("10.0.0.1"), now).unwrap()).collect();
        assert_eq!(gate.enter(address("10.0.0.1"), now).err(), Some(Closed::Full));
        drop(held);
        assert!(gate.enter(address("10.0.0.1"), now).is_ok());
    }

    #[test]
    fn tickets_leave_nothing_behind() {
        let (gate, now) = (gate(2, 2), Instant::now());
        let (one, _told) = gate.enter(address("10.0.0.1"), now).unwrap();
        gate.has_key(one.id);
        drop(one);
        drop(gate.enter(address("10.0.0.2"), now).unwrap());
        let open = gate.open();
        assert!(open.origins.is_empty() && open.kept() == 0 && open.all == 0);
    }
}

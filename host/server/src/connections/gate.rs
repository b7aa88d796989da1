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

use super::activity::{Activity, Holder};
use super::stream::Connection;
use super::{Closed, ConnectionLimits};
use crate::observe::HttpMetrics;
use hongbao_domain::TenantId;

/// The operator's connection makes room only after so long without a request: whoever looks after the service is about
/// to send the next one over a connection that was just used.
const IDLE_AT_LEAST: Duration = Duration::from_secs(5);

/// When everything ends, a connection on which nothing was under way for so long is closed: by then the last bytes of
/// an answer have left.
const QUIET: Duration = Duration::from_secs(1);

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

/// A connection that may still be told to close: that another one needs its room where `keep` is dropped.
struct Kept {
    origin: IpAddr,
    holder: Holder,
    activity: Arc<Activity>,
    keep: oneshot::Sender<Closed>,
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
    held: HashMap<u64, Kept>,
    /// How many of those each tenant holds.
    tenants: HashMap<TenantId, usize>,
}

impl Open {
    fn kept(&self) -> usize {
        self.strangers.len() + self.held.len()
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
        chosen.is_some_and(|id| self.remove(id).is_some())
    }

    /// Of the tenant that holds most: so whoever takes what they can get makes room for the others, however often
    /// they ask for something.
    fn longest_idle(&self, origin: Option<IpAddr>, now: Instant) -> Option<u64> {
        let of_origin =
            self.held.iter().filter(|(_, kept)| origin.is_none_or(|origin| origin == kept.origin));
        let idle = of_origin
            .filter_map(|(id, kept)| Some((self.held_by(&kept.holder), kept.activity.idle(now)?, *id)));
        let idle = idle.filter(|(held, idle, _)| *held > 0 || *idle >= IDLE_AT_LEAST);
        idle.max().map(|(_, _, id)| id)
    }

    /// How many connections somebody holds; none of the operator's, who is the last to make room.
    fn held_by(&self, holder: &Holder) -> usize {
        match holder {
            Holder::Tenant(tenant) => self.tenants.get(tenant).copied().unwrap_or(0),
            Holder::Operator | Holder::Stranger => 0,
        }
    }

    fn add(&mut self, kept: Kept) -> u64 {
        let id = self.next;
        self.next += 1;
        self.all += 1;
        self.origins.entry(kept.origin).or_default().kept += 1;
        self.put(id, kept);
        id
    }

    /// Forgets one that ends or has to; None where it was forgotten before.
    fn remove(&mut self, id: u64) -> Option<Kept> {
        let kept = self.take(id)?;
        if let Some(origin) = self.origins.get_mut(&kept.origin) {
            origin.kept -= 1;
            if origin.kept == 0 {
                self.origins.remove(&kept.origin);
            }
        }
        Some(kept)
    }

    /// Puts one among those of its holder.
    fn put(&mut self, id: u64, kept: Kept) {
        match &kept.holder {
            Holder::Stranger => {
                self.origins.entry(kept.origin).or_default().strangers.insert(id);
                self.strangers.insert(id, kept);
                return;
            }
            Holder::Operator => {}
            Holder::Tenant(tenant) => *self.tenants.entry(tenant.clone()).or_default() += 1,
        }
        self.held.insert(id, kept);
    }

    /// Takes it from among them again.
    fn take(&mut self, id: u64) -> Option<Kept> {
        let kept = self.strangers.remove(&id).or_else(|| self.held.remove(&id))?;
        match &kept.holder {
            Holder::Stranger => {
                self.origins.entry(kept.origin).or_default().strangers.remove(&id);
            }
            Holder::Operator => {}
            Holder::Tenant(tenant) => {
                if let Some(held) = self.tenants.get_mut(tenant) {
                    *held -= 1;
                    if *held == 0 {
                        self.tenants.remove(tenant);
                    }
                }
            }
        }
        Some(kept)
    }

    /// Says whose it is from now on, and gives that back: what a tenant would hold beyond its part stays a stranger's.
    fn hold(&mut self, id: u64, holder: Holder, per_tenant: usize) -> Holder {
        let Some(kept) = self.take(id) else { return Holder::Stranger };
        let is_more = matches!(holder, Holder::Tenant(_)) && self.held_by(&holder) >= per_tenant;
        let holder = if is_more { Holder::Stranger } else { holder };
        self.put(id, Kept { holder: holder.clone(), ..kept });
        holder
    }

    /// Forgets those on which nothing is under way.
    fn remove_quiet(&mut self, now: Instant) -> Vec<Kept> {
        let all = self.strangers.iter().chain(&self.held);
        let quiet = all.filter(|(_, kept)| kept.activity.is_quiet(now, QUIET));
        let quiet: Vec<_> = quiet.map(|(id, _)| *id).collect();
        quiet.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}

/// Counts connections and bounds them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
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
    fn enter(&self, address: IpAddr, now: Instant) -> Result<(Ticket, oneshot::Receiver<Closed>), Closed> {
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
        let holder = Holder::Stranger;
        let id = open.add(Kept { origin, holder, activity: Arc::clone(&activity), keep });
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

    /// Notes whose a connection is from now on, and gives that back.
    pub(super) fn hold(&self, id: u64, holder: Holder) -> Holder {
        self.open().hold(id, holder, self.limits.per_tenant)
    }

    /// Tells those to close on which nothing is under way, since everything ends: half a head, or silence, is
    /// nothing to wait for.
    pub(crate) fn close_quiet(&self, now: Instant) {
        let quiet = self.open().remove_quiet(now);
        for kept in quiet {
            // Refused where it has ended by itself meanwhile.
            let _ = kept.keep.send(Closed::Stopping);
        }
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
        let _ = open.remove(self.id);
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
    pub(crate) fn gate(&self) -> Gate {
        self.gate.clone()
    }

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
        let limits = ConnectionLimits { all, per_address, per_tenant: all, ..ConnectionLimits::default() };
        Gate::new(limits, Arc::new(HttpMetrics::new(7)))
    }

    fn of(tenant: &str) -> Holder {
        Holder::Tenant(TenantId::new(tenant).unwrap())
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
        gate.hold(third.id, of("acme"));
        let (_fourth, _told) = gate.enter(address("10.0.0.4"), now).unwrap();
        assert_eq!(told_second.try_recv(), Err(TryRecvError::Closed), "at work, and still a stranger's");
    }

    #[test]
    fn of_those_that_are_held_the_longest_idle_of_the_tenant_with_most_makes_room() {
        let (gate, now) = (gate(4, 4), Instant::now());
        let holders = [of("one"), of("many"), of("many"), Holder::Operator];
        let mut held = Vec::new();
        for holder in holders {
            let (ticket, told) = gate.enter(address("10.0.0.1"), now).unwrap();
            ticket.activity.request(now, false);
            assert_eq!(gate.hold(ticket.id, holder.clone()), holder);
            held.push((ticket, told));
        }
        assert_eq!(gate.enter(address("10.0.0.3"), now).err(), Some(Closed::Full), "all are at work");
        let second = Duration::from_secs(1);
        for (ticket, after) in [(0, 0), (1, 3), (2, 2), (3, 0)] {
            held[ticket].0.activity.rests(now + after * second);
        }
        let now = now + 4 * second;
        let closed = |held: &mut Vec<(Ticket, oneshot::Receiver<Closed>)>| {
            let is_told = |told: &mut oneshot::Receiver<_>| told.try_recv() == Err(TryRecvError::Closed);
            held.iter_mut().map(|(_, told)| is_told(told)).collect::<Vec<_>>()
        };
        let (stranger, _told) = gate.enter(address("10.0.0.3"), now).unwrap();
        assert_eq!(closed(&mut held), [false, false, true, false]);
        gate.hold(stranger.id, of("other"));
        drop(gate.enter(address("10.0.0.3"), now).unwrap());
        assert_eq!(closed(&mut held), [true, false, true, false], "all hold one: the longest idle");
    }

    #[test]
    fn what_a_tenant_holds_beyond_its_part_is_a_strangers_and_so_is_what_it_is_refused() {
        let limits =
            ConnectionLimits { all: 4, per_address: 4, per_tenant: 2, ..ConnectionLimits::default() };
        let (gate, now) = (Gate::new(limits, Arc::new(HttpMetrics::new(7))), Instant::now());
        let held: Vec<_> = (0..3).map(|_| gate.enter(address("10.0.0.1"), now).unwrap()).collect();
        let hold = |index: usize, holder| gate.hold(held[index].0.id, holder);
        let acme = || of("acme");
        assert_eq!((hold(0, acme()), hold(1, acme()), hold(2, acme())), (acme(), acme(), Holder::Stranger));
        assert_eq!(hold(2, of("other")), of("other"));
        assert_eq!((hold(0, Holder::Stranger), hold(2, acme())), (Holder::Stranger, acme()));
        let strangers: Vec<_> = gate.open().strangers.keys().copied().collect();
        assert_eq!(strangers, [held[0].0.id]);
    }

    #[test]
    fn when_everything_ends_those_on_which_nothing_is_under_way_are_told() {
        let (gate, begun) = (gate(4, 4), Instant::now());
        let mut held: Vec<_> = (0..3).map(|_| gate.enter(address("10.0.0.1"), begun).unwrap()).collect();
        held[1].0.activity.request(begun, false);
        held[2].0.activity.request(begun, false);
        held[2].0.activity.answer();
        held[2].0.activity.rests(begun);
        let mut told = |now| {
            gate.close_quiet(now);
            held.iter_mut().map(|(_, told)| told.try_recv().ok()).collect::<Vec<_>>()
        };
        assert_eq!(told(begun), [None; 3]);
        assert_eq!(told(begun + QUIET), [Some(Closed::Stopping), None, None]);
    }

    #[test]
    fn an_address_has_a_bound_of_its_own() {
        let (gate, now) = (gate(10, 1), Instant::now());
        let (one, _told) = gate.enter(address("2001:db8::1"), now).unwrap();
        one.activity.request(now, false);
        gate.hold(one.id, of("acme"));
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
        gate.hold(one.id, of("acme"));
        drop(one);
        drop(gate.enter(address("10.0.0.2"), now).unwrap());
        let open = gate.open();
        assert!(open.origins.is_empty() && open.tenants.is_empty() && open.kept() == 0 && open.all == 0);
    }
}

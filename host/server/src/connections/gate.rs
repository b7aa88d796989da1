//! Admission of connections, and the choice of those that make room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::activity::{Activity, Holder};
use super::{Closed, ConnectionLimits};
use crate::observe::HttpMetrics;
use hongbao_domain::TenantId;

/// The operator's connection makes room only after so long without a request: whoever looks after the service is about
/// to send the next one over a connection that was just used.
const IDLE_AT_LEAST: Duration = Duration::from_secs(5);

/// When everything ends, a connection on which nothing was under way for so long is closed: by then the last bytes of
/// an answer have left.
const QUIET: Duration = Duration::from_secs(1);

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
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<HttpMetrics>) -> Self {
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

    /// Whether there are as many as may be, those included that were told to close.
    pub(super) fn is_full(&self) -> bool {
        self.open().all >= self.limits.at_most()
    }

    /// Gives back a descriptor of a connection, if one of them can make room.
    pub(super) fn free_descriptor(&self, now: Instant) {
        self.make_room(&mut self.open(), None, now);
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
    pub(super) fn enter(
        &self,
        address: IpAddr,
        now: Instant,
    ) -> Result<(Ticket, oneshot::Receiver<Closed>), Closed> {
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

#[cfg(test)]
mod tests;

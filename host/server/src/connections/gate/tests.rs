//! The gate, without sockets.

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
    let limits = ConnectionLimits { all: 4, per_address: 4, per_tenant: 2, ..ConnectionLimits::default() };
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

//! The limits on sessions of a demo.
//!
//! Each is a key, a wallet with something in it and rows in the books, for whoever asks. So they are bounded in number
//! and in rate, for an address and in all, and an address is what the connection says and no header.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::DemoSettings;
use crate::problem::{Kind, Problem};
use hongbao_domain::UserId;

/// Of one address, and as many at once after a pause: a room full of people has one address.
const PER_ADDRESS: Quota =
    Quota::per_second(NonZeroU32::new(1).unwrap()).allow_burst(NonZeroU32::new(30).unwrap());
/// Of all.
const IN_ALL: Quota =
    Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());

/// The sessions that have not ended, and how fast they came.
pub(super) struct Sessions {
    most: usize,
    most_of_address: usize,
    open: Mutex<Open>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    in_all: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

/// One session.
struct Held {
    /// Unknown of one that was begun before this process was.
    address: Option<IpAddr>,
    /// Nobody yet while it is being made.
    user: Option<UserId>,
}

#[derive(Default)]
struct Open {
    /// By when it ends, which is in the order of joining; the number tells those apart that end together.
    ends: BTreeMap<(u64, u64), Held>,
    next: u64,
    of_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn add(&mut self, address: Option<IpAddr>, user: Option<UserId>, ends_at_ms: u64) -> (u64, u64) {
        let place = (ends_at_ms, self.next);
        self.next += 1;
        self.ends.insert(place, Held { address, user });
        if let Some(address) = address {
            *self.of_address.entry(address).or_default() += 1;
        }
        place
    }

    fn remove(&mut self, place: (u64, u64)) {
        let Some(Held { address: Some(address), .. }) = self.ends.remove(&place) else { return };
        if let Some(count) = self.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    fn end(&mut self, now_ms: u64) {
        while let Some(place) =
            self.ends.keys().next().copied().filter(|(ends_at_ms, _)| *ends_at_ms <= now_ms)
        {
            self.remove(place);
        }
    }
}

/// A place for a session, which is free again unless it is kept.
pub(super) struct Place<'s> {
    sessions: &'s Sessions,
    place: Option<(u64, u64)>,
}

impl Place<'_> {
    /// From now on it is this user's.
    pub(super) fn keep(mut self, user: UserId) {
        let Some(place) = self.place.take() else { return };
        if let Some(held) = self.sessions.open().ends.get_mut(&place) {
            held.user = Some(user);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.sessions.open().remove(place);
        }
    }
}

impl Sessions {
    pub(super) fn new(settings: &DemoSettings) -> Self {
        Self {
            most: settings.sessions,
            most_of_address: settings.sessions_per_address,
            open: Mutex::default(),
            by_address: RateLimiter::keyed(PER_ADDRESS),
            in_all: RateLimiter::direct(IN_ALL),
            clock: DefaultClock::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that was begun before this process was.
    pub(super) fn remember(&self, user: Option<UserId>, ends_at_ms: u64) {
        self.open().add(None, user, ends_at_ms);
    }

    /// Whose sessions are open, the latest first, each once and no more than `most` of them.
    pub(super) fn people(&self, now_ms: u64, most: usize) -> Vec<UserId> {
        let mut open = self.open();
        open.end(now_ms);
        let mut known = HashSet::new();
        let users = open.ends.values().rev().filter_map(|held| held.user.as_ref());
        users.filter(|user| known.insert(*user)).take(most).cloned().collect()
    }

    /// Forgets addresses that have not asked for so long that it makes no difference.
    pub(super) fn forget(&self) {
        self.by_address.retain_recent();
    }

    /// A place for one more session. An address that asks too often takes none of what the others have.
    pub(super) fn enter(&self, address: IpAddr, now_ms: u64, ends_at_ms: u64) -> Result<Place<'_>, Problem> {
        let now = self.clock.now();
        let by_address = self.by_address.check_key(&address);
        by_address
            .map_err(|until| wait(until.wait_time_from(now), "this address asks for sessions too often"))?;
        let place = self.place(address, now_ms, ends_at_ms)?;
        let in_all = self.in_all.check();
        in_all.map_err(|until| wait(until.wait_time_from(now), "too many sessions are asked for"))?;
        Ok(place)
    }

    fn place(&self, address: IpAddr, now_ms: u64, ends_at_ms: u64) -> Result<Place<'_>, Problem> {
        let mut open = self.open();
        open.end(now_ms);
        let first_end = open.ends.keys().next().map_or(now_ms, |(ends_at_ms, _)| *ends_at_ms);
        let until = Duration::from_millis(first_end.saturating_sub(now_ms));
        if open.of_address.get(&address).copied().unwrap_or(0) >= self.most_of_address {
            return Err(wait(until, "this address has as many sessions of the demo as one may have"));
        }
        if open.ends.len() >= self.most {
            return Err(wait(until, "the demo has as many sessions as it may have"));
        }
        let place = open.add(Some(address), None, ends_at_ms);
        Ok(Place { sessions: self, place: Some(place) })
    }
}

fn wait(wait: Duration, why: &'static str) -> Problem {
    Problem::new(Kind::RATE_LIMITED, why).after(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(sessions: usize, sessions_per_address: usize) -> Sessions {
        Sessions::new(&DemoSettings { sessions, sessions_per_address, ..DemoSettings::default() })
    }

    fn address(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_for_an_address_and_end() {
        let sessions = sessions(3, 2);
        let enter = |number, now_ms, ends_at_ms| {
            sessions.enter(address(number), now_ms, ends_at_ms).map(|place| place.keep(user("alice"))).is_ok()
        };
        assert!(enter(1, 0, 10) && enter(1, 0, 20) && !enter(1, 0, 20), "two for an address");
        assert!(enter(2, 0, 20) && !enter(3, 0, 20), "three in all");
        assert!(enter(3, 10, 20) && !enter(1, 10, 30), "the first has ended");
        assert!(enter(1, 20, 30) && enter(1, 20, 30));
        sessions.remember(None, 40);
        assert!(!enter(2, 20, 30));
        assert!(enter(2, 30, 50), "all but the remembered one have ended");
    }

    #[test]
    fn a_place_that_is_not_kept_is_free() {
        let sessions = sessions(1, 1);
        drop(sessions.enter(address(1), 0, 10).unwrap());
        let refused = || sessions.enter(address(2), 0, 10).err().map(|problem| problem.kind());
        let _place = sessions.enter(address(1), 0, 10).unwrap();
        assert_eq!(refused(), Some(Kind::RATE_LIMITED));
        let open = sessions.open();
        assert_eq!((open.ends.len(), open.of_address.len()), (1, 1));
    }

    #[test]
    fn people_are_those_whose_sessions_are_open_each_once_and_the_latest_first() {
        let sessions = sessions(10, 10);
        let join = |name, at_ms| sessions.enter(address(1), at_ms, at_ms + 10).unwrap().keep(user(name));
        sessions.remember(Some(user("alice")), 5);
        join("bob", 1);
        join("carol", 2);
        join("bob", 3);
        let _coming = sessions.enter(address(1), 4, 14).unwrap();
        let people = |now_ms, most| {
            let people = sessions.people(now_ms, most).into_iter().map(UserId::into_string);
            people.collect::<Vec<_>>()
        };
        assert_eq!(people(4, 10), ["bob", "carol", "alice"], "nobody of whom it is not sure yet");
        assert_eq!(people(4, 2), ["bob", "carol"]);
        assert_eq!(people(5, 10), ["bob", "carol"], "the remembered one has ended");
        assert_eq!(people(12, 10), ["bob"], "the second one of bob is open");
    }

    #[test]
    fn an_address_that_asks_too_often_keeps_nobody_out() {
        let sessions = sessions(1000, 1000);
        let enter =
            |number| sessions.enter(address(number), 0, 10).map(|place| place.keep(user("alice"))).is_ok();
        let flood = (0..500).filter(|_| enter(1)).count();
        assert!((30..40).contains(&flood), "{flood}");
        assert!(enter(2));
        let many = (3..=250).filter(|number| enter(*number)).count();
        assert!((60..100).contains(&many), "{many}");
    }
}

//! A limit on new users: accounts are cheap on a server that lets everybody register, and each could take a share.
//!
//! New is whose wallet was never used. The count is of this process alone and begins anew with it.

use std::collections::{HashMap, HashSet};

use crate::recent::Recent;

const HOUR_MS: u64 = 3_600_000;
const KNOWN_USERS: usize = 100_000;

/// Who came lately.
pub(crate) struct Newcomers {
    /// New users of a server within an hour.
    most: usize,
    known: Recent<()>,
    servers: HashMap<String, Hour>,
}

#[derive(Default)]
struct Hour {
    since_ms: u64,
    users: HashSet<String>,
}

impl Newcomers {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, known: Recent::new(KNOWN_USERS), servers: HashMap::new() }
    }

    /// Whether a user is known not to be new.
    pub(crate) fn is_known(&self, user: &str) -> bool {
        self.known.get(user).is_some()
    }

    pub(crate) fn know(&mut self, user: &str) {
        self.known.put(user.to_owned(), ());
    }

    /// Whether a new user may come in now. One who was let in stays so for the hour, also when asked again.
    pub(crate) fn admit(&mut self, user: &str, server: &str, now_ms: u64) -> bool {
        let hour = self.servers.entry(server.to_owned()).or_default();
        if now_ms.saturating_sub(hour.since_ms) >= HOUR_MS {
            *hour = Hour { since_ms: now_ms, users: HashSet::new() };
        }
        if hour.users.contains(user) {
            return true;
        }
        hour.users.len() < self.most && hour.users.insert(user.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_new_users_of_a_server_come_in_within_an_hour() {
        let mut newcomers = Newcomers::new(2);
        let mut admit = |user: &str, now_ms| {
            let server = crate::event::server(user).to_owned();
            newcomers.admit(user, &server, HOUR_MS + now_ms)
        };
        assert!(admit("@a:x", 0) && admit("@b:x", 1) && !admit("@c:x", 2));
        assert!(admit("@a:x", 3), "who was let in may come again");
        assert!(admit("@c:y", 4), "another server has its own count");
        assert!(!admit("@c:x", HOUR_MS - 1));
        assert!(admit("@c:x", HOUR_MS));
    }

    #[test]
    fn who_has_used_a_wallet_is_not_new() {
        let mut newcomers = Newcomers::new(0);
        newcomers.know("@a:x");
        assert!(newcomers.is_known("@a:x") && !newcomers.is_known("@b:x"));
    }
}

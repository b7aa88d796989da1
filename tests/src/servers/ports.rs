//! Ports that nobody uses.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below what the system gives to outgoing connections, one of which could otherwise take the port
/// of a server between its death and its return.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// How many ports are tried before it must be something else.
const ATTEMPTS: usize = 5;

/// This port of 127.0.0.1.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port that was free a moment ago.
pub(super) fn free() -> u16 {
    let mut random = std::iter::repeat_with(|| RandomState::new().hash_one(()) % u64::from(COUNT));
    random
        .find_map(|random| {
            let port = FIRST + u16::try_from(random).ok()?;
            TcpListener::bind(local(port)).ok().map(|_| port)
        })
        .expect("a free port")
}

/// Something that listens, on a port that it could have. Somebody else may be faster, so it may fail.
///
/// # Panics
///
/// When it fails on every port, with what the last attempt said.
#[track_caller]
pub(super) fn on_a_free_port<T>(mut attempt: impl FnMut(u16) -> Result<T, String>) -> T {
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        match attempt(free()) {
            Ok(server) => return server,
            Err(said) => failure = said,
        }
    }
    panic!("a server did not start; it said:\n{failure}")
}

//! The listener, with limits on the number of connections and on their idle time.
//!
//! A connection costs a descriptor before anybody knows whose it is, and the stores of this process need descriptors
//! as well. So there is a bound on all connections, which leaves [`RESERVED`] descriptors free, and one on those of
//! an address. A connection counts as a tenant's, or the operator's, once a request of theirs was admitted. Until
//! then, and again once a request over it was refused for want of a valid key or a rate, or since the tenant is
//! suspended, it is a *stranger's*. So are those that a tenant has beyond its part of all: a key that was stolen, or
//! given to whoever joins a demo, holds no more than that. Where a bound is reached, the oldest stranger's is closed for
//! the new one; where there is none, the longest idle one of the tenant that holds most; where all of them are at
//! work, the new one is closed.
//!
//! Time is bounded too: see [`Activity`]. The first head of a request has one deadline from the moment at which the
//! connection was accepted, through the TLS handshake and the choice of the HTTP version.

mod activity;
mod gate;
mod limits;
mod listener;
mod service;
mod stream;

pub use limits::ConnectionLimits;

pub(super) use gate::Gate;
pub(super) use limits::descriptors;
pub(super) use listener::{Listener, Peer};
pub(super) use service::{Client, Tracking};

/// Descriptors that connections leave to stores, files and listeners.
const RESERVED: u64 = 128;

/// Why a connection is closed by the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Closed {
    /// Too many in all, and none of them can make room.
    Full,
    /// Too many of its address, and none of them can make room.
    FullForAddress,
    /// Another connection needed its room.
    MadeRoom,
    /// The head of a request did not come in time.
    Silent,
    /// No request for long, or an answer that is not taken.
    Idle,
    /// The peer reads nothing of what it is sent.
    Unread,
    /// Nothing is under way, and the service ends.
    Stopping,
}

impl Closed {
    /// In the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::FullForAddress => "full-for-address",
            Self::MadeRoom => "made-room",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Unread => "unread",
            Self::Stopping => "stopping",
        }
    }
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Closed {}

impl From<Closed> for std::io::Error {
    fn from(closed: Closed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, closed)
    }
}

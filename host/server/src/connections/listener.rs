//! Where connections come in: each asks the gate before it is served.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum_server::{AddrListener, Address};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::ConnectionLimits;
use super::gate::Gate;
use super::stream::Connection;
use crate::observe::HttpMetrics;

/// So often those who were told to close are given a turn before a new connection is refused.
const TURNS: usize = 8;

/// Errors of `accept` that are about the machine: too many open files, in this process or in all.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

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

    /// Makes a connection of a stream that is let in, after those who were told to close had their turn.
    async fn admit(&self, stream: TcpStream, address: IpAddr) -> Option<Connection> {
        let mut turns = 0;
        let (ticket, told) = loop {
            match self.gate.enter(address, Instant::now()) {
                Ok(entered) => break entered,
                Err(_) if turns < TURNS && self.gate.is_full() => {
                    turns += 1;
                    yield_now().await;
                }
                Err(closed) => {
                    self.gate.closed(closed);
                    return None;
                }
            }
        };
        // An answer is written whole, so there is nothing to wait for. Refused of a peer that is gone already.
        let _ = stream.set_nodelay(true);
        Some(Connection::new(stream, ticket, told))
    }
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(SocketAddr);

impl Peer {
    pub(crate) const fn address(&self) -> SocketAddr {
        self.0
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
                        self.gate.free_descriptor(Instant::now());
                    }
                    return Err(error);
                }
            };
            if let Some(connection) = self.admit(stream, address.ip()).await {
                return Ok((connection, Peer(address)));
            }
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.listener.local_addr().map(Peer)
    }
}

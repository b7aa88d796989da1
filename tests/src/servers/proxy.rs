//! A network between a client and a server that goes wrong when it is told to.
//!
//! Each direction of a connection has two threads: one reads chunks and notes when they came, the
//! other decides over each by the mode of the moment. So a delay takes nothing from the throughput,
//! and a new mode counts for what is under way as well.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{ports, wait_for};

/// How many chunks of a direction may be under way; then its sender has to wait.
const UNDER_WAY: usize = 1024;

const CHUNK_BYTES: usize = 64 * 1024;

/// How long a connection stays open after its first reply was thrown away.
const MOMENT: Duration = Duration::from_millis(20);

/// What happens to connections, those that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything goes through.
    Pass,
    /// All connections are closed, and new ones refused.
    Refuse,
    /// Each chunk arrives so much later, in each direction, in order.
    Delay(Duration),
    /// Connections are accepted and stay open, and nothing comes through, not even their end. What
    /// was sent is lost: with the next mode, connections that have lost something are closed.
    Blackhole,
    /// Requests go through. What the server answers is thrown away, and the connection is closed a
    /// moment after: a reply that was lost when the work was done.
    DropReplies,
}

/// A TCP proxy on a port of its own.
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
    /// None while connections are refused.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

struct Network {
    target: SocketAddr,
    state: Mutex<State>,
    /// Told of every change of the mode and every connection that was closed from here.
    changed: Condvar,
}

struct State {
    mode: Mode,
    connections: HashMap<u64, Connection>,
    next: u64,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Directions whose end has not come through.
    open: u8,
    /// A protocol would take the answer to a later request for that to an earlier one.
    has_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// What was read at once; no bytes are the end. With the time at which it was read.
type Chunk = (Instant, Vec<u8>);

enum Fate {
    Arrives,
    IsLost,
    /// The connection is closed, after this long.
    Ends(Duration),
}

impl Proxy {
    /// A proxy to this address that lets everything pass. The server need not be up.
    #[must_use]
    #[track_caller]
    pub fn start(target: SocketAddr) -> Self {
        let state = State { mode: Mode::Pass, connections: HashMap::new(), next: 0 };
        let network = Arc::new(Network { target, state: Mutex::new(state), changed: Condvar::new() });
        ports::on_a_free_port(|port| {
            let listener = TcpListener::bind(ports::local(port)).map_err(|error| error.to_string())?;
            let acceptor = Mutex::new(Some(accept_by_thread(&network, listener)));
            Ok(Self { port, network: Arc::clone(&network), acceptor })
        })
    }

    /// The port, which stays the same in every mode.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }

    /// A URL of the server, made to go through the proxy.
    #[must_use]
    pub fn through(&self, url: &str) -> String {
        url.replace(&self.network.target.to_string(), &self.address().to_string())
    }

    /// Changes what happens, from now on and to what is under way.
    #[track_caller]
    pub fn set(&self, mode: Mode) {
        let mut acceptor = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner);
        self.network.set(mode);
        if mode != Mode::Refuse {
            acceptor.get_or_insert_with(|| {
                let bind = || TcpListener::bind(self.address()).ok();
                accept_by_thread(&self.network, wait_for("the proxy's port", bind))
            });
        } else if let Some(thread) = acceptor.take() {
            // It waits for a connection, and looks at the mode when there is one.
            let _ = TcpStream::connect(self.address());
            let _ = thread.join();
        }
    }

    /// Closes every connection that is open now. New ones are welcome.
    pub fn cut(&self) {
        self.network.close(&mut self.network.state(), |_| true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Refuse);
    }
}

impl Connection {
    fn close(&self) {
        // Whoever has closed already needs nothing more.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

impl Network {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        let mut state = self.state();
        state.mode = mode;
        self.close(&mut state, |one| mode == Mode::Refuse || one.has_lost && mode != Mode::Blackhole);
    }

    fn close(&self, state: &mut State, which: impl Fn(&Connection) -> bool) {
        state.connections.retain(|_, connection| {
            let stays = !which(connection);
            if !stays {
                connection.close();
            }
            stays
        });
        self.changed.notify_all();
    }

    fn close_one(&self, id: u64) {
        let connection = self.state().connections.remove(&id);
        if let Some(connection) = connection {
            connection.close();
        }
        // The other direction may be waiting.
        self.changed.notify_all();
    }

    /// Opens the way for one client. An error ends that client's connection alone.
    fn connect(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ways = [
            (Direction::ToServer, client.try_clone()?, server.try_clone()?),
            (Direction::ToClient, server.try_clone()?, client.try_clone()?),
        ];
        let mut state = self.state();
        // The mode may have changed while we connected.
        if state.mode == Mode::Refuse {
            return Ok(());
        }
        let id = state.next;
        state.next += 1;
        state.connections.insert(id, Connection { client, server, open: 2, has_lost: false });
        drop(state);
        for (direction, from, to) in ways {
            let (chunks, arriving) = sync_channel(UNDER_WAY);
            let network = Arc::clone(self);
            thread::spawn(move || read(from, &chunks));
            thread::spawn(move || network.deliver(id, direction, &arriving, &to));
        }
        Ok(())
    }

    fn deliver(&self, id: u64, direction: Direction, chunks: &Receiver<Chunk>, mut to: &TcpStream) {
        for (came, bytes) in chunks {
            match self.fate(id, direction, came, bytes.is_empty()) {
                Fate::Arrives if bytes.is_empty() => return self.end(id, to),
                Fate::Arrives if to.write_all(&bytes).is_ok() => {}
                Fate::Arrives => return self.close_one(id),
                Fate::IsLost => {}
                Fate::Ends(after) => {
                    thread::sleep(after);
                    return self.close_one(id);
                }
            }
        }
    }

    /// Waits as long as the mode says, and looks again when it changes.
    fn fate(&self, id: u64, direction: Direction, came: Instant, is_end: bool) -> Fate {
        let mut state = self.state();
        loop {
            let mode = state.mode;
            let Some(connection) = state.connections.get_mut(&id) else { return Fate::Ends(Duration::ZERO) };
            let wait = match mode {
                Mode::Pass => return Fate::Arrives,
                Mode::Refuse => return Fate::Ends(Duration::ZERO),
                Mode::DropReplies if direction == Direction::ToClient => return Fate::Ends(MOMENT),
                Mode::DropReplies => return Fate::Arrives,
                Mode::Delay(by) => (came + by).saturating_duration_since(Instant::now()),
                Mode::Blackhole => {
                    connection.has_lost = true;
                    if !is_end {
                        return Fate::IsLost;
                    }
                    Duration::MAX
                }
            };
            if wait.is_zero() {
                return Fate::Arrives;
            }
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// One direction is done; the other may have more to say.
    fn end(&self, id: u64, to: &TcpStream) {
        let _ = to.shutdown(Shutdown::Write);
        let mut state = self.state();
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.open -= 1;
            if connection.open == 0 {
                state.connections.remove(&id);
            }
        }
    }
}

fn accept_by_thread(network: &Arc<Network>, listener: TcpListener) -> JoinHandle<()> {
    let network = Arc::clone(network);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if network.state().mode == Mode::Refuse {
                return;
            }
            // If the server is away, the client's connection ends here.
            let _ = network.connect(client);
        }
    })
}

fn read(mut from: TcpStream, chunks: &SyncSender<Chunk>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        // An error is an end like any other.
        let length = from.read(&mut buffer).unwrap_or(0);
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if chunks.send((Instant::now(), bytes)).is_err() || length == 0 {
            return;
        }
    }
}

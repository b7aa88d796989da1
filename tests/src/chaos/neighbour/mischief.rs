//! What others do to a service. Each runs on a thread and a runtime of its own, so that it delays the
//! neighbour's requests by what it does to the service alone, as far as the machine allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::service::{Keys, Service};
use super::{greedy, strangers, uploads};

/// Somebody who does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mischief {
    /// Many connections that say nothing, or half of something.
    SilentConnections,
    /// Plugins that take minutes to compile.
    CompilePlugin,
    /// A hundred times as many requests as the tenant may make.
    GreedyTenant,
}

/// How often something was tried, and how often the service put an end to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Connections, uploads or requests.
    pub made: u64,
    /// Connections that the service closed, uploads and requests that it refused.
    pub refused: u64,
}

impl std::ops::AddAssign for Tries {
    fn add_assign(&mut self, other: Self) {
        self.made += other.made;
        self.refused += other.refused;
    }
}

/// The same while it is counted.
#[derive(Default)]
pub struct Counts {
    made: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    pub fn made(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl Mischief {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SilentConnections, Self::CompilePlugin, Self::GreedyTenant];

    /// The name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SilentConnections => "silent-connections",
            Self::CompilePlugin => "compile-plugin",
            Self::GreedyTenant => "greedy-tenant",
        }
    }

    /// What happens, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SilentConnections => "strangers who say nothing",
            Self::CompilePlugin => "plugins that take minutes",
            Self::GreedyTenant => "a tenant that asks too often",
        }
    }

    /// What came of the tries, for people.
    #[must_use]
    pub const fn refusals(self) -> &'static str {
        match self {
            Self::SilentConnections => "connections closed",
            Self::CompilePlugin => "uploads refused",
            Self::GreedyTenant => "requests refused",
        }
    }

    /// Begins, as the tenant with these keys or as a stranger.
    pub fn begin(self, service: &Service, keys: &Keys) -> Running {
        let counts = Arc::new(Counts::default());
        let (end, ended) = oneshot::channel::<()>();
        let (address, keys, counting) = (service.address.clone(), keys.apart(), Arc::clone(&counts));
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let acting = async {
                    match self {
                        Self::SilentConnections => strangers::connect(&address, &counting).await,
                        Self::CompilePlugin => uploads::upload(&keys.admin, &counting).await,
                        Self::GreedyTenant => greedy::ask(&keys, &counting).await,
                    }
                };
                tokio::select! {
                    () = acting => {}
                    _ = ended => {}
                }
            });
        });
        Running { end, thread, counts }
    }
}

/// Mischief under way.
pub struct Running {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    counts: Arc<Counts>,
}

impl Running {
    /// Ends it with all of its connections; blocks until it is over.
    pub fn end(self) -> Tries {
        // A thread that has panicked does not listen, and says so below.
        let _ = self.end.send(());
        self.thread.join().expect("nothing to go wrong");
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tries { made: count(&self.counts.made), refused: count(&self.counts.refused) }
    }
}

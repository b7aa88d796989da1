//! A server's process and directory, neither of which outlives ours.
//!
//! `Drop` alone would not do: it does not run when a test is killed, nor for a `static`. So between
//! us and a server stands a small shell (`keeper.sh`) that reads from a pipe which we hold. The
//! system closes the pipe when we end in any way; then the shell kills the server by its id and
//! removes the directory.

use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::account::Account;

const SCRIPT: &str = include_str!("keeper.sh");

/// How much of a server's log is shown when it does not start.
const SHOWN_LINES: usize = 20;

/// A directory, with a server that may or may not run at the moment.
pub(super) struct Keeper {
    directory: PathBuf,
    shell: Mutex<Shell>,
}

struct Shell {
    child: Child,
    /// None once it was told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A new temporary directory that has `data` in it, where the server works; nothing else is there.
/// It belongs to whoever asks, until a keeper has it.
pub(super) fn directory() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("hongbao-").tempdir().expect("a temporary directory");
    // PostgreSQL wants its data to be its owner's alone.
    let data = DirBuilder::new().mode(0o700).create(directory.path().join("data"));
    data.expect("a directory in it");
    directory
}

impl Keeper {
    /// Takes over a directory. The server is not started yet.
    pub(super) fn new(directory: tempfile::TempDir, account: Account, server: &[String]) -> Self {
        account.own(directory.path());
        account.own(&directory.path().join("data"));
        let mut command = account.command("/bin/sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(directory.path()).args(server);
        // Out of our group: Ctrl-C is for us, and our end tells the shell early enough.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("/bin/sh");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { directory: directory.keep(), shell: Mutex::new(Shell { child, orders, answers }) }
    }

    /// Where the server works.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts the server; waits until it is `ready`, which is told its process id.
    ///
    /// # Errors
    ///
    /// What the server said before it ended by itself or was too slow; it does not run then.
    pub(super) fn start(&self, ready: impl Fn(u32) -> bool) -> Result<(), String> {
        let pid = self.order("start").parse().expect("a process id");
        let started = Instant::now();
        while !ready(pid) {
            if has_ended(pid) || started.elapsed() > PATIENCE {
                self.end();
                return Err(self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts the server again where it was.
    ///
    /// # Panics
    ///
    /// If it does not, several times: somebody could hold its port for a moment.
    #[track_caller]
    pub(super) fn restart(&self, ready: impl Fn(u32) -> bool) {
        self.end();
        let started = Instant::now();
        while let Err(said) = self.start(&ready) {
            assert!(started.elapsed() < PATIENCE, "a server did not start again; it said:\n{said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills the server and its children by SIGKILL, and waits until they are gone.
    pub(super) fn end(&self) {
        self.order("end");
    }

    /// Sends the server a signal such as `STOP`.
    pub(super) fn signal(&self, name: &str) {
        self.order(name);
    }

    /// Sends the server and its children a signal.
    pub(super) fn signal_all(&self, name: &str) {
        self.order(&format!("all {name}"));
    }

    fn order(&self, order: &str) -> String {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = shell.orders.as_mut().expect("there until the drop");
        writeln!(orders, "{order}").expect("the shell lives as long as we do");
        let mut answer = String::new();
        shell.answers.read_line(&mut answer).expect("the shell answers");
        answer.trim_end().to_owned()
    }

    fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN_LINES);
        lines.into_iter().skip(shown).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        shell.orders = None;
        // Best effort: the shell does its work whether or not we see its end.
        let _ = shell.child.wait();
    }
}

/// Whether a process has ended that its parent has not waited for yet. Where the system does not
/// tell, it may take our patience to find out.
fn has_ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")) else {
        return false;
    };
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

//! A process whose children and folder are gone with the test, however that one ends.
//!
//! `Drop` does not run when a test is killed. So beside each process stands a small shell that reads
//! from a pipe which we hold. The system closes the pipe when we end in any way; then the shell
//! kills the process with its whole group (a driver has browsers) and removes the folder.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a browser on a machine that is busy compiling.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// `$1` is the process, which leads its group, and `$2` the folder. A line instead of the end says
/// that the process was waited for: then its id may be another's already.
const GUARD: &str = r#"
trap '' INT TERM
read -r ended
[ "$ended" ] || kill -s KILL -- "-$1"
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$2" && break
    sleep 0.1
done
"#;

pub struct Kept {
    child: Child,
    guard: Child,
    /// None once the guard may end.
    orders: Option<ChildStdin>,
    home: PathBuf,
    lines: Receiver<String>,
}

impl Kept {
    /// Starts a process that works in a new folder and leads a new group.
    pub fn start(mut command: Command) -> Self {
        let home = tempfile::Builder::new().prefix("hongbao-browser-").tempdir().unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        command.current_dir(home.path()).env("TMPDIR", home.path()).env("HOME", home.path());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (guard, orders) = guard(&child, &home);
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // To the end, also when nobody looks: a full pipe would stop the process.
        thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, guard, orders: Some(orders), home: home.keep(), lines }
    }

    /// What stands behind `mark` in the first line of standard output that has it.
    pub fn printed(&self, mark: &str) -> String {
        let started = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
            if let Some((_, behind)) = line.split_once(mark) {
                return behind.to_owned();
            }
        }
        panic!("{mark:?} was not printed; it said:\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }

    /// Asks the process to end; gives its exit code and what it complained about.
    pub fn end(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it did not end; it said:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        };
        writeln!(self.orders.as_mut().unwrap(), "ended").unwrap();
        (status.code(), self.log())
    }
}

fn guard(child: &Child, home: &TempDir) -> (Child, ChildStdin) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GUARD, "guard", &child.id().to_string()]).arg(home.path());
    // Out of our group: Ctrl-C is for us, and our end tells the guard early enough.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut guard = command.spawn().unwrap();
    let orders = guard.stdin.take().unwrap();
    (guard, orders)
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.orders = None;
        // Best effort: both end by themselves whether or not we see it.
        let _ = self.guard.wait();
        let _ = self.child.wait();
    }
}

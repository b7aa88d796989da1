//! A process that ends with the test, however that one ends: between the two stands a shell that reads
//! from a pipe of ours, and kills the process when the pipe is closed.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The first argument is the file for whatever the process says. Each order is answered by a line.
const SCRIPT: &str = r#"
trap '' PIPE
log=$1
shift
"$@" </dev/null >"$log" 2>&1 &
pid=$!
while read -r order; do
    case $order in
    wait)
        wait "$pid"
        echo $?
        pid=
        ;;
    *)
        kill -s "$order" "$pid"
        echo
        ;;
    esac
done
if [ "$pid" ]; then kill -s KILL "$pid"; fi
"#;

pub struct Process {
    shell: Child,
    /// None once it was told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Process {
    pub fn start(program: impl AsRef<Path>, args: &[String], log: PathBuf) -> Self {
        // What a former process said is not this one's word.
        let _ = fs::remove_file(&log);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "shell"]).arg(&log).arg(program.as_ref()).args(args);
        // What the machine's own Hongbao is told is not for ours.
        for name in ["HONGBAO_LEDGER", "HONGBAO_DATA", "HONGBAO_COUNTER", "HONGBAO_TENANT", "HONGBAO_CONFIG"]
        {
            command.env_remove(name);
        }
        // A shell says on standard error which signal ended its child.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().unwrap();
        let (orders, answers) = (shell.stdin.take(), BufReader::new(shell.stdout.take().unwrap()));
        Self { shell, orders, answers, log }
    }

    fn order(&mut self, order: &str) -> String {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// Sends it a signal such as `TERM`.
    pub fn signal(&mut self, name: &str) {
        self.order(name);
    }

    /// Waits for its end; gives its exit code, or 128 and the signal's number.
    pub fn wait(&mut self) -> i32 {
        self.order("wait").parse().unwrap()
    }

    /// Everything that it has said.
    pub fn said(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.orders = None;
        // Best effort: the shell does its work whether or not we see its end.
        let _ = self.shell.wait();
    }
}

/// A port that was free a moment ago, below what the system gives to outgoing connections: one of those
/// could take it between a host's death and its return.
pub fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| 20_000 + (RandomState::new().hash_one(()) % 10_000) as u16);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

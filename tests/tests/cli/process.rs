//! A `hongbao` process: started, spoken to through pipes, and ended whatever happens.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// Far more than anything here takes: who waits longer waits for an answer that never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test, as people call it: without colours, whatever the environment asks for.
pub fn hongbao(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
    command.args(args).env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a process left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end, without input.
pub fn run(args: &[&str]) -> Ended {
    let output = hongbao(args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A command's standard output as one JSON document.
pub fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// `hongbao play -`, a line in and a line out.
pub struct Play {
    pub child: Child,
    /// None once the log has come to its end.
    pub input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    err: Option<JoinHandle<String>>,
}

impl Play {
    /// With these further arguments.
    pub fn start(args: &[&str]) -> Self {
        let mut child = hongbao(&[&["play", "-"], args].concat()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = child.stdout.take().unwrap();
        thread::spawn(move || forward(out, &sender));
        let (input, err) = (child.stdin.take(), gather(child.stderr.take().unwrap()));
        Self { child, input, lines, err: Some(err) }
    }

    /// Writes bytes and the end of a line. False where nobody reads any more.
    pub fn write(&mut self, line: impl AsRef<[u8]>) -> bool {
        let Some(input) = &mut self.input else { return false };
        input.write_all(&[line.as_ref(), b"\n"].concat()).is_ok()
    }

    /// The next line that the process prints; None once it prints no more.
    pub fn next(&self) -> Option<Value> {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("no answer after {PATIENCE:?}"),
        };
        let value = serde_json::from_slice(&line);
        Some(value.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line))))
    }

    /// Writes a line, and reads its answer before anything else is written.
    pub fn say(&mut self, line: impl AsRef<[u8]>) -> Value {
        assert!(self.write(line), "the process does not read any more");
        self.next().expect("an answer")
    }

    /// Says an event. Whatever the answer is, it repeats the event's own names.
    pub fn tell(&mut self, event: &Value) -> Value {
        let answer = self.say(event.to_string());
        for name in ["op", "ref", "user"] {
            assert_eq!(answer.get(name), event.get(name), "{name} of {answer}");
        }
        answer
    }

    /// Ends the log; gives the last line, and what else the process left.
    pub fn end(mut self) -> (Value, Ended) {
        self.input = None;
        let last = self.next().expect("a summary");
        assert_eq!(self.next(), None, "the summary is the last line");
        let code = self.child.wait().unwrap().code();
        let err = self.err.take().unwrap().join().unwrap();
        (last, Ended { code, out: String::new(), err })
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands on whole lines: what a killed process had written of its last one is no answer.
fn forward(out: ChildStdout, lines: &Sender<Vec<u8>>) {
    let mut out = BufReader::new(out);
    loop {
        let mut line = Vec::new();
        let read = out.read_until(b'\n', &mut line);
        if read.is_err() || line.pop() != Some(b'\n') || lines.send(line).is_err() {
            return;
        }
    }
}

fn gather(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

//! A child process that speaks in lines, and the thread that listens to it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::line::Line;

/// A process. It ends when this is dropped, and also when we do: it reads from a pipe of ours.
pub struct Process {
    child: Child,
    orders: ChildStdin,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; `hear` gets every line that it completes, those before a kill included.
    #[must_use]
    pub fn start(program: &Path, arguments: &[String], mut hear: impl FnMut(Line) + Send + 'static) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process of ours");
        let (orders, lines) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let listener = thread::spawn(move || {
            let mut lines = BufReader::new(lines);
            let mut text = String::new();
            // What a kill cut off in the middle was not told.
            while lines.read_line(&mut text).is_ok_and(|length| length > 0) && text.ends_with('\n') {
                let line = Line::parse(text.trim_end());
                hear(line.unwrap_or_else(|| panic!("a process said {text:?}")));
                text.clear();
            }
        });
        Self { child, orders, listener: Some(listener) }
    }

    /// Says something to it. One that was killed does not hear it.
    pub fn order(&mut self, order: &str) {
        let _ = writeln!(self.orders, "{order}");
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it by SIGKILL; everything that it said has been heard when this returns.
    pub fn kill(&mut self) {
        // One that has ended by itself is gone as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            listener.join().expect("a listener");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

//! Compilation in a child process: limits enforced by the operating system, and guaranteed termination.
//!
//! The parent writes the component to the child's standard input, its length first, and keeps the pipe open:
//! a child whose parent is gone ends by that. The child answers with one byte for what came of it, and the
//! compiled code or the reason. It is given no environment, since secrets may stand there.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rlimit::Resource;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::CompileLimits;
use crate::Engine;
use crate::plugin::{Plugin, PluginError, one_line, precompile};

/// The command of the program that is such a child.
const COMMAND: &str = "compile-plugin";

/// What came of it, as the first byte of the child's answer.
const COMPILED: u8 = b'c';
const REFUSED: u8 = b'r';
const NO_MEMORY: u8 = b'm';
const PANICKED: u8 = b'p';

/// How far a child stands back, as `nice` counts. Beside one thread that never waits it gets a tenth of a
/// core by the weights of Linux (sched(7)); at the lowest priority, 19, it would be a seventieth.
const LOW_PRIORITY: i32 = 10;

/// What a child says on standard error before it ends: a few words.
const MOST_WORDS: u64 = 4 << 10;

// Numbers of signals on Linux, macOS and the BSDs.
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// Compiles a component in a child, which is killed at the end of its time, and when this is dropped.
pub(super) async fn compile(
    program: &Path,
    bytes: &[u8],
    limits: &CompileLimits,
) -> Result<Vec<u8>, PluginError> {
    let mut child = Command::new(program)
        .arg(COMMAND)
        .args(["--seconds", &limits.time.as_secs().saturating_add(1).to_string()])
        .args(["--memory-bytes", &limits.memory_bytes.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(PluginError::NoCompiler)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(PluginError::NoCompiler(io::Error::other("it has no pipes")));
    };
    let talk = async {
        let send = async {
            stdin.write_all(&(bytes.len() as u64).to_le_bytes()).await?;
            stdin.write_all(bytes).await
        };
        let (_sent, answer, words) =
            tokio::join!(send, read(stdout, limits.memory_bytes), read(stderr, MOST_WORDS));
        // A child that ended early has not read all: how it ended tells more than the broken pipe.
        (answer, words, child.wait().await)
    };
    let (answer, words, ended) = match timeout(limits.time, talk).await {
        Ok(told) => told,
        Err(_) => {
            let was_starved = child.id().and_then(cpu_time).is_some_and(|used| used < limits.time / 10);
            // Its memory is free before the next one begins.
            let _ = child.kill().await;
            return Err(if was_starved { PluginError::Busy } else { PluginError::CompileTime(limits.time) });
        }
    };
    let ended = ended.map_err(PluginError::NoCompiler)?;
    if !ended.success() {
        return Err(broken(ended, &String::from_utf8_lossy(&words), limits));
    }
    match answer.split_first() {
        Some((&COMPILED, _)) => Ok(without_first(answer)),
        Some((&REFUSED, reason)) => Err(PluginError::Malformed(one_line(&String::from_utf8_lossy(reason)))),
        Some((&NO_MEMORY, _)) => Err(PluginError::CompileMemory(limits.memory_bytes)),
        _ => Err(PluginError::CompilerFailed),
    }
}

/// The processor time that a process has had; None where the system does not tell.
///
/// A child has a low priority, so on a busy machine its time can pass while it waits for a processor,
/// which says nothing of the plugin. One that needs less than a tenth of its time is so never called too costly.
fn cpu_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // proc_pid_stat(5): the 14th and 15th field, in ticks. The second one is a name in parentheses, and may
    // have spaces.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some(Duration::from_millis(
        (user + system).saturating_mul(1000) / rustix::param::clock_ticks_per_second(),
    ))
}

fn without_first(mut answer: Vec<u8>) -> Vec<u8> {
    answer.drain(..1);
    answer
}

/// All that comes, up to so much. A pipe that breaks ends it.
async fn read(from: impl AsyncRead + Unpin, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.take(most).read_to_end(&mut bytes).await;
    bytes
}

/// Why a child ended without an answer.
fn broken(ended: ExitStatus, words: &str, limits: &CompileLimits) -> PluginError {
    tracing::debug!("a compiler ended by {ended}: {}", one_line(words));
    match ended.signal() {
        Some(SIGXCPU) => PluginError::CompileTime(limits.time),
        // It has compiled nothing: it could not begin.
        None => PluginError::NoCompiler(io::Error::other(one_line(words))),
        // Nobody but the system kills it, and that for want of memory.
        Some(SIGKILL) => PluginError::CompileMemory(limits.memory_bytes),
        Some(SIGABRT) if words.contains("memory allocation of") => {
            PluginError::CompileMemory(limits.memory_bytes)
        }
        _ => PluginError::CompilerFailed,
    }
}

/// The child's part: reads a component from standard input, compiles it within these bounds, and answers
/// on standard output. For a program that a [`Compiler`](super::Compiler) starts, with the arguments
/// `compile-plugin --seconds N --memory-bytes N`.
///
/// # Errors
/// When the bounds cannot be set, wasmtime does not start, or the parent is gone.
pub fn compile_for_parent(time: Duration, memory_bytes: u64) -> io::Result<()> {
    bound(time, memory_bytes)?;
    // Whoever is served meanwhile comes first. A system that refuses this compiles all the same.
    let _ = rustix::process::nice(LOW_PRIORITY);
    let mut input = io::stdin().lock();
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length).min(Plugin::MAX_BYTES);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    input.read_exact(&mut bytes)?;
    drop(input);
    std::thread::Builder::new().name("hongbao-parent".into()).spawn(end_with_parent)?;
    let engine = Engine::for_compiling().map_err(io::Error::other)?;
    let (what, answer) = match precompile(&engine, &bytes) {
        Ok(Some(code)) => (COMPILED, code),
        Ok(None) => (NO_MEMORY, Vec::new()),
        Err(PluginError::Malformed(why)) => (REFUSED, why.into_bytes()),
        Err(_) => (PANICKED, Vec::new()),
    };
    let mut output = io::stdout().lock();
    output.write_all(&[what])?;
    output.write_all(&answer)?;
    output.flush()
}

/// What the system lets this process have. A limit that is lower already stays.
fn bound(time: Duration, memory_bytes: u64) -> io::Result<()> {
    let seconds = time.as_secs().max(1);
    // The first one ends it by a signal that says why, the second one whatever it does.
    for (resource, soft, hard) in [
        (Resource::CPU, seconds, seconds.saturating_add(1)),
        (Resource::DATA, memory_bytes, memory_bytes),
        (Resource::CORE, 0, 0),
    ] {
        let most = resource.get_hard()?;
        resource.set(soft.min(most), hard.min(most))?;
    }
    Ok(())
}

/// The parent writes nothing more. That the pipe ends means that it is gone.
fn end_with_parent() {
    let mut one = [0];
    while io::stdin().lock().read(&mut one).is_ok_and(|read| read > 0) {}
    std::process::exit(1);
}

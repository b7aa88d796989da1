//! The scripts, each one atomic operation of the server.

use std::sync::Arc;

use futures::future::join_all;
use redis::{Arg, Cmd, Script as Digest, Value};

use super::error::{Failure, is_unknown_script};
use super::link::Link;

/// A Lua script, known to the server by its digest.
pub(super) struct Script {
    code: &'static str,
    digest: String,
}

/// Those about counters.
pub(super) struct Scripts {
    pub open: Script,
    /// Reads the fields that it is asked for, so it serves `load` and `seats`.
    pub load: Script,
    pub swap: Script,
    pub admit: Script,
    pub confirm: Script,
    pub close: Script,
    pub state: Script,
    pub sweep: Script,
    /// Lets users without a seat through.
    pub lenient: Script,
    /// About no counter: does what the others do.
    pub probe: Script,
}

/// The code of a script that begins with `begin.lua`. Told with it is which arguments are fields
/// to be read, from the first to the last, and what the answer is where there is no counter.
macro_rules! about_a_counter {
    ($file:literal, $first:literal, $last:literal, gone: $gone:literal) => {
        concat!(
            include_str!("scripts/common.lua"),
            concat!("local first, last, gone = ", $first, ", ", $last, ", ", $gone, "\n"),
            include_str!("scripts/begin.lua"),
            include_str!(concat!("scripts/", $file)),
        )
    };
}

const OPEN: &str = concat!(include_str!("scripts/common.lua"), include_str!("scripts/open.lua"));
const LOAD: &str = about_a_counter!("load.lua", "2", "#ARGV", gone: "false");
const SWAP: &str = about_a_counter!("swap.lua", "4", "#ARGV", gone: "false");
const ADMIT: &str = about_a_counter!("admit.lua", "3", "#ARGV", gone: "false");
const CONFIRM: &str = about_a_counter!("confirm.lua", "2", "(#ARGV + 1) / 2", gone: "false");
const CLOSE: &str = about_a_counter!("close.lua", "2", "1", gone: "false");
const STATE: &str = about_a_counter!("state.lua", "2", "1", gone: "false");
const LENIENT: &str = about_a_counter!("lenient.lua", "2", "1", gone: "false");
const PROBE: &str = include_str!("scripts/probe.lua");
const SWEEP: &str =
    about_a_counter!("sweep.lua", "2", "1", gone: "redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[1])");

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            open: Script::new(OPEN),
            load: Script::new(LOAD),
            swap: Script::new(SWAP),
            admit: Script::new(ADMIT),
            confirm: Script::new(CONFIRM),
            close: Script::new(CLOSE),
            state: Script::new(STATE),
            sweep: Script::new(SWEEP),
            lenient: Script::new(LENIENT),
            probe: Script::new(PROBE),
        }
    }
}

/// Those about rooms.
pub(super) struct EventScripts {
    pub tell: Script,
    pub since: Script,
}

impl EventScripts {
    pub(super) fn new() -> Self {
        Self {
            tell: Script::new(include_str!("scripts/tell.lua")),
            since: Script::new(include_str!("scripts/since.lua")),
        }
    }
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, digest: Digest::new(code).get_hash().to_owned() }
    }

    /// The command that runs it by its digest.
    pub(super) fn command(&self) -> Cmd {
        let mut command = Cmd::with_capacity(16, 320);
        command.arg("EVALSHA").arg(&self.digest);
        command
    }

    /// Runs it by a command that it made, about this key; with its code where the server does not
    /// know it.
    pub(super) async fn run(&self, link: &Arc<Link>, command: &Cmd, key: &str) -> Result<Value, Failure> {
        match link.call(command, key).await {
            Err(Failure::Redis(error)) if is_unknown_script(&error) => {
                link.call(&self.in_full(command), key).await
            }
            answer => answer,
        }
    }

    /// The same with commands that each have a key; answers in their order.
    pub(super) async fn run_all(
        &self,
        link: &Arc<Link>,
        commands: &[Cmd],
        keys: &[&str],
    ) -> Vec<Result<Value, Failure>> {
        let mut answers = link.call_all(commands, keys).await;
        let is_unknown = |answer: &Result<Value, Failure>| match answer {
            Err(Failure::Redis(error)) => is_unknown_script(error),
            _ => false,
        };
        let asked = commands.iter().zip(keys).zip(&mut answers);
        let mut unknown = asked.filter(|(_, answer)| is_unknown(answer));
        // The first one teaches the server. The others are asked together, since they may be hundreds.
        if let Some(((command, key), answer)) = unknown.next() {
            *answer = self.run(link, command, key).await;
        }
        let again = unknown.map(|((command, key), answer)| async move {
            *answer = self.run(link, command, key).await;
        });
        join_all(again).await;
        answers
    }

    /// Runs it as a probe.
    pub(super) async fn try_out(&self, link: &Arc<Link>, command: &Cmd, key: &str) -> Result<Value, Failure> {
        match link.call_uncounted(command, key).await {
            Err(Failure::Redis(error)) if is_unknown_script(&error) => {
                link.call_uncounted(&self.in_full(command), key).await
            }
            answer => answer,
        }
    }

    /// The same command with the code in place of the digest. The server knows the digest from
    /// then on.
    pub(super) fn in_full(&self, command: &Cmd) -> Cmd {
        let mut full = redis::cmd("EVAL");
        full.arg(self.code);
        for arg in command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                full.arg(bytes);
            }
        }
        full
    }
}

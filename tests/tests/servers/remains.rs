//! What is left of servers when whoever started them is gone: nothing.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use hongbao_tests::servers::{Postgres, Redis};

use crate::eventually;

/// Set for the process that is to die.
const VICTIM: &str = "HONGBAO_TEST_SERVERS_VICTIM";

static SERVERS: OnceLock<(Redis, Postgres)> = OnceLock::new();

/// Directories and process ids, by which one sees whether something is left.
fn traces(redis: &Redis, postgres: &Postgres) -> Vec<String> {
    let directory = redis.cli(&["config", "get", "dir"]);
    let info = redis.cli(&["info", "server"]);
    let redis = info.lines().find_map(|line| line.trim_end().strip_prefix("process_id:")).unwrap();
    let postmaster = fs::read_to_string(postgres.directory().join("postmaster.pid")).unwrap();
    let backends =
        postgres.psql("postgres", "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
    let mut traces = vec![directory.lines().nth(1).unwrap().to_owned(), redis.to_owned()];
    traces.push(postgres.directory().display().to_string());
    traces.push(postmaster.lines().next().unwrap().to_owned());
    traces.extend(backends.lines().map(str::to_owned));
    traces
}

/// A process id is looked up among the processes, a server's data in its directory.
fn is_left(trace: &String) -> bool {
    if trace.starts_with('/') {
        return Path::new(trace).parent().unwrap().exists();
    }
    // One that has ended stays a zombie until the first process of the system gets round to it.
    let stat = fs::read_to_string(Path::new("/proc").join(trace).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// Not a test by itself: the process that the next one kills.
#[test]
fn a_victim_starts_servers_and_waits() {
    if env::var_os(VICTIM).is_none() {
        return;
    }
    let (redis, postgres) = SERVERS.get_or_init(|| (Redis::start(), Postgres::start()));
    println!("\ntraces: {}", traces(redis, postgres).join(" "));
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn nothing_is_left_of_a_process_that_was_killed() {
    let mut victim = Command::new(env::current_exe().unwrap());
    victim.args(["--exact", "remains::a_victim_starts_servers_and_waits", "--nocapture"]);
    let mut victim = victim.env(VICTIM, "1").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let traces = lines.into_iter().find_map(|line| line.strip_prefix("traces: ").map(str::to_owned)).unwrap();
    let traces: Vec<_> = traces.split(' ').map(str::to_owned).collect();
    assert!(traces.len() > 4 && traces.iter().all(is_left), "{traces:?}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("an end without remains", || !traces.iter().any(is_left));
}

#[test]
fn nothing_is_left_of_servers_that_were_dropped() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let traces = traces(&redis, &postgres);
    redis.pause();
    drop((redis, postgres));
    assert_eq!(traces.iter().filter(|trace| is_left(trace)).collect::<Vec<_>>(), Vec::<&String>::new());
}

//! Whether everything that the build needs is there, and getting what can be got.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{self, Failure};

/// The plugin is built for this target, without any system interface.
const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages of the servers and of the browser, with programs of theirs that tests start.
const SERVERS: &[(&str, &[&str])] = &[
    ("redis-server", &["redis-server", "redis-cli"]),
    ("postgresql", &["initdb", "postgres", "pg_basebackup", "psql"]),
    ("pgbouncer", &["pgbouncer"]),
    ("haproxy", &["haproxy"]),
    ("chromium", &["chromium"]),
    ("chromium-driver", &["chromedriver"]),
    ("wrk", &["wrk"]),
];

/// What judges the page (accessibility), and where the tests find it.
const AXE_PACKAGE: &str = "axe-core@4.14.1";
const AXE_FOLDER: &str = "target/axe";
const AXE: &str = "target/axe/node_modules/axe-core/axe.min.js";

/// Where Debian keeps PostgreSQL's programs, by version, and off PATH.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Checks what the build needs. Installs the plugin's target where it is missing.
pub fn run() -> Result<(), Failure> {
    let cargo = cargo_version()?;
    let compiler = c_compiler()?;
    say(&format!("{cargo} and the C compiler `{compiler}` are there."));
    target()
}

/// Checks the two tools that only `check` needs. Installs what is missing.
pub fn components() -> Result<(), Failure> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if has_tool(tool) {
            continue;
        }
        rustup(&["component", "add", component]).ok_or_else(|| {
            Failure::unavailable(format!(
                "`cargo {tool}` is missing and could not be added; run `rustup component add {component}`"
            ))
        })?;
        say(&format!("Added {component}."));
    }
    Ok(())
}

/// Checks the servers that only tests and benchmarks start. Installs what is missing where that needs
/// no password.
pub fn servers() -> Result<(), Failure> {
    let missing = missing_packages(&directories());
    if missing.is_empty() {
        say("Redis, PostgreSQL, PgBouncer, HAProxy, Chromium and wrk are there.");
        return Ok(());
    }
    let packages = missing.join(" ");
    let failure = || {
        Failure::unavailable(format!(
            "the tests start servers of their own, and some programs are missing that could not be installed; \
             install the packages {packages} (Redis, PostgreSQL with its server programs, PgBouncer, HAProxy, Chromium \
             with its driver, and the load generator wrk)"
        ))
    };
    let root = becoming_root().ok_or_else(failure)?;
    say(&format!("Installing {packages} by apt-get."));
    // The lists of packages may be old, or not be there at all.
    let installed = apt_get(&root, &["install", "-y"], &missing).is_some()
        || apt_get(&root, &["update"], &[]).is_some()
            && apt_get(&root, &["install", "-y"], &missing).is_some();
    if installed && missing_packages(&directories()).is_empty() { Ok(()) } else { Err(failure()) }
}

/// Checks the rules by which the tests judge whether everybody can use the page. Installs them.
pub fn axe() -> Result<(), Failure> {
    if Path::new(AXE).is_file() {
        return Ok(());
    }
    say(&format!("Installing {AXE_PACKAGE} by npm."));
    let mut command = process::program("npm");
    let options = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
    command
        .args(options)
        .args(["--prefix", AXE_FOLDER, AXE_PACKAGE])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let installed = process::run(command).is_ok() && Path::new(AXE).is_file();
    if installed {
        return Ok(());
    }
    Err(Failure::unavailable(format!(
        "the tests of the page need {AXE_PACKAGE}, and npm could not install it; install Node.js with npm"
    )))
}

fn say(line: &str) {
    // Standard output belongs to the task that follows.
    eprintln!("setup: {line}");
}

fn cargo_version() -> Result<String, Failure> {
    let mut command = process::cargo();
    command.arg("--version");
    process::output(command).ok_or_else(|| {
        Failure::unavailable("cargo does not run; install Rust with rustup and put cargo on PATH")
    })
}

/// SQLite is compiled from its C source. The build finds MSVC's compiler by itself, so there is
/// nothing to look for on PATH.
fn c_compiler() -> Result<String, Failure> {
    if cfg!(target_env = "msvc") {
        return Ok("cl".into());
    }
    let chosen = env::var("CC").ok().and_then(|line| line.split_whitespace().next().map(str::to_owned));
    let candidates =
        chosen.map_or_else(|| ["cc", "gcc", "clang"].map(str::to_owned).to_vec(), |one| vec![one]);
    candidates.into_iter().find(|name| runs(name)).ok_or_else(|| {
        Failure::unavailable(
            "no C compiler runs, and SQLite needs one; install gcc or clang, or name one in CC",
        )
    })
}

fn runs(name: &str) -> bool {
    let mut command = process::program(name);
    command.arg("--version");
    process::output(command).is_some()
}

fn has_tool(name: &str) -> bool {
    let mut command = process::cargo();
    command.args([name, "--version"]);
    process::output(command).is_some()
}

fn target() -> Result<(), Failure> {
    if has_target() {
        say(&format!("The target {TARGET} is there."));
        return Ok(());
    }
    say(&format!("The target {TARGET} is missing; asking rustup for it."));
    if rustup(&["target", "add", TARGET]).is_some() && has_target() {
        say(&format!("Added the target {TARGET}."));
        return Ok(());
    }
    Err(Failure::unavailable(format!(
        "the target {TARGET} is missing and could not be added; install Rust with rustup, \
         or add the standard library for {TARGET} to your Rust"
    )))
}

/// Asks the compiler that will build the plugin, rather than rustup: a Rust that did not come
/// from rustup may have the target too, and one that shadows rustup's may lack it.
fn has_target() -> bool {
    let mut command = process::program(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--print", "target-libdir", "--target", TARGET]);
    process::output(command).is_some_and(|directory| Path::new(&directory).is_dir())
}

/// The packages of which a program is in none of these directories.
fn missing_packages(directories: &[PathBuf]) -> Vec<&'static str> {
    let is_there = |program: &&str| directories.iter().any(|directory| directory.join(program).is_file());
    let missing = SERVERS.iter().filter(|(_, programs)| !programs.iter().all(is_there));
    missing.map(|(package, _)| *package).collect()
}

fn directories() -> Vec<PathBuf> {
    let versions = fs::read_dir(POSTGRESQL).into_iter().flatten().flatten();
    let path = env::var_os("PATH").unwrap_or_default();
    // Daemons are off the PATH of those who are not root.
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(daemons).chain(versions.map(|version| version.path().join("bin"))).collect()
}

/// What stands before a command of root: nothing if we are root already, `sudo` if it asks for no
/// password; none where we cannot become root.
fn becoming_root() -> Option<Vec<&'static str>> {
    let prints = |line: &[&str]| {
        let (name, arguments) = line.split_first()?;
        let mut command = process::program(*name);
        command.args(arguments);
        process::output(command)
    };
    if prints(&["id", "-u"])? == "0" {
        return Some(Vec::new());
    }
    prints(&["sudo", "-n", "true"]).map(|_| vec!["sudo", "-n"])
}

/// Runs apt-get, which asks nothing and tells its own failures; none where it is missing or fails. At
/// run level 1 the packages do not start their own servers, which nobody needs here.
fn apt_get(root: &[&str], task: &[&str], packages: &[&str]) -> Option<()> {
    let own = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-qq"];
    let mut line = root.iter().chain(&own).chain(task).chain(packages);
    let mut command = process::program(*line.next()?);
    command.args(line).stdin(Stdio::null()).stdout(Stdio::null());
    process::run(command).ok()
}

/// Runs rustup, which shows its own progress; none where it is missing or fails.
fn rustup(arguments: &[&str]) -> Option<()> {
    let mut command = process::program("rustup");
    command.args(arguments);
    process::run(command).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_missing_when_one_of_its_programs_is() {
        let directory = env::temp_dir().join(format!("hongbao-setup-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let all: Vec<_> = SERVERS.iter().map(|(package, _)| *package).collect();
        assert_eq!(missing_packages(std::slice::from_ref(&directory)), all);
        let others = SERVERS.iter().flat_map(|(_, programs)| *programs);
        for program in others.filter(|program| **program != "psql") {
            fs::write(directory.join(program), "").unwrap();
        }
        assert_eq!(missing_packages(std::slice::from_ref(&directory)), ["postgresql"]);
        fs::remove_dir_all(directory).unwrap();
    }
}

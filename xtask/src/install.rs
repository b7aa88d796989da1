//! Prerequisites of tasks, and their installation after consent.

use std::env;
use std::fs;
use std::io::{IsTerminal as _, stderr, stdin};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{self, Failure};
use crate::tier::{Packages, Tier};
use crate::tools::Tools;

/// The load generator of `cargo xtask bench serve`.
pub const WRK: Packages = &[("wrk", &["wrk"])];

/// The rules by which the browser tests judge accessibility, and where the tests find them.
const AXE_PACKAGE: &str = "axe-core@4.14.1";
const AXE_FOLDER: &str = "target/axe";
const AXE: &str = "target/axe/node_modules/axe-core/axe.min.js";

/// Where Debian keeps PostgreSQL's programs, by version, and off PATH.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Whether what is missing may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--yes` was given.
    Given,
    /// The person at the terminal is asked.
    Ask,
    /// There is nobody to ask, so the task stops.
    Unattended,
}

impl Consent {
    pub fn new(yes: bool) -> Self {
        match yes {
            true => Self::Given,
            false if stdin().is_terminal() && stderr().is_terminal() => Self::Ask,
            false => Self::Unattended,
        }
    }
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Missing {
    /// Debian's packages, which only root can install.
    Debian(Vec<&'static str>),
    /// The package of npm, below `target/`.
    Axe,
    /// Packages of Python or Node, below `target/`.
    Tools(Tools),
}

impl Missing {
    /// The command that installs it, as a person would type it.
    fn command(&self) -> String {
        match self {
            Self::Debian(packages) => format!("sudo apt-get install -y {}", packages.join(" ")),
            Self::Axe => format!("npm install --prefix {AXE_FOLDER} {AXE_PACKAGE}"),
            Self::Tools(tools) => tools.command(),
        }
    }

    fn install(&self) -> Result<(), Failure> {
        match self {
            Self::Debian(packages) => debian(packages),
            Self::Axe => axe(),
            Self::Tools(tools) if tools.install() => Ok(()),
            Self::Tools(tools) => {
                Err(self.failure(&format!("it could not be installed, and needs {}", tools.needs())))
            }
        }
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::unavailable(format!("{why}; install it yourself: `{}`", self.command()))
    }
}

/// Sees to it that everything is there that the suites of these tiers start.
pub fn for_tiers(tiers: &[Tier], consent: Consent) -> Result<(), Failure> {
    let packages: Vec<_> = tiers.iter().flat_map(|tier| tier.packages()).copied().collect();
    let mut missing = missing_packages(&packages, &directories());
    if tiers.contains(&Tier::Browser) && !process::root().join(AXE).is_file() {
        missing.push(Missing::Axe);
    }
    let tools = tiers.iter().flat_map(|tier| tier.tools());
    missing.extend(tools.copied().filter(|tools| !tools.are_there()).map(Missing::Tools));
    install(&missing, consent)
}

/// Sees to it that these packages are there.
pub fn packages(packages: Packages, consent: Consent) -> Result<(), Failure> {
    install(&missing_packages(packages, &directories()), consent)
}

fn install(missing: &[Missing], consent: Consent) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> = missing.iter().map(Missing::command).collect();
    match consent {
        Consent::Given => {}
        Consent::Ask if agreed(&commands) => {}
        Consent::Ask => return Err(Failure::unavailable("nothing was installed, so the task cannot run")),
        Consent::Unattended => {
            return Err(Failure::unavailable(format!(
                "something that the task needs is missing; run `{}`, or repeat the task with --yes to let it \
                 do so",
                commands.join("` and `")
            )));
        }
    }
    missing.iter().try_for_each(|one| {
        say(&format!("Running `{}`.", one.command()));
        one.install()
    })
}

/// Asks the person at the terminal.
fn agreed(commands: &[String]) -> bool {
    say("The task needs something that is not installed. It would run:");
    commands.iter().for_each(|command| eprintln!("    {command}"));
    eprint!("Run this now? [y/N] ");
    let mut answer = String::new();
    // Who closes the terminal has not agreed.
    let read = stdin().read_line(&mut answer).unwrap_or(0);
    read > 0 && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}

/// What of this is not installed.
fn missing_packages(packages: &[(&'static str, &[&str])], directories: &[PathBuf]) -> Vec<Missing> {
    let is_there = |program: &&str| directories.iter().any(|directory| directory.join(program).is_file());
    let missing = packages.iter().filter(|(_, programs)| !programs.iter().all(is_there));
    let names: Vec<_> = missing.map(|(package, _)| *package).collect();
    if names.is_empty() { Vec::new() } else { vec![Missing::Debian(names)] }
}

fn directories() -> Vec<PathBuf> {
    let versions = fs::read_dir(POSTGRESQL).into_iter().flatten().flatten();
    let path = env::var_os("PATH").unwrap_or_default();
    // Daemons are off the PATH of those who are not root.
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(daemons).chain(versions.map(|version| version.path().join("bin"))).collect()
}

fn debian(packages: &[&'static str]) -> Result<(), Failure> {
    let missing = Missing::Debian(packages.to_vec());
    if !runs(&["apt-get", "--version"]) {
        let why = format!("this is not Debian, and programs of {} are missing", packages.join(", "));
        return Err(Failure::unavailable(format!("{why}; install them and put them on PATH")));
    }
    let Some(root) = becoming_root() else {
        return Err(missing.failure("only root can install packages, and sudo asks for a password"));
    };
    // The lists of packages may be old, or not be there at all.
    let installed = apt_get(&root, &["install", "-y"], packages).is_ok()
        || apt_get(&root, &["update"], &[]).is_ok() && apt_get(&root, &["install", "-y"], packages).is_ok();
    if installed { Ok(()) } else { Err(missing.failure("apt-get could not install it")) }
}

/// What stands before a command of root: nothing if we are root already, `sudo` if it asks for no
/// password; none where we cannot become root.
fn becoming_root() -> Option<Vec<&'static str>> {
    let mut id = process::program("id");
    id.arg("-u");
    if process::output(id)? == "0" {
        return Some(Vec::new());
    }
    runs(&["sudo", "-n", "true"]).then(|| vec!["sudo", "-n"])
}

/// Runs apt-get, which asks nothing and prints its own failures. At run level 1 the packages do not
/// start their own servers, which nobody needs here.
fn apt_get(root: &[&str], task: &[&str], packages: &[&str]) -> Result<(), Failure> {
    let own = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-qq"];
    let line: Vec<_> = root.iter().chain(&own).chain(task).chain(packages).copied().collect();
    process::run(quiet(&line))
}

fn axe() -> Result<(), Failure> {
    let options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
    let line = [&["npm", "install"], &options[..], &["--prefix", AXE_FOLDER, AXE_PACKAGE]].concat();
    let installed = process::run(quiet(&line)).is_ok() && Path::new(&process::root().join(AXE)).is_file();
    if installed { Ok(()) } else { Err(Missing::Axe.failure("npm could not install it")) }
}

/// A program that is asked nothing and whose output nobody reads.
fn quiet(line: &[&str]) -> std::process::Command {
    let (name, arguments) = line.split_first().unwrap_or((&"", &[]));
    let mut command = process::program(*name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn runs(line: &[&str]) -> bool {
    process::output(quiet(line)).is_some()
}

fn say(line: &str) {
    // Standard output belongs to the task that follows.
    eprintln!("setup: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_missing_when_one_of_its_programs_is() {
        let directory = tempfolder();
        let packages = Tier::Servers.packages();
        let all = packages.iter().map(|(package, _)| *package).collect();
        let here = std::slice::from_ref(&directory);
        assert_eq!(missing_packages(packages, here), [Missing::Debian(all)]);
        let programs = packages.iter().flat_map(|(_, programs)| *programs);
        for program in programs.filter(|program| **program != "psql") {
            fs::write(directory.join(program), "").unwrap();
        }
        assert_eq!(missing_packages(packages, here), [Missing::Debian(vec!["postgresql"])]);
        fs::write(directory.join("psql"), "").unwrap();
        assert_eq!(missing_packages(packages, here), []);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn without_a_terminal_nothing_is_installed_and_the_commands_are_named() {
        let missing = [Missing::Debian(vec!["haproxy", "wrk"]), Missing::Axe];
        let failure = install(&missing, Consent::Unattended).unwrap_err();
        let sentence = failure.sentence().unwrap();
        assert!(sentence.contains("`sudo apt-get install -y haproxy wrk`"), "{sentence}");
        assert!(sentence.contains("`npm install --prefix") && sentence.contains("--yes"), "{sentence}");
        assert_eq!(failure.code(), 69);
    }

    #[test]
    fn nothing_is_asked_where_nothing_is_missing() {
        assert!(install(&[], Consent::Unattended).is_ok());
    }

    fn tempfolder() -> PathBuf {
        let directory = env::temp_dir().join(format!("hongbao-setup-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        directory
    }
}

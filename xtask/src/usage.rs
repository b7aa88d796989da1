//! Parsing of the command line.

use std::ffi::OsString;

use crate::process::Failure;
use crate::tier::Tier;

/// Printed by `cargo xtask help`, and after a wrong usage.
pub const TEXT: &str = "\
Usage: cargo xtask <TASK> [--yes] [-- ARGS]

Tasks:
  setup [TIER …]  Checks what the build and these tiers of tests need (all without
                  a name), and installs what is missing
  serve [-- ARGS] Runs `hongbao serve --demo --open ARGS`: a chat with red packets
                  in the browser
  demo [-- ARGS]  Runs `hongbao demo ARGS`
  test [TIER …] [-- ARGS]
                  Runs the tests of these tiers, or every test without a name;
                  ARGS go to `cargo test`
  bench NAME [-- ARGS]
                  Measures: `contract` is what a call of the plugin costs,
                  `stores` is Redis and PostgreSQL behind it, `tenants` is what
                  many tenants cost each other, `serve` is what HTTP costs
  chaos [-- ARGS] Kills, cuts off and slows down whatever hosts depend on, then
                  lets others do harm beside a tenant, and looks for what was
                  lost; ARGS as in `cargo xtask chaos -- --help`
  check           Checks format, lints and documents
  package [-- ARGS]
                  Makes the .crate files of what can be published, the embedded
                  plugin included; ARGS go to `cargo package`
  help            Prints this text

Tiers of tests:
  fast            Needs Rust and a C compiler; the same as `cargo test`
  servers         Starts Redis, PostgreSQL, PgBouncer and HAProxy
  browser         Drives Chromium
  clients         Makes clients of the API's specification, in Python and TypeScript
  matrix          Starts Synapse, a Matrix homeserver, with the bridge to it

A task first checks what it needs. The wasm32-unknown-unknown target is added by
rustup. For anything else the task prints the commands that would install it and
asks; --yes is a yes beforehand, for machines where nobody can answer.

Exit codes: that of the program that failed; 64 for a wrong usage;
69 where something that is needed cannot be had.
";

/// What can be measured.
const BENCHES: [&str; 4] = ["contract", "stores", "tenants", "serve"];

/// A task with what it is given.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Setup(Vec<Tier>),
    Serve(Vec<OsString>),
    Demo(Vec<OsString>),
    Test(Vec<Tier>, Vec<OsString>),
    Bench(OsString, Vec<OsString>),
    Chaos(Vec<OsString>),
    Check,
    Package(Vec<OsString>),
    Help,
}

/// The words of a command line.
struct Words<'a> {
    /// Before `--`, without the task and `--yes`.
    own: Vec<&'a OsString>,
    /// Behind `--`.
    passed: Vec<OsString>,
    yes: bool,
}

/// Reads the command line, without the name of the program: a task, and whether `--yes` was given.
pub fn parse(arguments: &[OsString]) -> Result<(Task, bool), Failure> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Failure::usage("name a task"));
    };
    let name = name.to_string_lossy();
    let words = Words::of(rest);
    let yes = words.yes;
    let task = match name.as_ref() {
        "setup" => words.tiers().and_then(|tiers| words.alone(&name, Task::Setup(tiers))),
        "check" => words.none().and_then(|words| words.alone(&name, Task::Check)),
        "help" | "--help" | "-h" => words.none().and_then(|words| words.alone(&name, Task::Help)),
        "serve" => words.only_passed(&name).map(Task::Serve),
        "demo" => words.only_passed(&name).map(Task::Demo),
        "chaos" => words.only_passed(&name).map(Task::Chaos),
        "package" => words.only_passed(&name).map(Task::Package),
        "test" => words.tiers().map(|tiers| Task::Test(tiers, words.passed)),
        "bench" => match words.own.as_slice() {
            [which] if BENCHES.iter().any(|bench| which == bench) => {
                Ok(Task::Bench((*which).clone(), words.passed))
            }
            _ => Err(Failure::usage(format!("name what to measure: {}", BENCHES.join(", ")))),
        },
        _ => Err(Failure::usage(format!("there is no task `{name}`"))),
    };
    Ok((task?, yes))
}

impl<'a> Words<'a> {
    fn of(rest: &'a [OsString]) -> Self {
        let dashes = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
        let (own, passed) = rest.split_at(dashes);
        let (yes, own): (Vec<_>, Vec<_>) = own.iter().partition(|word| *word == "--yes");
        Self { own, passed: passed.iter().skip(1).cloned().collect(), yes: !yes.is_empty() }
    }

    /// The tiers that are named; all of them where none is.
    fn tiers(&self) -> Result<Vec<Tier>, Failure> {
        let named = self.own.iter().map(|word| {
            word.to_str().and_then(Tier::named).ok_or_else(|| {
                let names = Tier::ALL.map(Tier::name).join(", ");
                let word = word.to_string_lossy();
                Failure::usage(format!(
                    "`{word}` is no tier of tests ({names}); put `--` before what cargo is given"
                ))
            })
        });
        let named: Vec<_> = named.collect::<Result<_, _>>()?;
        Ok(if named.is_empty() { Tier::ALL.to_vec() } else { named })
    }

    fn none(self) -> Result<Self, Failure> {
        match self.own.first() {
            None => Ok(self),
            Some(word) => Err(Failure::usage(format!("`{}` is not understood here", word.to_string_lossy()))),
        }
    }

    fn alone(&self, name: &str, task: Task) -> Result<Task, Failure> {
        if self.passed.is_empty() {
            Ok(task)
        } else {
            Err(Failure::usage(format!("`{name}` passes nothing on")))
        }
    }

    fn only_passed(self, name: &str) -> Result<Vec<OsString>, Failure> {
        match self.own.first() {
            None => Ok(self.passed),
            Some(first) => Err(Failure::usage(format!(
                "put `--` before what `{name}` passes on, as in `cargo xtask {name} -- {}`",
                first.to_string_lossy()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, Failure> {
        with_consent(line).map(|(task, _)| task)
    }

    fn with_consent(line: &str) -> Result<(Task, bool), Failure> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_task_gets_what_stands_after_the_dashes() {
        assert_eq!(parsed("demo -- --people 3").unwrap(), Task::Demo(vec!["--people".into(), "3".into()]));
        assert_eq!(
            parsed("test -- -- --nocapture").unwrap(),
            Task::Test(Tier::ALL.to_vec(), vec!["--".into(), "--nocapture".into()])
        );
        assert_eq!(parsed("bench stores").unwrap(), Task::Bench("stores".into(), vec![]));
        assert_eq!(
            parsed("bench contract -- --quick").unwrap(),
            Task::Bench("contract".into(), vec!["--quick".into()])
        );
    }

    #[test]
    fn tiers_can_be_chosen() {
        assert_eq!(parsed("test fast").unwrap(), Task::Test(vec![Tier::Fast], vec![]));
        assert_eq!(
            parsed("test servers browser -- news").unwrap(),
            Task::Test(vec![Tier::Servers, Tier::Browser], vec!["news".into()])
        );
        assert_eq!(parsed("setup").unwrap(), Task::Setup(Tier::ALL.to_vec()));
    }

    #[test]
    fn a_yes_counts_before_the_dashes_alone() {
        assert!(with_consent("test --yes").unwrap().1);
        assert!(with_consent("test fast --yes -- name").unwrap().1);
        let (task, yes) = with_consent("serve -- --yes").unwrap();
        assert_eq!((task, yes), (Task::Serve(vec!["--yes".into()]), false));
    }

    #[test]
    fn every_task_of_the_usage_text_is_understood() {
        let tasks = TEXT.lines().skip_while(|line| *line != "Tasks:").skip(1);
        let names: Vec<_> = tasks
            .take_while(|line| !line.is_empty())
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(names.len(), 9);
        for name in names {
            let line = if name == "bench" { "bench stores" } else { name };
            assert!(parsed(line).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_usage_text_lists_every_tier() {
        for tier in Tier::ALL {
            assert!(TEXT.contains(&format!("\n  {} ", tier.name())), "{}", tier.name());
        }
    }

    #[test]
    fn a_wrong_usage_is_refused_with_64() {
        for line in [
            "",
            "tset",
            "check -- now",
            "check now",
            "setup x",
            "help me",
            "test --doc",
            "test slow",
            "bench",
            "bench all",
            "demo --people 3",
            "package --list",
        ] {
            assert_eq!(parsed(line).unwrap_err().code(), 64, "{line:?}");
        }
    }
}

//! From the command line to a task.

use std::ffi::OsString;

use crate::process::Failure;

/// Printed by `cargo xtask help`, and after a wrong usage.
pub const TEXT: &str = "\
Usage: cargo xtask <TASK> [-- ARGS]

Tasks:
  setup           Checks that everything the build and the tests need is there;
                  installs the wasm32-unknown-unknown target, and by apt-get
                  Redis, PostgreSQL, PgBouncer, HAProxy and Chromium, where they are missing
  serve [-- ARGS] Sets up, then runs `hongbao serve --demo --open ARGS`: a chat with
                  red packets in the browser
  demo [-- ARGS]  Sets up, then runs `hongbao demo ARGS`
  test [-- ARGS]  Sets up, then runs every test: `cargo test --workspace ARGS`
  bench NAME [-- ARGS]
                  Sets up, then measures: `contract` is what a call of the plugin
                  costs, `stores` is Redis and PostgreSQL behind it,
                  `tenants` is what many tenants cost each other, `serve` is
                  what HTTP costs
  chaos [-- ARGS] Sets up, then kills, cuts off and slows down whatever hosts
                  depend on, and looks for what was lost; ARGS as in
                  `cargo xtask chaos -- --help`
  check           Sets up, then checks format, lints and documents
  help            Prints this text

Exit codes: that of the program that failed; 64 for a wrong usage;
69 where something that is needed cannot be had.
";

/// What can be measured.
const BENCHES: [&str; 4] = ["contract", "stores", "tenants", "serve"];

/// A task with what it is given.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Setup,
    Serve(Vec<OsString>),
    Demo(Vec<OsString>),
    Test(Vec<OsString>),
    Bench(OsString, Vec<OsString>),
    Chaos(Vec<OsString>),
    Check,
    Help,
}

/// Reads the command line, without the name of the program.
pub fn parse(arguments: &[OsString]) -> Result<Task, Failure> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Failure::usage("name a task"));
    };
    let name = name.to_string_lossy();
    match name.as_ref() {
        "setup" => none(&name, rest, Task::Setup),
        "check" => none(&name, rest, Task::Check),
        "help" | "--help" | "-h" => none(&name, rest, Task::Help),
        "serve" => after_dashes(&name, rest).map(Task::Serve),
        "demo" => after_dashes(&name, rest).map(Task::Demo),
        "test" => after_dashes(&name, rest).map(Task::Test),
        "bench" => match rest.split_first() {
            Some((which, rest)) if BENCHES.iter().any(|bench| which == bench) => {
                after_dashes(&name, rest).map(|passed| Task::Bench(which.clone(), passed))
            }
            _ => Err(Failure::usage(format!("name what to measure: {}", BENCHES.join(", ")))),
        },
        "chaos" => after_dashes(&name, rest).map(Task::Chaos),
        _ => Err(Failure::usage(format!("there is no task `{name}`"))),
    }
}

fn none(name: &str, rest: &[OsString], task: Task) -> Result<Task, Failure> {
    if rest.is_empty() { Ok(task) } else { Err(Failure::usage(format!("`{name}` takes no arguments"))) }
}

fn after_dashes(name: &str, rest: &[OsString]) -> Result<Vec<OsString>, Failure> {
    match rest.split_first() {
        None => Ok(Vec::new()),
        Some((dashes, passed)) if dashes == "--" => Ok(passed.to_vec()),
        Some((first, _)) => Err(Failure::usage(format!(
            "put `--` before what `{name}` passes on, as in `cargo xtask {name} -- {}`",
            first.to_string_lossy()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, Failure> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_task_gets_what_stands_after_the_dashes() {
        assert_eq!(parsed("demo -- --people 3").unwrap(), Task::Demo(vec!["--people".into(), "3".into()]));
        assert_eq!(
            parsed("test -- -- --nocapture").unwrap(),
            Task::Test(vec!["--".into(), "--nocapture".into()])
        );
        assert_eq!(parsed("bench stores").unwrap(), Task::Bench("stores".into(), vec![]));
        assert_eq!(
            parsed("bench contract -- --quick").unwrap(),
            Task::Bench("contract".into(), vec!["--quick".into()])
        );
    }

    #[test]
    fn every_task_of_the_usage_text_is_understood() {
        let tasks = TEXT.lines().skip_while(|line| *line != "Tasks:").skip(1);
        let names: Vec<_> = tasks
            .take_while(|line| !line.is_empty())
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(names.len(), 8);
        for name in names {
            let line = if name == "bench" { "bench stores" } else { name };
            assert!(parsed(line).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_wrong_usage_is_refused_with_64() {
        for line in ["", "tset", "check -- now", "setup x", "help me", "test --doc", "bench", "bench all"] {
            assert_eq!(parsed(line).unwrap_err().code(), 64, "{line:?}");
        }
    }
}

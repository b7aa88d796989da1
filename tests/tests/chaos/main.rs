//! The short form of `cargo xtask chaos`: every fault once, with a small load, and all mischief beside a
//! neighbour. And that what looks for harm would find it.

#![cfg(unix)]
// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod lines;

use std::time::Duration;

use hongbao_tests::chaos::neighbour::{self, Mischief, Windows};
use hongbao_tests::chaos::{Fault, Options, Report, run};

/// One round; everything that was acknowledged is there after each fault.
#[track_caller]
fn nothing_is_lost(seed: u64, faults: &[Fault]) -> Report {
    let program = env!("CARGO_BIN_EXE_hongbao-chaos").into();
    let options = Options { program, seed, rounds: 1, users: 60, every_ms: 120 };
    let report = run(&options, faults, |_| ());
    let wrongs: Vec<_> = report.drills.iter().flat_map(|drill| &drill.wrongs).collect();
    assert!(report.is_clean(), "{wrongs:#?}");
    let rows = report.rows();
    assert_eq!(rows.len(), faults.len());
    for row in rows {
        assert!(row.acknowledged > 10, "too few opens to tell anything: {row:?}");
        assert!(row.worst.is_some_and(|worst| worst < Duration::from_secs(15)), "{row:?}");
    }
    report
}

#[test]
fn what_happens_to_the_counters_loses_nothing() {
    let faults = [
        Fault::RestartRedis,
        Fault::FillRedis,
        Fault::FlushRedis,
        Fault::InflateCounters,
        Fault::DeflateCounters,
        Fault::CutRedis,
        Fault::SlowRedis,
        Fault::LoseRepliesOfRedis,
    ];
    nothing_is_lost(1, &faults);
}

#[test]
fn what_happens_to_hosts_and_the_ledger_loses_nothing() {
    let faults = [
        Fault::KillHost,
        Fault::JumpClock,
        Fault::RestartPostgres,
        Fault::CutPostgres,
        Fault::SlowPostgres,
        Fault::LoseRepliesOfPostgres,
        Fault::KillSettler,
    ];
    let report = nothing_is_lost(2, &faults);
    assert_eq!(report.halfway, 2, "a settlement was not killed halfway: {report:?}");
    let rows = report.rows();
    let jumped = rows.iter().find(|row| row.fault == Fault::JumpClock).unwrap();
    assert!(jumped.again.contains_key("clock"), "no host noticed that its clock had jumped: {jumped:?}");
    assert!(report.refunds > 0, "nothing has expired: {report:?}");
}

#[test]
fn a_fail_over_loses_nothing() {
    nothing_is_lost(3, &[Fault::FailOverRedis, Fault::PromoteStandby]);
}

#[test]
fn a_standby_that_lagged_forgets_and_nobody_is_told_of_what_it_forgot() {
    let report = nothing_is_lost(4, &[Fault::PromoteLaggingStandby]);
    assert!(report.forgotten > 0, "the standby had everything: {report:?}");
}

/// One short pair of windows of each. How long the neighbour waits is not looked at: other tests run as
/// well.
#[test]
fn what_strangers_and_other_tenants_do_loses_nothing() {
    let program = env!("CARGO_BIN_EXE_hongbao-chaos").into();
    let windows = Windows { program, seed: 4, rounds: 1, pairs: 1, length: Duration::from_millis(1_500) };
    let trials = neighbour::run(&windows, &Mischief::ALL, |_| ());
    let report = Report { trials, ..Report::default() };
    let wrongs: Vec<_> = report.trials.iter().flat_map(|trial| &trial.wrongs).collect();
    assert!(report.is_clean(), "{wrongs:#?}");
    assert_eq!(report.trials.len(), Mischief::ALL.len());
    for trial in &report.trials {
        assert!(trial.acknowledged > 10, "too few opens to tell anything: {trial:?}");
        let pairs = &trial.pairs;
        assert!(pairs.iter().all(|pair| pair.alone.len() > 10 && pair.with.len() > 10), "{trial:?}");
        let least = match trial.mischief {
            // Each of them at least once.
            Mischief::SilentConnections => 400,
            Mischief::CompilePlugin => 1,
            Mischief::GreedyTenant => 300,
        };
        assert!(trial.tries.refused >= least, "it did not happen: {:?}, {:?}", trial.mischief, trial.tries);
    }
}

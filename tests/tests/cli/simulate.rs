//! `simulate`: what each position of a packet gets, in numbers and as a table.

use serde_json::{Value, json};

use crate::process::{self, Ended, run};

fn simulate(strategy: &str, total: u64, shares: u32, packets: u64, more: &[&str]) -> Ended {
    let (total, shares, packets) = (total.to_string(), shares.to_string(), packets.to_string());
    let args =
        ["simulate", "--strategy", strategy, "--total", &total, "--shares", &shares, "--packets", &packets];
    run(&[&args, more].concat())
}

fn positions(simulation: &Value) -> &Vec<Value> {
    simulation["positions"].as_array().unwrap()
}

fn sum(simulation: &Value, field: &str) -> f64 {
    positions(simulation).iter().map(|position| position[field].as_f64().unwrap()).sum()
}

fn simulated(strategy: &str, total: u64, shares: u32, packets: u64) -> Value {
    let ended = simulate(strategy, total, shares, packets, &["--json", "--seed", "8"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.out.lines().count(), 1);
    process::json(&ended)
}

#[test]
fn every_strategy_gives_away_the_total_and_one_best_luck() {
    for strategy in ["double-average", "wechat-observed", "line-cut", "equal"] {
        let simulation = simulated(strategy, 1_000, 10, 500);
        let head = ["strategy", "total", "shares", "packets"].map(|field| simulation[field].clone());
        assert_eq!(head, [json!(strategy), json!(1_000), json!(10), json!(500)]);
        assert_eq!(positions(&simulation).len(), 10);
        assert!((sum(&simulation, "mean") - 1_000.0).abs() < 1e-6, "{simulation}");
        assert!((sum(&simulation, "best_luck") - 1.0).abs() < 1e-9, "{simulation}");
        for position in positions(&simulation) {
            let [min, max] = ["min", "max"].map(|field| position[field].as_u64().unwrap());
            let [mean, sd] = ["mean", "sd"].map(|field| position[field].as_f64().unwrap());
            assert!(1 <= min && min <= max && max <= 991, "{position}");
            assert!(min as f64 <= mean && mean <= max as f64 && sd <= (max - min) as f64, "{position}");
            assert_eq!(position.as_object().unwrap().len(), 5, "{position}");
        }
    }
}

#[test]
fn equal_shares_do_not_vary_and_the_first_has_the_best_luck() {
    let simulation = simulated("equal", 1_800, 18, 50);
    for (at, position) in positions(&simulation).iter().enumerate() {
        let best_luck = if at == 0 { 1.0 } else { 0.0 };
        let expected = json!({ "mean": 100.0, "sd": 0.0, "best_luck": best_luck, "min": 100, "max": 100 });
        assert_eq!(position, &expected);
    }
}

#[test]
fn a_seed_makes_a_simulation_repeatable() {
    let run = |seed: &[&str]| simulate("line-cut", 1_000, 10, 100, &[&["--json"], seed].concat()).out;
    assert_eq!(run(&["--seed", "8"]), run(&["--seed", "8"]));
    assert_ne!(run(&["--seed", "8"]), run(&["--seed", "9"]));
}

#[test]
fn a_person_gets_a_table_with_bars() {
    let ended = simulate("wechat-observed", 60, 15, 100, &["--seed", "8"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[0], "100 packets of ¥0.60 in 15 shares, wechat-observed");
    let rows = lines.iter().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(rows.count(), 1 + 15);
    assert!(ended.out.contains('█') && ended.out.contains('▒'), "{}", ended.out);
}

#[test]
fn a_packet_that_cannot_be_is_refused_in_one_line() {
    // The largest numbers that the command line takes are the plugin's to judge.
    for (strategy, total, shares) in [("equal", 100, 18), ("line-cut", u64::MAX, u32::MAX)] {
        let ended = simulate(strategy, total, shares, 10, &["--json"]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(65), ""), "{ended:?}");
        assert!(ended.err.starts_with("hongbao: invalid-argument: "), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
}

#[test]
fn what_the_command_line_cannot_mean_is_a_usage_error() {
    let cannot: [&[&str]; 5] = [
        &["--strategy", "Fair!", "--total", "10", "--shares", "1", "--packets", "1"],
        &["--strategy", "equal", "--total", "-1", "--shares", "1", "--packets", "1"],
        &["--strategy", "equal", "--total", "18446744073709551616", "--shares", "1", "--packets", "1"],
        &["--strategy", "equal", "--total", "10", "--shares", "1", "--packets", "0"],
        &["--strategy", "equal", "--total", "10", "--shares", "1"],
    ];
    for args in cannot {
        let ended = run(&[&["simulate"], args].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{ended:?}");
        assert!(ended.err.starts_with("error: "), "{}", ended.err);
    }
}

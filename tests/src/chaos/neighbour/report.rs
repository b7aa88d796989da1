//! What came of all trials: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::mischief::{Mischief, Tries};
use crate::chaos::check::{Harm, Wrong};
use crate::chaos::report::{count, grouped, table};

/// The neighbour's p99 with mischief is to be at most so many times its p99 alone.
pub const GOAL: f64 = 1.2;

/// Latencies of the neighbour in two windows, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// While it had the service to itself.
    pub alone: Vec<Duration>,
    /// While somebody else did harm.
    pub with: Vec<Duration>,
}

/// What came of one trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What somebody did.
    pub mischief: Mischief,
    /// The neighbour's opens that were acknowledged.
    pub acknowledged: u64,
    /// How long the neighbour waited.
    pub pairs: Vec<Pair>,
    /// What the mischief came to.
    pub tries: Tries,
    /// What it broke.
    pub wrongs: Vec<Wrong>,
}

/// All trials of one kind of mischief.
#[derive(Clone, Debug)]
pub struct NeighbourRow {
    /// What somebody did.
    pub mischief: Mischief,
    /// How often.
    pub times: u64,
    /// The neighbour's opens that were acknowledged.
    pub acknowledged: u64,
    /// What was acknowledged and is not in the ledger as it was told.
    pub lost: u64,
    /// Packets that gave more than they have.
    pub over_issued: u64,
    /// Anything else that must not be.
    pub other: u64,
    /// Of the neighbour alone: the median of its windows; none where nothing was measured.
    pub alone: Option<Duration>,
    /// Of the neighbour with mischief.
    pub with: Option<Duration>,
    /// How many times as long it takes with mischief: the median of pairs, whose two windows have the same
    /// noise of the machine.
    pub ratio: Option<f64>,
    /// The least and the greatest ratio of a pair.
    pub spread: Option<(f64, f64)>,
    /// What the mischief came to.
    pub tries: Tries,
}

impl NeighbourRow {
    /// What all of these trials come to.
    #[must_use]
    pub fn of(mischief: Mischief, trials: &[&Trial]) -> Self {
        let harms = |harm| count(trials.iter().flat_map(|trial| &trial.wrongs), harm);
        let mut tries = Tries::default();
        trials.iter().for_each(|trial| tries += trial.tries);
        let pairs = || trials.iter().flat_map(|trial| &trial.pairs);
        let mut ratios: Vec<f64> = pairs().filter_map(Pair::ratio).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        Self {
            mischief,
            times: trials.len() as u64,
            acknowledged: trials.iter().map(|trial| trial.acknowledged).sum(),
            lost: harms(Harm::Lost),
            over_issued: harms(Harm::OverIssued),
            other: harms(Harm::Other),
            alone: median(pairs().filter_map(|pair| p99(&pair.alone)).collect()),
            with: median(pairs().filter_map(|pair| p99(&pair.with)).collect()),
            ratio: ratios.get(ratios.len() / 2).copied(),
            spread: ratios.first().copied().zip(ratios.last().copied()),
            tries,
        }
    }

    /// Whether that is within the goal.
    #[must_use]
    pub fn is_within_goal(&self) -> bool {
        self.ratio.is_some_and(|ratio| ratio <= GOAL)
    }

    fn cells(&self) -> [String; 10] {
        [
            self.mischief.title().into(),
            self.times.to_string(),
            grouped(self.acknowledged),
            self.lost.to_string(),
            self.over_issued.to_string(),
            self.other.to_string(),
            milliseconds(self.alone),
            milliseconds(self.with),
            ratio(self.ratio, self.spread),
            format!(
                "{} of {} {}",
                grouped(self.tries.refused),
                grouped(self.tries.made),
                self.mischief.refusals()
            ),
        ]
    }

    fn json(&self) -> String {
        let number = |number: Option<f64>| number.map_or_else(|| "null".into(), |ms| format!("{ms:.3}"));
        let ms = |time: Option<Duration>| number(time.map(|time| time.as_secs_f64() * 1e3));
        format!(
            "{{\"fault\":\"{}\",\"times\":{},\"acknowledged\":{},\"lost\":{},\"over_issued\":{},\"other\":{},\
             \"p99_alone_ms\":{},\"p99_with_ms\":{},\"ratio\":{},\"least_ratio\":{},\"greatest_ratio\":{},\"within_goal\":{},\"tries\":{},\"refused\":{}}}",
            self.mischief.name(),
            self.times,
            self.acknowledged,
            self.lost,
            self.over_issued,
            self.other,
            ms(self.alone),
            ms(self.with),
            number(self.ratio),
            number(self.spread.map(|(least, _)| least)),
            number(self.spread.map(|(_, greatest)| greatest)),
            self.is_within_goal(),
            self.tries.made,
            self.tries.refused,
        )
    }
}

/// A row for each kind of mischief, in their own order.
fn rows(trials: &[Trial]) -> Vec<NeighbourRow> {
    let mut kinds = BTreeMap::<Mischief, Vec<&Trial>>::new();
    for trial in trials {
        kinds.entry(trial.mischief).or_default().push(trial);
    }
    kinds.into_iter().map(|(mischief, trials)| NeighbourRow::of(mischief, &trials)).collect()
}

/// For people: the table, and what it says of the goal.
pub fn render(trials: &[Trial]) -> String {
    let headings = [
        "fault",
        "times",
        "acknowledged",
        "lost",
        "over-issued",
        "other",
        "p99 alone",
        "p99 with it",
        "ratio",
        "what came of it",
    ];
    let rows = rows(trials);
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows.iter().map(NeighbourRow::cells));
    let missed = rows.iter().filter(|row| !row.is_within_goal());
    let missed: Vec<_> = missed.map(|row| row.mischief.title()).collect();
    let verdict = match missed.is_empty() {
        true => format!("Every ratio is within the goal of {GOAL}."),
        false => {
            format!("The goal, a ratio of at most {GOAL}, is MISSED with {}.", missed.join(" and with "))
        }
    };
    let mut text = table(&lines);
    let _ = write!(
        text,
        "\n  \"p99\" is that of the neighbour's requests over HTTP, each counted from when it was due: the median\n  \
         of windows of the neighbour alone, and of windows with the fault, which take turns. \"Ratio\" is the\n  \
         median of pairs of two such windows; in brackets the least and the greatest of a pair.\n\n  \
         {verdict}\n  \
         The exit code does not depend on it but on what is lost, over-issued or otherwise wrong: load, fault\n  \
         and servers share this machine, and on few cores a ratio says as much of the machine as of Hongbao.\n"
    );
    text
}

/// For programs: a list.
pub fn json(trials: &[Trial]) -> String {
    let rows: Vec<_> = rows(trials).iter().map(NeighbourRow::json).collect();
    format!("[{}]", rows.join(","))
}

impl Pair {
    /// How many times as long it takes with mischief.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (alone, with) = (p99(&self.alone)?.as_secs_f64(), p99(&self.with)?.as_secs_f64());
        (alone > 0.0).then(|| with / alone)
    }
}

/// The time within which 99 of 100 are answered.
fn p99(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".into(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
}

fn ratio(ratio: Option<f64>, spread: Option<(f64, f64)>) -> String {
    match (ratio, spread) {
        (Some(ratio), Some((least, greatest))) => format!("{ratio:.2} ({least:.2} to {greatest:.2})"),
        _ => "–".into(),
    }
}

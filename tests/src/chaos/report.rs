//! What came of all drills: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::check::{Harm, Wrong};
use super::fault::Fault;
use super::neighbour::{self, Trial};

/// What came of one drill.
#[derive(Clone, Debug)]
pub struct Drill {
    /// What went wrong.
    pub fault: Fault,
    /// How long the fault took, until everything was made right again.
    pub lasted: Duration,
    /// Opens that were acknowledged during it.
    pub acknowledged: u64,
    /// From the fault to the first open after it; none if there was none.
    pub back: Option<Duration>,
    /// How often a call had no answer for now and was made again, by code.
    pub again: BTreeMap<String, u64>,
    /// What it broke.
    pub wrongs: Vec<Wrong>,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they happened.
    pub drills: Vec<Drill>,
    /// Settlements that were killed between taking claims out of the queue and posting them.
    pub halfway: u64,
    /// Opens that were acknowledged, of which a standby that was promoted had never heard. They count as lost nowhere:
    /// no ledger has them.
    pub forgotten: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Shares that were claimed, those whose owner was never told included.
    pub claims: u64,
    /// Packets that expired and were refunded.
    pub refunds: u64,
    /// What came of mischief beside a neighbour, in the order in which it happened.
    pub trials: Vec<Trial>,
}

/// All drills of one fault.
#[derive(Clone, Debug)]
pub struct Row {
    /// What went wrong.
    pub fault: Fault,
    /// How often.
    pub times: u64,
    /// Opens that were acknowledged.
    pub acknowledged: u64,
    /// What was acknowledged and is not in the ledger as it was told.
    pub lost: u64,
    /// Packets that gave more than they have.
    pub over_issued: u64,
    /// Anything else that must not be.
    pub other: u64,
    /// From the fault to the first open after it, half of the times.
    pub median: Option<Duration>,
    /// The longest of these times.
    pub worst: Option<Duration>,
    /// How often a call had no answer for now and was made again, by code.
    pub again: BTreeMap<String, u64>,
}

impl Report {
    /// A row for each fault, in the faults' own order.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut faults = BTreeMap::<Fault, Vec<&Drill>>::new();
        for drill in &self.drills {
            faults.entry(drill.fault).or_default().push(drill);
        }
        faults.into_iter().map(|(fault, drills)| Row::of(fault, &drills)).collect()
    }

    /// Whether nothing was lost and nothing else is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.wrongs().next().is_none()
    }

    fn wrongs(&self) -> impl Iterator<Item = &Wrong> {
        let wrongs = self.drills.iter().flat_map(|drill| &drill.wrongs);
        wrongs.chain(self.trials.iter().flat_map(|trial| &trial.wrongs))
    }

    fn acknowledged(&self) -> u64 {
        let drills: u64 = self.drills.iter().map(|drill| drill.acknowledged).sum();
        drills + self.trials.iter().map(|trial| trial.acknowledged).sum::<u64>()
    }

    /// For people: the tables, and one sentence.
    #[must_use]
    pub fn render(&self, took: Duration) -> String {
        let mut parts = Vec::new();
        if !self.drills.is_empty() {
            parts.push(self.render_drills());
        }
        if !self.trials.is_empty() {
            parts.push(neighbour::render(&self.trials));
        }
        parts.push(format!("  All of it took {} s.\n\n  {}\n", took.as_secs(), self.sentence()));
        parts.join("\n")
    }

    fn render_drills(&self) -> String {
        let headings = [
            "fault",
            "times",
            "acknowledged",
            "lost",
            "over-issued",
            "other",
            "back after",
            "worst",
            "from its",
        ];
        let mut lines = vec![headings.map(str::to_owned)];
        lines.extend(self.rows().iter().map(Row::cells));
        let mut text = table(&lines);
        let again = again(self.drills.iter());
        let again: Vec<_> = again.iter().map(|(code, times)| format!("{} {code}", grouped(*times))).collect();
        let _ = write!(
            text,
            "\n  \"Back after\" is the time from the fault's beginning or end, as the last column says, until\n  \
             every host that was hit had acknowledged an open that was asked for later: half of the times,\n  \
             and the worst.\n\n  \
             {} packets were sent, {} shares claimed, {} packets refunded; {} settlements died halfway.\n  \
             Calls that had no answer at first: {}.\n{}",
            grouped(self.packets),
            grouped(self.claims),
            grouped(self.refunds),
            self.halfway,
            if again.is_empty() { "none".into() } else { again.join(", ") },
            self.forgotten_in_words(),
        );
        text
    }

    fn forgotten_in_words(&self) -> String {
        match self.forgotten {
            0 => String::new(),
            forgotten => format!(
                "\n  {} acknowledged opens were on no other disk when a primary died whose commits wait for no \
                 standby.\n  That is what such a set-up loses; nobody was told of them afterwards.\n",
                grouped(forgotten)
            ),
        }
    }

    /// How it ended, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let acknowledged = grouped(self.acknowledged() - self.forgotten);
        let drills = self.drills.len() + self.trials.len();
        let wrongs = self.wrongs().count();
        match self.is_clean() {
            true => format!(
                "Nothing was lost: after each of {drills} faults all acknowledged opens, {acknowledged} in the \
                 end, are in the ledger with their amounts, and every cent is accounted for."
            ),
            false => format!(
                "{wrongs} things are WRONG after {drills} faults and {acknowledged} acknowledged opens."
            ),
        }
    }

    /// For programs: one object.
    #[must_use]
    pub fn json(&self, seed: u64) -> String {
        let rows: Vec<_> = self.rows().iter().map(Row::json).collect();
        let wrongs: Vec<_> = self.wrongs().map(|wrong| quoted(&wrong.what)).collect();
        format!(
            "{{\"seed\":{seed},\"clean\":{},\"acknowledged\":{},\"packets\":{},\"claims\":{},\"refunds\":{},\
             \"halfway\":{},\"forgotten\":{},\"faults\":[{}],\"neighbours\":{},\"wrong\":[{}]}}",
            self.is_clean(),
            self.acknowledged(),
            self.packets,
            self.claims,
            self.refunds,
            self.halfway,
            self.forgotten,
            rows.join(","),
            neighbour::json(&self.trials),
            wrongs.join(",")
        )
    }
}

impl Row {
    fn of(fault: Fault, drills: &[&Drill]) -> Self {
        let count = |harm| count(drills.iter().flat_map(|drill| &drill.wrongs), harm);
        let mut back: Vec<Duration> = drills.iter().filter_map(|drill| drill.back).collect();
        back.sort_unstable();
        Self {
            fault,
            times: drills.len() as u64,
            acknowledged: drills.iter().map(|drill| drill.acknowledged).sum(),
            lost: count(Harm::Lost),
            over_issued: count(Harm::OverIssued),
            other: count(Harm::Other),
            median: back.get(back.len().saturating_sub(1) / 2).copied(),
            worst: back.last().copied(),
            again: again(drills.iter().copied()),
        }
    }

    fn cells(&self) -> [String; 9] {
        let from = if self.fault.counts_from_beginning() { "beginning" } else { "end" };
        [
            self.fault.title().into(),
            self.times.to_string(),
            grouped(self.acknowledged),
            self.lost.to_string(),
            self.over_issued.to_string(),
            self.other.to_string(),
            seconds(self.median),
            seconds(self.worst),
            from.into(),
        ]
    }

    fn json(&self) -> String {
        let again = self.again.iter().map(|(code, times)| format!("{}:{times}", quoted(code)));
        let again: Vec<_> = again.collect();
        let ms =
            |time: Option<Duration>| time.map_or_else(|| "null".into(), |time| time.as_millis().to_string());
        format!(
            "{{\"fault\":\"{}\",\"times\":{},\"acknowledged\":{},\"lost\":{},\"over_issued\":{},\"other\":{},\
             \"back_after_ms\":{},\"worst_ms\":{},\"from\":\"{}\",\"again\":{{{}}}}}",
            self.fault.name(),
            self.times,
            self.acknowledged,
            self.lost,
            self.over_issued,
            self.other,
            ms(self.median),
            ms(self.worst),
            if self.fault.counts_from_beginning() { "beginning" } else { "end" },
            again.join(","),
        )
    }
}

/// How many of these are of a kind.
pub(super) fn count<'w>(wrongs: impl Iterator<Item = &'w Wrong>, harm: Harm) -> u64 {
    wrongs.filter(|wrong| wrong.harm == harm).count() as u64
}

/// Over all of these drills.
fn again<'a>(drills: impl Iterator<Item = &'a Drill>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (code, times) in drills.flat_map(|drill| &drill.again) {
        *sums.entry(code.clone()).or_default() += times;
    }
    sums
}

/// A time as people read it.
#[must_use]
pub fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "never".into(), |time| format!("{:.2} s", time.as_secs_f64()))
}

/// A number with commas.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns, all but the first and the last aligned to the right.
pub(super) fn table<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push(' ');
        for (column, cell) in line.iter().enumerate() {
            let cells = lines.iter().filter_map(|line| line.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
            let _ = match column {
                0 => write!(text, " {cell:<width$}"),
                last if last + 1 == COLUMNS => write!(text, "  {cell}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

//! `hongbao reconcile`: everything that should agree, compared.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::Path;

use super::args::BooksArgs;
use super::exit::Exit;
use super::open;
use super::view::ReconciliationView;
use crate::runtime::Reconciliation;

pub(super) async fn run(args: &BooksArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    let host = open::books(plugin, &args.data)?;
    let report = host.reconcile(true).await?;
    let exit = if report.is_clean() { Exit::Ok } else { Exit::Disagreement };
    match args.json {
        true => writeln!(stdout(), "{}", serde_json::to_string(&ReconciliationView::from(report))?)?,
        false => write!(stdout(), "{}", render(&report))?,
    }
    Ok(exit)
}

/// The report as a person reads it.
pub(super) fn render(report: &Reconciliation) -> String {
    let Reconciliation { packets, counters, mismatches, discrepancies } = report;
    let mut text = format!("  {packets} open packets looked at, {counters} of them with a counter.\n");
    for mismatch in mismatches {
        let repaired = if mismatch.repaired { "; it will be built again" } else { "" };
        let (packet, unclaimed, counted) = (mismatch.packet, mismatch.unclaimed, mismatch.counted);
        let _ = writeln!(text, "  counter of {packet}: {counted} counted, {unclaimed} unclaimed{repaired}");
    }
    for found in discrepancies {
        let (subject, rule) = (&found.subject, found.rule);
        let _ = writeln!(text, "  {subject}: {rule}; expected {}, found {}", found.expected, found.found);
    }
    if report.is_clean() {
        text.push_str("  Counters, packets, claims, movements and balances agree.\n");
    }
    text
}

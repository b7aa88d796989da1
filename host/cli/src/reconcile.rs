//! `hongbao reconcile`: everything that should agree, compared.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::Path;

use super::args::ReconcileArgs;
use super::exit::Exit;
use super::open;
use super::stores::Stores;
use super::terminal;
use super::view::ReconciliationView;
use hongbao_domain::Currency;
use hongbao_runtime::{CounterMismatch, Overdue, Reconciliation};

pub(super) async fn run(args: &ReconcileArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    let session = open::books(plugin, &Stores::named(&args.stores)?).await?;
    let report = session.tenant.reconcile(args.repair).await?;
    let exit = if report.is_clean() { Exit::Ok } else { Exit::Disagreement };
    match args.json {
        true => writeln!(stdout(), "{}", serde_json::to_string(&ReconciliationView::from(report))?)?,
        false => write!(stdout(), "{}", render(&report, &Currency::from(&session.tenant.policy())))?,
    }
    Ok(exit)
}

/// The report as a person reads it.
pub(super) fn render(report: &Reconciliation, currency: &Currency) -> String {
    let Reconciliation { packets, counters, mismatches, overdue, discrepancies } = report;
    let mut text = format!("  {packets} open packets looked at, {counters} of them with a counter.\n");
    for mismatch in mismatches {
        let repaired = if mismatch.repaired { "; it will be built again" } else { "" };
        let CounterMismatch { packet, unclaimed, counted, seats, .. } = mismatch;
        if mismatch.is_damaged {
            let _ = writeln!(text, "  counter of {packet}: damaged{repaired}");
            continue;
        }
        let _ = write!(text, "  counter of {packet}: {counted} counted, {unclaimed} unclaimed");
        let wrong =
            if *seats == 0 { String::new() } else { format!(", {seats} opened seats differ from claims") };
        let _ = writeln!(text, "{wrong}{repaired}");
    }
    for Overdue { packet, refunded, .. } in overdue {
        let _ = match refunded {
            Some(amount) => {
                let amount = currency.show(amount.get());
                writeln!(text, "  packet {packet} was past its time; {amount} are refunded now")
            }
            None => writeln!(text, "  packet {packet} is past its time and not refunded"),
        };
    }
    for found in discrepancies {
        let (subject, rule) = (terminal::line(&found.subject), found.rule);
        let number = |it: i128| if found.is_money() { currency.show(it) } else { it.to_string() };
        let (expected, found) = (number(found.expected), number(found.found));
        let _ = writeln!(text, "  {subject}: {rule}; expected {expected}, found {found}");
    }
    if report.is_clean() {
        text.push_str("  Counters, packets, claims, movements and balances agree.\n");
    }
    text
}

//! `hongbao reconcile`: compares all records of a tenant with each other.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::Path;

use super::args::ReconcileArgs;
use super::exit::Exit;
use super::known;
use super::open;
use super::stores::Stores;
use super::terminal;
use super::view::{Of, ReconciliationView};
use hongbao_domain::{Currency, Withdrawal, counted};
use hongbao_runtime::{CounterMismatch, Overdue, Reconciliation};

pub(super) async fn run(args: &ReconcileArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    let stores = Stores::named(&args.stores)?;
    let session = open::books(plugin, &stores).await?;
    let report = session.tenant.reconcile(args.repair).await?;
    if report.packets == 0 && report.is_clean() {
        // Where there is something to tell, there is such a tenant.
        known::in_the_books(&stores, &session.tenant.audit().await?).await?;
    }
    let tenant = session.tenant.id();
    let exit = if report.is_clean() { Exit::Ok } else { Exit::Disagreement };
    match args.json {
        true => {
            let view = Of::new(tenant, ReconciliationView::from(report));
            writeln!(stdout(), "{}", serde_json::to_string(&view)?)?;
        }
        false => {
            let found = render(&report, &Currency::from(&session.tenant.policy()));
            write!(stdout(), "{}{found}", known::heading(tenant))?;
        }
    }
    Ok(exit)
}

/// The report as a person reads it.
pub(super) fn render(report: &Reconciliation, currency: &Currency) -> String {
    let Reconciliation { packets, counters, mismatches, overdue, hanging, discrepancies } = report;
    let looked_at = counted(*packets, "open packet", "open packets");
    let mut text = format!("  {looked_at} looked at, {counters} of them with a counter.\n");
    for mismatch in mismatches {
        let repaired = if mismatch.repaired { "; it will be built again" } else { "" };
        let CounterMismatch { packet, unclaimed, counted: in_cache, seats, .. } = mismatch;
        if mismatch.is_damaged {
            let _ = writeln!(text, "  counter of {packet}: damaged{repaired}");
            continue;
        }
        let _ = write!(text, "  counter of {packet}: {in_cache} counted, {unclaimed} unclaimed");
        let differ = counted((*seats).into(), "opened seat differs", "opened seats differ");
        let wrong = if *seats == 0 { String::new() } else { format!(", {differ} from claims") };
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
    for Withdrawal { id, user, amount, reference, .. } in hanging {
        let (user, amount) = (terminal::name(user.as_str()), currency.show(amount.get()));
        let said = match reference.as_str() {
            "" => String::new(),
            reference => format!(", {}", terminal::line(reference)),
        };
        let _ = writeln!(
            text,
            "  withdrawal {id} of {user} holds {amount} for long{said}; ask what became of it"
        );
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

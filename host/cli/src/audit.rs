//! `hongbao audit`: recomputes the sums of a ledger and reports discrepancies.

use std::io::{Write as _, stdout};
use std::path::Path;

use super::args::AuditArgs;
use super::exit::Exit;
use super::known;
use super::open;
use super::stores::Stores;
use super::table::Table;
use super::view::{AuditView, Of};
use hongbao_domain::{Currency, counted};
use hongbao_store::Audit;

pub(super) async fn run(args: &AuditArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    let stores = Stores::named(&args.stores)?;
    let session = open::books(plugin, &stores).await?;
    let audit = session.tenant.audit().await?;
    known::in_the_books(&stores, &audit).await?;
    let tenant = session.tenant.id();
    let exit = if audit.is_conserved() { Exit::Ok } else { Exit::Disagreement };
    match args.json {
        true => writeln!(stdout(), "{}", serde_json::to_string(&Of::new(tenant, AuditView::from(audit)))?)?,
        false => {
            let sums = render(&audit, &Currency::from(&session.tenant.policy()));
            write!(stdout(), "{}{sums}", known::heading(tenant))?;
        }
    }
    Ok(exit)
}

/// The sums as a person reads them, each equation on its own line.
pub(super) fn render(audit: &Audit, currency: &Currency) -> String {
    let sum = |minor: i128| currency.show(minor);
    let holds = |holds: bool| if holds { "✓" } else { "✗ DOES NOT HOLD" }.to_owned();
    let mut table = Table::new(&["", ">", "", ""]);
    let claimed = format!(
        "= claimed {} + refunded {} + remaining {}",
        sum(audit.claimed),
        sum(audit.refunded),
        sum(audit.remaining)
    );
    let is_sent = audit.sent == audit.claimed + audit.refunded + audit.remaining;
    table.row(vec!["sent".into(), sum(audit.sent), claimed, holds(is_sent)]);
    let funded = format!(
        "= wallets {} + escrow {} + held {} + withdrawn {}",
        sum(audit.wallets),
        sum(audit.escrow),
        sum(audit.held),
        sum(audit.withdrawn)
    );
    let is_funded = audit.funded == audit.wallets + audit.escrow + audit.held + audit.withdrawn;
    table.row(vec!["funded".into(), sum(audit.funded), funded, holds(is_funded)]);
    let escrow = format!("= remaining {} + unsettled {}", sum(audit.remaining), sum(audit.unsettled));
    let is_escrow = audit.escrow == audit.remaining + audit.unsettled;
    table.row(vec!["escrow".into(), sum(audit.escrow), escrow, holds(is_escrow)]);
    let movements = counted(audit.movements, "movement", "movements");
    let postings = format!("= 0, over {movements} of two postings");
    table.row(vec!["postings".into(), sum(audit.postings), postings, holds(audit.postings == 0)]);
    let body = table.render("  ");
    let rows = body.split_once('\n').map_or(body.as_str(), |(_, rows)| rows);
    let verdict = match audit.is_conserved() {
        true => format!(
            "  Every cent is accounted for: {}, {}.",
            counted(audit.packets, "packet", "packets"),
            counted(audit.claims, "claim", "claims")
        ),
        false => "  The books do NOT add up. Stop settling and look at `hongbao reconcile`.".into(),
    };
    format!("{rows}{verdict}\n")
}

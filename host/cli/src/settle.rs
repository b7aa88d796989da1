//! `hongbao settle`: settles pending claims, or lists parked ones.

use std::io::{Write as _, stdout};

use serde::Serialize;

use super::args::SettleArgs;
use super::exit::Exit;
use super::open::{self, Session};
use super::stores::Stores;
use super::table::Table;
use super::terminal;
use super::view::BacklogView;
use hongbao_domain::{Currency, TenantId, counted};
use hongbao_runtime::{Host, Settlement};
use hongbao_store::Parked;

/// Claims of one call of the ledger.
const AT_ONCE: u32 = 1000;
/// Parked claims that are listed; who has more looks into the database.
const LISTED: u32 = 1000;

/// What the command did, for a program.
#[derive(Serialize)]
struct Report {
    unparked: u64,
    settled: Vec<ClassView>,
    #[serde(flatten)]
    backlog: BacklogView,
}

#[derive(Serialize)]
struct ClassView {
    class: &'static str,
    claims: u64,
    amount: u64,
    /// From claim to credit.
    p99_ms: Option<u64>,
}

#[derive(Serialize)]
struct ParkedView {
    tenant: String,
    packet: String,
    user: String,
    amount: u64,
    claimed_at_ms: u64,
    attempts: u32,
}

pub(super) async fn run(args: &SettleArgs) -> anyhow::Result<Exit> {
    let stores = Stores::named(&args.stores)?;
    let session = open::books(None, &stores).await?;
    match args.parked {
        true => list(&session, args.json).await?,
        false => settle(&session, args).await?,
    }
    Ok(Exit::Ok)
}

async fn settle(Session { host, tenant, .. }: &Session, args: &SettleArgs) -> anyhow::Result<()> {
    let unparked = if args.retry { host.unpark().await? } else { 0 };
    while !host.settle(AT_ONCE).await?.is_empty() {}
    let (settlements, backlog) = (host.settlements(), host.backlog().await?);
    let report = Report {
        unparked,
        settled: settlements.classes().map(|(class, done)| ClassView::new(class, done)).into(),
        backlog: BacklogView::new(backlog, host.now_ms()),
    };
    match args.json {
        true => writeln!(stdout(), "{}", serde_json::to_string(&report)?)?,
        false => write!(stdout(), "{}", render(&report, &Currency::from(&tenant.policy())))?,
    }
    Ok(())
}

impl ClassView {
    fn new(class: &'static str, done: &Settlement) -> Self {
        Self { class, claims: done.claims, amount: done.amount, p99_ms: done.latency_ms(0.99) }
    }
}

fn render(report: &Report, currency: &Currency) -> String {
    let mut table = Table::new(&["class", ">settled", ">amount", ">p99 to credit", ">waiting", ">oldest"]);
    let span = |ms: Option<u64>| ms.map_or_else(|| "–".into(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
    for (done, waiting) in report.settled.iter().zip(report.backlog.classes()) {
        table.row(vec![
            done.class.into(),
            done.claims.to_string(),
            currency.show(done.amount),
            span(done.p99_ms),
            waiting.waiting.to_string(),
            span(waiting.oldest_ms),
        ]);
    }
    let mut text = table.render("  ");
    if report.unparked > 0 {
        let claims = counted(report.unparked, "parked claim was", "parked claims were");
        text.push_str(&format!("  {claims} put back in the queue.\n"));
    }
    match report.backlog.parked {
        0 => text.push_str("  No claim is parked.\n"),
        parked => {
            let claims = counted(parked, "claim is", "claims are");
            text.push_str(&format!("  {claims} parked: `hongbao settle --parked` lists them.\n"));
        }
    }
    text
}

async fn list(Session { host, .. }: &Session, json: bool) -> anyhow::Result<()> {
    let parked = host.parked(LISTED).await?;
    if json {
        let views: Vec<ParkedView> = parked.into_iter().map(ParkedView::from).collect();
        writeln!(stdout(), "{}", serde_json::to_string(&views)?)?;
        return Ok(());
    }
    if parked.is_empty() {
        writeln!(stdout(), "  No claim is parked.")?;
        return Ok(());
    }
    let mut table = Table::new(&["tenant", "packet", "user", ">amount", ">attempts"]);
    for Parked { claim, attempts } in &parked {
        table.row(vec![
            terminal::name(claim.key.tenant.as_str()),
            claim.key.packet.to_string(),
            terminal::name(claim.user.as_str()),
            shown(host, &claim.key.tenant, claim.amount.get()),
            attempts.to_string(),
        ]);
    }
    let advice = "  When what stood in the way is gone: `hongbao settle --retry`.";
    writeln!(stdout(), "{}{advice}", table.render("  "))?;
    Ok(())
}

/// In the currency of its tenant. Of one that this command does not serve, nobody here knows it.
fn shown(host: &Host, tenant: &TenantId, minor: u64) -> String {
    match host.tenant(tenant) {
        Some(tenant) => Currency::from(&tenant.policy()).show(minor),
        None => format!("{minor} minor units"),
    }
}

impl From<Parked> for ParkedView {
    fn from(Parked { claim, attempts }: Parked) -> Self {
        Self {
            tenant: claim.key.tenant.to_string(),
            packet: claim.key.packet.to_string(),
            user: claim.user.into_string(),
            amount: claim.amount.get(),
            claimed_at_ms: claim.claimed_at_ms,
            attempts,
        }
    }
}

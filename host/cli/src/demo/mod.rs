//! `hongbao demo`: a simulated New Year's Eve with the real plugin and a real ledger.

mod clock;
mod crowd;
mod report;
mod scene;

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::DemoArgs;
use super::exit::Exit;
use super::open::{self, Session};
use super::stores::{Books, Stores};
use clock::LeapingClock;
use hongbao_domain::Currency;
use report::{Report, Story};

pub(super) async fn run(args: &DemoArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    // Without --data the ledger is as real, but goes with the run.
    let temporary = tempfile::tempdir()?;
    let mut stores = Stores::sandboxed(&args.stores)?;
    let plugin = open::plugin(plugin, &stores).await?;
    if stores.books == Books::Memory {
        stores.books = Books::Directory(temporary.path().into());
    }
    let clock = Arc::new(LeapingClock::default());
    let session = open::session(plugin, &stores, Arc::<LeapingClock>::clone(&clock), args.seed).await?;
    let story = Story::begin(args, Currency::from(&session.tenant.policy()));
    let report = perform(&session, &clock, args, &story).await?;
    if args.json {
        writeln!(stdout(), "{}", serde_json::to_string(&report)?)?;
    }
    let agrees = report.audit.conserved && report.reconciliation.clean;
    Ok(if agrees { Exit::Ok } else { Exit::Disagreement })
}

async fn perform(
    Session { host, tenant, .. }: &Session,
    clock: &LeapingClock,
    args: &DemoArgs,
    story: &Story,
) -> anyhow::Result<Report> {
    let sent = scene::send_all(tenant, args.users).await?;
    story.sent(&sent)?;
    let taps = crowd::tap_all(tenant, &sent, args.users).await?;
    story.tapped(&taps)?;
    let mut packets = Vec::new();
    for packet in &sent {
        packets.push(scene::look(tenant, packet).await?);
    }
    story.packets(&packets)?;
    let settlement = scene::settle(host).await?;
    story.settled(&settlement)?;
    clock.leap(tenant.policy().default_expires_in_ms);
    host.end_leases().await?;
    let refunds = scene::refund(tenant).await?;
    story.refunded(&refunds, &packets)?;
    let reconciliation = tenant.reconcile(true).await?;
    let audit = tenant.audit().await?;
    story.audited(&reconciliation, &audit)?;
    Ok(Report::new(packets, &taps, settlement, refunds, reconciliation, audit))
}

/// A progress bar on a terminal; nothing where nobody looks.
pub(super) fn progress(length: u64, what: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("  {{bar:40.red}} {{pos}}/{{len}} {what} {{eta}}");
    let style = ProgressStyle::with_template(&template);
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

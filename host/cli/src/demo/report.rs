//! The demo's report, as text or as one JSON document.

use std::io::{Write as _, stdout};

use serde::Serialize;

use super::crowd::Taps;
use super::scene::{PacketView, SentPacket, SettlementView};
use crate::args::DemoArgs;
use crate::chart::{bar, histogram};
use crate::table::Table;
use crate::terminal;
use crate::view::{AuditView, ClaimView, ReconciliationView, RefundView};
use crate::{audit, reconcile};
use hongbao_domain::Currency;
use hongbao_runtime::Reconciliation;
use hongbao_store::Audit;

/// Everything that the story tells, for a program.
#[derive(Serialize)]
pub(super) struct Report {
    packets: Vec<PacketView>,
    grabs: Vec<Told>,
    opens: Vec<Told>,
    took_ms: u64,
    settlement: SettlementView,
    refunds: Vec<RefundView>,
    pub(super) reconciliation: ReconciliationView,
    pub(super) audit: AuditView,
}

#[derive(Serialize)]
struct Told {
    outcome: &'static str,
    users: u64,
}

impl Report {
    pub(super) fn new(
        packets: Vec<PacketView>,
        taps: &Taps,
        settlement: SettlementView,
        refunds: Vec<RefundView>,
        reconciliation: Reconciliation,
        audit: Audit,
    ) -> Self {
        let told = |(outcome, users): (&&'static str, &u64)| Told { outcome, users: *users };
        Self {
            packets,
            grabs: taps.grabs.iter().map(told).collect(),
            opens: taps.opens.iter().map(told).collect(),
            took_ms: u64::try_from(taps.took.as_millis()).unwrap_or(u64::MAX),
            settlement,
            refunds,
            reconciliation: reconciliation.into(),
            audit: audit.into(),
        }
    }
}

/// Tells what happens, as it happens; silent when a program listens.
pub(super) struct Story {
    is_told: bool,
    currency: Currency,
    users: u32,
}

type Telling = anyhow::Result<()>;

impl Story {
    pub(super) fn begin(args: &DemoArgs, currency: Currency) -> Self {
        Self { is_told: !args.json, currency, users: args.users }
    }

    fn tell(&self, text: &str) -> Telling {
        if self.is_told {
            writeln!(stdout(), "{text}")?;
        }
        Ok(())
    }

    fn money(&self, minor: u64) -> String {
        self.currency.show(minor)
    }

    pub(super) fn sent(&self, packets: &[SentPacket]) -> Telling {
        self.tell("🧧 Six packets are sent. Their senders are debited at once.\n")?;
        let mut table = Table::new(&["packet", ">total", ">shares", "drawn by"]);
        for packet in packets {
            table.row(vec![
                packet.title.into(),
                self.money(packet.total),
                packet.shares.to_string(),
                packet.strategy.name().into(),
            ]);
        }
        self.tell(&table.render("  "))
    }

    pub(super) fn tapped(&self, taps: &Taps) -> Telling {
        let grabs: u64 = taps.grabs.values().sum();
        let (users, took) = (self.users, taps.took);
        self.tell(&format!("👆 {users} users tap at once: {grabs} grabs, answered in {took:.0?}.\n"))?;
        let list = |told: &std::collections::BTreeMap<&str, u64>| {
            told.iter().map(|(outcome, users)| format!("{users} {outcome}")).collect::<Vec<_>>().join(" · ")
        };
        self.tell(&format!("  grab  {}\n  open  {}\n", list(&taps.grabs), list(&taps.opens)))
    }

    pub(super) fn packets(&self, packets: &[PacketView]) -> Telling {
        for packet in packets {
            self.tell(&self.packet(packet))?;
        }
        let Some(largest) = packets.iter().max_by_key(|packet| packet.details.claims.len()) else {
            return Ok(());
        };
        let amounts: Vec<u64> = largest.details.claims.iter().map(|claim| claim.amount).collect();
        self.tell(&format!("📊 {}: its {} shares by amount.\n", largest.title, amounts.len()))?;
        self.tell(&self.histogram(&amounts))
    }

    fn packet(&self, packet: &PacketView) -> String {
        const SHOWN: u32 = 15;
        let details = &packet.details;
        let mut table = Table::new(&[">#", "user", ">after", ">amount", "", ""]);
        let most = details.claims.iter().map(|claim| claim.amount).max().unwrap_or(0);
        let shown = |claim: &&ClaimView| claim.sequence <= SHOWN || claim.best_luck;
        let rows: Vec<&ClaimView> = details.claims.iter().filter(shown).collect();
        for claim in &rows {
            table.row(vec![
                claim.sequence.to_string(),
                terminal::name(&claim.user),
                format!("{} ms", claim.claimed_at_ms.saturating_sub(details.sent_at_ms)),
                self.money(claim.amount),
                bar(claim.amount as f64, most as f64, 16),
                if claim.best_luck { "👑 best luck".into() } else { String::new() },
            ]);
        }
        let (title, sender, greeting) = (packet.title, &details.sender, &details.greeting);
        let (claimed, shares) = (details.claimed_shares, details.shares);
        let (amount, total) = (self.money(details.claimed_amount), self.money(details.total));
        let state = details.state;
        let heading = terminal::line(&format!("🧧 {title} — “{greeting}” from {sender}"));
        let line = format!("  {claimed} of {shares} shares, {amount} of {total}, {state}");
        let more = match details.claims.len() - rows.len() {
            0 => String::new(),
            hidden => format!("  … and {hidden} more\n"),
        };
        format!("{heading}\n{line}\n\n{}{more}", table.render("  "))
    }

    fn histogram(&self, amounts: &[u64]) -> String {
        const BINS: u64 = 10;
        let ranges = histogram(amounts, BINS);
        let most = ranges.iter().map(|(_, _, count)| *count).max().unwrap_or(0);
        let mut table = Table::new(&[">from", ">to", ">shares", ""]);
        for (from, to, count) in ranges {
            let bar = bar(count as f64, most as f64, 40);
            table.row(vec![self.money(from), self.money(to), count.to_string(), bar]);
        }
        table.render("  ")
    }

    pub(super) fn settled(&self, view: &SettlementView) -> Telling {
        let SettlementView { settled, large, .. } = view;
        let amount = self.money(view.amount);
        self.tell(&format!(
            "💰 Settlement credits {settled} claims, {amount} in all, the {large} large ones first.\n"
        ))
    }

    pub(super) fn refunded(&self, refunds: &[RefundView], packets: &[PacketView]) -> Telling {
        self.tell("⏰ A day passes. What nobody took goes back to its sender.\n")?;
        for refund in refunds {
            let sent = packets.iter().find(|packet| packet.packet == refund.packet);
            let title = sent.map_or("an earlier packet", |packet| packet.title);
            self.tell(&format!("  {} of {title}", self.money(refund.refunded)))?;
        }
        self.tell("")
    }

    pub(super) fn audited(&self, reconciliation: &Reconciliation, books: &Audit) -> Telling {
        self.tell(&format!("🔍 Reconciliation.\n\n{}", reconcile::render(reconciliation, &self.currency)))?;
        self.tell(&format!("🧮 Audit.\n\n{}", audit::render(books, &self.currency)))
    }
}

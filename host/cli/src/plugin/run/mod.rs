//! `hongbao plugin run`: tries a plugin in a simulated chat, typed or read from a file.

mod draw;
mod line;
mod room;
mod view;

use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::args::RunArgs;
use crate::exit::Exit;
use crate::lines::{Line, Lines};
use crate::open;
use crate::stores::Stores;
use crate::terminal;
use hongbao_domain::{Amount, Currency};
use hongbao_runtime::imports::{Clock as _, ManualClock, SystemClock};
use line::Deed;
use room::{Outcome, Room};
use view::{EndView, OutcomeView};

/// How what happens is told.
struct Teller {
    json: bool,
    in_colour: bool,
    currency: Currency,
    /// Somebody types, and sees what they typed.
    is_typed: bool,
}

pub(super) async fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let mut lines = Lines::of(args.script.as_deref().unwrap_or(Path::new("-")))?;
    let fund = Amount::new(args.fund)?;
    let stores = Stores::in_memory();
    let plugin = open::plugin(Some(&args.path), &stores).await?;
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
    let session = open::session(plugin, &stores, Arc::<ManualClock>::clone(&clock), args.seed).await?;
    let teller = Teller::new(args, Currency::from(&session.tenant.policy()));
    if !args.json {
        print(&view::heading(&session.tenant.manifest()))?;
    }
    let mut room = Room::new(session, clock, fund);
    let (mut has_failed, mut is_malformed) = (false, false);
    while let Some(line) = teller.next(&mut lines)? {
        let Line { number, content } = line;
        for outcome in follow(&mut room, &teller, number, content).await? {
            has_failed |= matches!(outcome, Outcome::Failed(_));
            is_malformed |= matches!(outcome, Outcome::Malformed(_));
            teller.tell(number, outcome)?;
        }
    }
    let (wallets, audit) = (room.wallets().await?, room.session.tenant.audit().await?);
    let is_conserved = audit.is_conserved();
    match args.json {
        true => print_json(&EndView::new(wallets, audit))?,
        false => print(&view::end(wallets, &audit, &teller.currency))?,
    }
    Ok(match (is_conserved, has_failed, is_malformed) {
        (false, ..) => Exit::Disagreement,
        (_, true, _) => Exit::Internal,
        (_, _, true) => Exit::Data,
        _ => Exit::Ok,
    })
}

async fn follow(
    room: &mut Room,
    teller: &Teller,
    number: u64,
    content: Result<String, String>,
) -> anyhow::Result<Vec<Outcome>> {
    if let Ok(text) = &content {
        teller.repeat(text)?;
    }
    match content.and_then(|text| Deed::parse(&text)) {
        Ok(Some(deed)) => room.follow(number, deed).await,
        Ok(None) => Ok(Vec::new()),
        Err(why) => Ok(vec![Outcome::Malformed(why)]),
    }
}

impl Teller {
    fn new(args: &RunArgs, currency: Currency) -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json: args.json,
            in_colour: stdout().is_terminal() && !is_plain,
            currency,
            is_typed: args.script.is_none() && stdin().is_terminal(),
        }
    }

    /// The next line, asked for where somebody types.
    fn next(&self, lines: &mut Lines) -> anyhow::Result<Option<Line>> {
        if self.is_typed && !self.json {
            print("› ")?;
        }
        Ok(lines.next().transpose()?)
    }

    /// What nobody typed here would not be seen.
    fn repeat(&self, text: &str) -> anyhow::Result<()> {
        if self.is_typed || self.json {
            return Ok(());
        }
        print(&format!("› {}\n", terminal::line(text).trim()))
    }

    fn tell(&self, number: u64, outcome: Outcome) -> anyhow::Result<()> {
        match self.json {
            true => print_json(&OutcomeView::new(number, outcome)),
            false => print(&view::outcome(number, &outcome, &self.currency, self.in_colour)),
        }
    }
}

fn print_json(line: &impl Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string(line)? + "\n"))
}

/// Flushed: who is at the other end waits for it.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

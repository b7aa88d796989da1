//! `hongbao play`: replays a log of chat events and prints one answer per line.

mod answer;
mod event;
mod line;
mod player;
mod withdrawals;

use std::io::{Write, stdout};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::runtime::Runtime;

use super::args::PlayArgs;
use super::exit::Exit;
use super::lines::{Line, Lines};
use super::open;
use super::stores::Stores;
use answer::Body;
use hongbao_domain::counted;
use hongbao_runtime::imports::{Clock, ManualClock, SystemClock};
use line::Malformed;
use player::Player;

/// The last line of a play.
#[derive(Serialize)]
struct Summary {
    op: &'static str,
    /// Events read, malformed ones included; empty lines do not count.
    events: u64,
    /// Events that were answered with an outcome.
    answered: u64,
    /// Events that were answered with an error, malformed ones included.
    errors: u64,
    /// Lines that are no events.
    malformed: u64,
    conserved: bool,
}

pub(super) fn run(args: &PlayArgs, plugin: Option<&Path>, runtime: &Runtime) -> anyhow::Result<Exit> {
    let log = Lines::of(&args.file)?;
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
    let stores = Stores::sandboxed(&args.stores)?;
    let plugin = runtime.block_on(open::plugin(plugin, &stores))?;
    let session = open::session(plugin, &stores, Arc::<ManualClock>::clone(&clock), args.seed);
    let session = runtime.block_on(session)?;
    let player = Arc::new(Player::new(session, clock));
    let summary = play(log, &player, runtime)?;
    print(&summary)?;
    if !args.json {
        let Summary { events, answered, errors, malformed, .. } = summary;
        super::complain(&format!(
            "Of {} {answered} had an outcome, {errors} an error; malformed lines: {malformed}.",
            counted(events, "event", "events")
        ));
    }
    Ok(match summary {
        Summary { conserved: false, .. } => Exit::Disagreement,
        Summary { malformed: 0, .. } => Exit::Ok,
        _ => Exit::Data,
    })
}

fn play(lines: Lines, player: &Arc<Player>, runtime: &Runtime) -> anyhow::Result<Summary> {
    let (mut events, mut errors, mut malformed) = (0, 0, 0);
    for line in lines {
        let Line { number, content } = line?;
        let answer = match content.map_err(Malformed::new).and_then(|text| line::parse(&text)) {
            Ok(event) => runtime.block_on(player.run(event)),
            Err(wrong) => {
                malformed += 1;
                wrong.answer(number)
            }
        };
        events += 1;
        errors += u64::from(matches!(answer.body, Body::Failed { .. }));
        print(&answer)?;
    }
    let conserved = runtime.block_on(player.is_conserved())?;
    Ok(Summary { op: "summary", events, answered: events - errors, errors, malformed, conserved })
}

/// One line, flushed: a program at the other end of a pipe waits for it.
fn print(line: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

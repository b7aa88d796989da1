//! `hongbao simulate`: shows the amounts by position, drawn by the plugin.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::Path;

use serde::Serialize;

use super::args::SimulateArgs;
use super::chart::bar;
use super::exit::{Exit, InputError};
use super::open;
use super::stores::Stores;
use super::table::Table;
use hongbao_domain::{Currency, counted};
use hongbao_runtime::Tenant;

#[derive(Serialize)]
struct Simulation<'a> {
    strategy: &'a str,
    total: u64,
    shares: u32,
    packets: u64,
    positions: Vec<Position>,
}

/// Statistics, not money: the only place where amounts become fractions.
#[derive(Clone, Default, Serialize)]
struct Position {
    mean: f64,
    sd: f64,
    best_luck: f64,
    min: u64,
    max: u64,
}

/// Welford's running mean and variance: no sum that could overflow.
#[derive(Clone)]
struct Running {
    count: f64,
    mean: f64,
    squares: f64,
    best: f64,
    min: u64,
    max: u64,
}

pub(super) async fn run(args: &SimulateArgs, plugin: Option<&Path>) -> anyhow::Result<Exit> {
    let session = open::in_memory(open::plugin(plugin, &Stores::in_memory()).await?, args.seed).await?;
    let positions = draw(&session.tenant, args).await?;
    let (total, shares, packets) = (args.total, args.shares, args.packets);
    let simulation = Simulation { strategy: args.strategy.as_str(), total, shares, packets, positions };
    match args.json {
        true => writeln!(stdout(), "{}", serde_json::to_string(&simulation)?)?,
        false => write!(stdout(), "{}", render(&simulation, &Currency::from(&session.tenant.policy())))?,
    }
    Ok(Exit::Ok)
}

async fn draw(tenant: &Tenant, args: &SimulateArgs) -> anyhow::Result<Vec<Position>> {
    let progress = super::demo::progress(args.packets, "packets");
    let mut running: Vec<Running> = Vec::new();
    for _ in 0..args.packets {
        let drawn = tenant.preview(args.strategy.clone(), args.total, args.shares).await?;
        let amounts = drawn.map_err(InputError::Invalid)?;
        running.resize(amounts.len(), Running::EMPTY);
        let best = best_luck(&amounts);
        for (index, (position, amount)) in running.iter_mut().zip(amounts).enumerate() {
            position.add(amount, index == best);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(running.iter().map(Running::position).collect())
}

/// The largest; of equal ones, the first.
fn best_luck(amounts: &[u64]) -> usize {
    let best = amounts.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(index, _)| index)
}

impl Running {
    const EMPTY: Self = Self { count: 0.0, mean: 0.0, squares: 0.0, best: 0.0, min: u64::MAX, max: 0 };

    fn add(&mut self, amount: u64, is_best: bool) {
        self.count += 1.0;
        let distance = amount as f64 - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (amount as f64 - self.mean);
        self.best += f64::from(u8::from(is_best));
        self.min = self.min.min(amount);
        self.max = self.max.max(amount);
    }

    fn position(&self) -> Position {
        Position {
            mean: self.mean,
            sd: (self.squares / self.count).sqrt(),
            best_luck: self.best / self.count,
            min: self.min,
            max: self.max,
        }
    }
}

fn render(simulation: &Simulation, currency: &Currency) -> String {
    const WIDTH: usize = 30;
    let Simulation { strategy, total, shares, packets, positions } = simulation;
    let total = currency.show(*total);
    let packets = counted(*packets, "packet", "packets");
    let in_shares = counted((*shares).into(), "share", "shares");
    let mut text = format!("{packets} of {total} in {in_shares}, {strategy}\n\n");
    let mut table = Table::new(&[
        ">position",
        ">mean",
        ">sd",
        ">min",
        ">max",
        ">best luck",
        "mean, and best luck below it",
    ]);
    let most = positions.iter().map(|position| position.mean).fold(0.0, f64::max);
    let luckiest = positions.iter().map(|position| position.best_luck).fold(0.0, f64::max);
    for (index, position) in positions.iter().enumerate() {
        table.row(vec![
            (index + 1).to_string(),
            currency.show_mean(position.mean),
            currency.show_mean(position.sd),
            currency.show(position.min),
            currency.show(position.max),
            format!("{:.2}%", position.best_luck * 100.0),
            bar(position.mean, most, WIDTH),
        ]);
        let luck = bar(position.best_luck, luckiest, WIDTH).replace('█', "▒");
        table.row(vec![String::new(); 6].into_iter().chain([luck]).collect());
    }
    let _ = write!(text, "{}", table.render(""));
    text
}

//! A red packet plugin written against `wit/` alone: each share is half of what remains.
//!
//! Any call may be made again, since an answer can be lost on its way. So whatever may happen once only (a packet, a
//! seat, a claim) is asked of the host, and nothing is remembered here.

mod chat;
mod rule;

use std::iter::{repeat, repeat_n};
use std::ops::Range;

use exports::hongbao::plugin::packets::{
    Grabbed, Guest, Opened, Parameter, PluginManifest, Request, Strategy, Task,
};
use hongbao::plugin::counter::{Attempt, Group, Seat, Swapped, View};
use hongbao::plugin::ledger::{Audience, ClaimAttempt, Claimed, Order, Recorded, Share, Standing, State};
use hongbao::plugin::policy::Limits;
use hongbao::plugin::types::{Failure, Status};
use hongbao::plugin::{clock, counter, ledger, policy};

wit_bindgen::generate!({ path: "../../wit", world: "plugin", additional_derives: [Clone, PartialEq] });

struct Halving;

export!(Halving);

/// The strategy that this plugin has.
const NAME: &str = "halving";
/// How often a race is run before it counts as lost.
const TRIES: u32 = 8;

impl Guest for Halving {
    fn manifest() -> PluginManifest {
        let description = "The least that a share is, in minor units.".into();
        let floor = Parameter { name: "floor".into(), description, least: 1, most: 10_000, default: 1 };
        let description = "Each share is half of what remains.".into();
        let halving = Strategy { name: NAME.into(), description, parameters: vec![floor] };
        let (name, version) = (env!("CARGO_PKG_NAME").into(), env!("CARGO_PKG_VERSION").into());
        PluginManifest { name, version, strategies: vec![halving] }
    }

    fn send(request: Request) -> Result<(), String> {
        // What the ledger answers, the host knows.
        record(request, &policy::current()).map(drop)
    }

    fn preview(strategy: String, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        divide(&strategy, total, shares, &policy::current())
    }

    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        let users = places(&tasks);
        // None of a user who is not decided yet: a race may be lost, and is run again then.
        let mut answers = vec![None; users.last().map_or(0, |last| last.end)];
        for tries_left in (0..TRIES).rev() {
            let Some(packets) = undecided(&users, &answers) else { break };
            let (views, now_ms) = (counter::load(&packets), clock::now_ms());
            let (mut seats, mut attempts, mut takers) = (views.seats.iter(), vec![], vec![]);
            for (&packet, view) in packets.iter().zip(&views.packets) {
                let before = takers.len();
                for (user, seat) in users[packet as usize].clone().zip(&mut seats) {
                    answers[user] = seatless(view, seat, takers.len() - before, now_ms);
                    takers.extend(answers[user].is_none().then_some(user as u32));
                }
                if let (Ok(view), count @ 1..) = (view, takers.len() - before) {
                    attempts.push(Attempt { packet, version: view.version, users: count as u32 });
                }
            }
            let swap = if tries_left == 0 { admit } else { counter::swap };
            for (attempt, swapped) in attempts.iter().zip(swap(&attempts, &takers)) {
                let answer = match swapped {
                    Ok(Swapped::Won) => Some(Grabbed::Admitted),
                    // Somebody was faster, so look again.
                    Ok(Swapped::Stale) => None,
                    Err(failure) => Some(failed(&failure).0),
                };
                decide(&mut answers[users[attempt.packet as usize].clone()], repeat(answer));
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Grabbed::Contended)).collect()
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        let users = places(&tasks);
        let all: Vec<u32> = (0..tasks.len() as u32).collect();
        let counter::Seatings { packets, mut may_open } = counter::seats(&all);
        let mut answers = vec![None; may_open.len()];
        for (users, seating) in users.iter().zip(&packets) {
            match seating {
                Ok(()) => {}
                // A cache that is overloaded must not move its load to the ledger.
                Err(Failure::Busy) => answers[users.clone()].fill(Some(Opened::Busy)),
                // Without the cache everybody may open, and the ledger decides.
                Err(_) => may_open[users.clone()].fill(true),
            }
        }
        for _ in 0..TRIES {
            let Some(packets) = undecided(&users, &answers) else { break };
            let (states, now_ms) = (ledger::load(&packets), clock::now_ms());
            let (mut standings, mut attempts, mut shares) = (states.users.iter(), vec![], vec![]);
            for (&packet, state) in packets.iter().zip(&states.packets) {
                let (mut amounts, before) = (state.iter().filter_map(remaining).flatten(), shares.len());
                for (user, standing) in users[packet as usize].clone().zip(&mut standings) {
                    answers[user] = shareless(state, standing, may_open[user], now_ms);
                    if answers[user].is_none() {
                        shares.extend(amounts.next().map(|amount| Share { user: user as u32, amount }));
                    }
                }
                if let (Ok(state), count @ 1..) = (state, shares.len() - before) {
                    attempts.push(ClaimAttempt { packet, version: state.version, shares: count as u32 });
                }
            }
            for (attempt, claimed) in attempts.iter().zip(ledger::claim(&attempts, &shares)) {
                // Those who take a share, and those for whom none is left then.
                let (takers, others) = match claimed {
                    Claimed::Committed(_) => (Some(Opened::Opened), Some(Opened::Exhausted)),
                    // The packet has changed, so draw again from what remains now.
                    Claimed::Stale | Claimed::Closed => (None, None),
                    Claimed::Refused(_) => (Some(Opened::Unavailable), Some(Opened::Unavailable)),
                    Claimed::Failed(failure) => (Some(failed(&failure).1), Some(failed(&failure).1)),
                };
                let decided = repeat_n(takers, attempt.shares as usize).chain(repeat(others));
                decide(&mut answers[users[attempt.packet as usize].clone()], decided);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Opened::Busy)).collect()
    }
}

/// Completes a request and records it, or says which rule it breaks.
fn record(request: Request, limits: &Limits) -> Result<Recorded, String> {
    let Request { sender, total, shares, to, greeting, .. } = request;
    let strategy = request.strategy.unwrap_or_else(|| limits.default_strategy.clone());
    divide(&strategy, total, shares, limits)?;
    let audience = match (to.len(), limits.sender_may_grab) {
        (0, true) => Audience::Everyone,
        (0, false) => Audience::EveryoneButSender,
        // Money for somebody who cannot claim it would wait for the packet's end.
        (count, _) if shares as usize > count => return Err("there are more shares than people".into()),
        (_, false) if to.contains(&sender) => return Err("the sender may not take a share".into()),
        (count, _) => Audience::Only((0..count as u32).collect()),
    };
    let expires_in_ms = request.expires_in_ms.unwrap_or(limits.default_expires_in_ms);
    let max_share = limits.max_share;
    Ok(ledger::record(&Order { strategy, total, shares, max_share, audience, greeting, expires_in_ms }))
}

/// The amounts of a new packet's shares, or the rule that it breaks.
fn divide(strategy: &str, total: u64, shares: u32, limits: &Limits) -> Result<Vec<u64>, String> {
    let (floor, most) = (floor(strategy).ok_or("there is no such strategy")?, limits.max_share);
    let count = u64::from(shares);
    if !(1..=limits.max_shares).contains(&shares) || total / count < floor || total.div_ceil(count) > most {
        return Err(format!("there are 1 to {} shares of {floor} to {most}", limits.max_shares));
    }
    Ok(rule::amounts(total, shares, floor, most).collect())
}

/// The amounts of the shares that a packet has left; None of another plugin's packet.
fn remaining(state: &State) -> Option<impl Iterator<Item = u64>> {
    let (left, shares) = (state.total - state.claimed_amount, state.shares - state.claimed_shares);
    Some(rule::amounts(left, shares, floor(&state.strategy)?, state.max_share))
}

/// `10` of `halving:floor=10`. None where the strategy is another's.
fn floor(strategy: &str) -> Option<u64> {
    match strategy.strip_prefix(NAME)? {
        "" => Some(1),
        parameters => parameters.strip_prefix(":floor=")?.parse().ok(),
    }
}

/// The answer of a user who takes no seat now; None of one who does, after so many others of the packet.
fn seatless(view: &Result<View, Failure>, seat: &Seat, before: usize, now_ms: u64) -> Option<Grabbed> {
    match (view, seat) {
        (Err(failure), _) => Some(failed(failure).0),
        (_, Seat::NotEligible) => Some(Grabbed::NotEligible),
        (_, Seat::Opened) => Some(Grabbed::AlreadyOpened),
        (Ok(view), _) if view.finished => Some(Grabbed::Exhausted),
        (Ok(view), _) if now_ms >= view.expires_at_ms => Some(Grabbed::Expired),
        (_, Seat::Leased) => Some(Grabbed::AlreadyGrabbed),
        (Ok(view), Seat::None) => (before >= view.slots as usize).then_some(Grabbed::Exhausted),
    }
}

/// The answer of a user who takes no share now; None of one who does, as far as there are shares.
fn shareless(packet: &Result<State, Failure>, own: &Standing, may_open: bool, now_ms: u64) -> Option<Opened> {
    match (packet, own) {
        (Err(failure), _) => Some(failed(failure).1),
        (_, Standing::Claimed(_)) => Some(Opened::Opened),
        (Ok(state), _) if state.status == Status::Finished => Some(Opened::Exhausted),
        (Ok(state), _) if state.status == Status::Expired || now_ms >= state.expires_at_ms => {
            Some(Opened::Expired)
        }
        (Ok(_), Standing::NotEligible) => Some(Opened::NotGrabbed),
        (Ok(_), Standing::Free) if !may_open => Some(Opened::NotGrabbed),
        (Ok(state), Standing::Free) => floor(&state.strategy).is_none().then_some(Opened::Unavailable),
    }
}

/// The answers to grab and to open where a store has failed. Without the cache people may open, and the ledger decides.
fn failed(failure: &Failure) -> (Grabbed, Opened) {
    match failure {
        Failure::NotFound => (Grabbed::NotFound, Opened::NotFound),
        Failure::Busy => (Grabbed::Busy, Opened::Busy),
        Failure::Unavailable => (Grabbed::Unavailable, Opened::Unavailable),
        Failure::CacheAway | Failure::Other(_) => (Grabbed::Contended, Opened::Unavailable),
    }
}

/// Seats those who have lost too many races without slots: they may open, and the ledger decides.
fn admit(attempts: &[Attempt], users: &[u32]) -> Vec<Result<Swapped, Failure>> {
    let group = |attempt: &Attempt| Group { packet: attempt.packet, users: attempt.users };
    let admitted = counter::admit(&attempts.iter().map(group).collect::<Vec<_>>(), users);
    admitted.into_iter().map(|admitted| admitted.map(|()| Swapped::Stale)).collect()
}

/// Where the users of each packet stand in the lists over all users.
fn places(tasks: &[Task]) -> Vec<Range<usize>> {
    let mut next = 0;
    let place = |task: &Task| {
        next += task.users as usize;
        next - task.users as usize..next
    };
    tasks.iter().map(place).collect()
}

/// The packets of which a user has no answer yet, if there are any.
fn undecided<A: PartialEq>(users: &[Range<usize>], answers: &[Option<A>]) -> Option<Vec<u32>> {
    let packets = (0..).zip(users).filter(|(_, users)| answers[users.start..users.end].contains(&None));
    Some(packets.map(|(packet, _)| packet).collect()).filter(|packets: &Vec<u32>| !packets.is_empty())
}

/// Gives an answer to those who have none yet.
fn decide<A>(answers: &mut [Option<A>], decided: impl Iterator<Item = Option<A>>) {
    answers.iter_mut().filter(|answer| answer.is_none()).zip(decided).for_each(|(answer, one)| *answer = one);
}

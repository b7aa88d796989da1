//! A red packet plugin written against `wit/` alone: each share is half of what remains.
//!
//! Any call may be made again, since an answer can be lost on its way. So whatever may happen once only (a packet, a
//! seat, a claim) is asked of the host, and nothing is remembered here.

mod chat;
mod rule;

use std::ops::Range;

use exports::hongbao::plugin::packets::{
    Grabbed, Guest, Opened, Parameter, PluginManifest, Request, Strategy, Task,
};
use hongbao::plugin::counter::{Attempt, Group, Seat, Swapped, View};
use hongbao::plugin::ledger::{Audience, ClaimAttempt, Claimed, Order, Share, Standing, State};
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
        let floor = Parameter {
            name: "floor".into(),
            description: "The least that a share is, in minor units.".into(),
            least: 1,
            most: 10_000,
            default: 1,
        };
        PluginManifest {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            strategies: vec![Strategy {
                name: NAME.into(),
                description: "Each share is half of what remains.".into(),
                parameters: vec![floor],
            }],
        }
    }

    fn send(request: Request) -> Result<(), String> {
        let order = order(&request, &policy::current())?;
        // What the ledger answers, the host knows.
        ledger::record(&order);
        Ok(())
    }

    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        let users = places(&tasks);
        let mut answers = vec![Grabbed::Contended; users.last().map_or(0, |last| last.end as usize)];
        let mut packets: Vec<u32> = (0..tasks.len() as u32).collect();
        for tried in 1.. {
            let (views, now_ms) = (counter::load(&packets), clock::now_ms());
            let (mut attempts, mut take, mut seats) = (Vec::new(), Vec::new(), views.seats.iter());
            for (&packet, view) in packets.iter().zip(&views.packets) {
                let before = take.len();
                for (user, seat) in users[packet as usize].clone().zip(seats.by_ref()) {
                    let answer = seated(view, seat, take.len() - before, now_ms);
                    answers[user as usize] = answer;
                    if answer == Grabbed::Admitted {
                        take.push(user);
                    }
                }
                if let (Ok(view), users @ 1..) = (view, take.len() - before) {
                    attempts.push(Attempt { packet, version: view.version, users: users as u32 });
                }
            }
            let mut unseat = |packet: u32, instead: Grabbed| {
                let own = &mut answers[range(&users[packet as usize])];
                own.iter_mut()
                    .filter(|answer| **answer == Grabbed::Admitted)
                    .for_each(|answer| *answer = instead);
            };
            packets.clear();
            if attempts.is_empty() {
                break;
            }
            if tried == TRIES {
                // Too many races are lost: these may open, and the ledger decides.
                let group = |attempt: &Attempt| Group { packet: attempt.packet, users: attempt.users };
                let groups: Vec<_> = attempts.iter().map(group).collect();
                for (group, admitted) in groups.iter().zip(counter::admit(&groups, &take)) {
                    unseat(
                        group.packet,
                        admitted.map_or_else(|failure| unseen(&failure), |()| Grabbed::Contended),
                    );
                }
                break;
            }
            for (attempt, swapped) in attempts.iter().zip(counter::swap(&attempts, &take)) {
                match swapped {
                    Ok(Swapped::Won) => {}
                    // Somebody was faster, so look again.
                    Ok(Swapped::Stale) => packets.push(attempt.packet),
                    Err(failure) => unseat(attempt.packet, unseen(&failure)),
                }
            }
            if packets.is_empty() {
                break;
            }
        }
        answers
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        let users = places(&tasks);
        let mut packets: Vec<u32> = (0..tasks.len() as u32).collect();
        let seatings = counter::seats(&packets);
        let mut may_open = seatings.may_open;
        // Who keeps losing the race is told so.
        let mut answers = vec![Opened::Busy; may_open.len()];
        packets.retain(|&packet| match &seatings.packets[packet as usize] {
            Ok(()) => true,
            // A cache that is away lets everybody through. One that is overloaded does not.
            Err(Failure::CacheAway | Failure::Other(_)) => {
                may_open[range(&users[packet as usize])].fill(true);
                true
            }
            Err(failure) => {
                answers[range(&users[packet as usize])].fill(undecided(failure));
                false
            }
        });
        for _ in 0..TRIES {
            let (states, now_ms) = (ledger::load(&packets), clock::now_ms());
            let (mut attempts, mut shares, mut late) = (Vec::new(), Vec::new(), Vec::new());
            let mut standings = states.users.iter();
            for (&packet, state) in packets.iter().zip(&states.packets) {
                let mut left = state.as_ref().ok().and_then(Packet::of);
                let before = shares.len();
                for (user, standing) in users[packet as usize].clone().zip(standings.by_ref()) {
                    let without = without_share(state, standing, may_open[user as usize], now_ms);
                    if let Some(answer) = without {
                        answers[user as usize] = answer;
                        continue;
                    }
                    match left.as_mut().map(Packet::next) {
                        Some(Some(amount)) => shares.push(Share { user, amount }),
                        // It is true only if the ledger agrees.
                        Some(None) => late.push((packet, user)),
                        None => answers[user as usize] = Opened::Unavailable,
                    }
                }
                if let (Ok(state), count @ 1..) = (state, shares.len() - before) {
                    attempts.push(ClaimAttempt { packet, version: state.version, shares: count as u32 });
                }
            }
            packets.clear();
            if attempts.is_empty() {
                return answers;
            }
            let mut own = shares.iter();
            for (attempt, claimed) in attempts.iter().zip(ledger::claim(&attempts, &shares)) {
                // The packet has changed, so draw again from what remains now.
                if claimed == Claimed::Stale {
                    packets.push(attempt.packet);
                }
                let (answer, others) = outcome(&claimed);
                own.by_ref()
                    .take(attempt.shares as usize)
                    .for_each(|share| answers[share.user as usize] = answer);
                let late = late.iter().filter(|(packet, _)| *packet == attempt.packet);
                late.for_each(|(_, user)| answers[*user as usize] = others);
            }
            if packets.is_empty() {
                break;
            }
        }
        answers
    }

    fn preview(strategy: String, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        let mut packet = Packet::new(&strategy, total, shares, &policy::current())?;
        Ok(std::iter::from_fn(|| packet.next()).collect())
    }
}

/// A packet, as far as it is divided.
struct Packet {
    left: u64,
    shares: u32,
    floor: u64,
    most: u64,
}

impl Packet {
    /// A new one, if it can be divided at all.
    fn new(strategy: &str, total: u64, shares: u32, limits: &Limits) -> Result<Self, String> {
        let floor = floor(strategy).ok_or_else(|| format!("there is no strategy {strategy}"))?;
        let (most_shares, count, cap) = (limits.max_shares, u64::from(shares), limits.max_share);
        let (least, most) = (floor.saturating_mul(count), cap.saturating_mul(count).min(i64::MAX as u64));
        if !(1..=most_shares).contains(&shares) {
            return Err(format!("there are 1 to {most_shares} shares, not {shares}"));
        }
        match (least..=most).contains(&total) {
            true => Ok(Self { left: total, shares, floor, most: cap }),
            false => Err(format!("the total of {shares} shares is {least} to {most}, not {total}")),
        }
    }

    /// One of which shares were claimed.
    fn of(state: &State) -> Option<Self> {
        let left = state.total.saturating_sub(state.claimed_amount);
        let shares = state.shares.saturating_sub(state.claimed_shares);
        Some(Self { left, shares, floor: floor(&state.strategy)?, most: state.max_share })
    }

    /// The next share, as long as there is one.
    fn next(&mut self) -> Option<u64> {
        let others = self.shares.checked_sub(1)?;
        let share = rule::share(self.left, self.shares, self.floor, self.most);
        (self.left, self.shares) = (self.left - share, others);
        Some(share)
    }
}

/// `10` of `halving:floor=10`. None where the strategy is another's.
fn floor(strategy: &str) -> Option<u64> {
    match strategy.strip_prefix(NAME)? {
        "" => Some(1),
        parameters => parameters.strip_prefix(":floor=")?.parse().ok(),
    }
}

/// What a request comes to, or the rule that it breaks.
fn order(request: &Request, limits: &Limits) -> Result<Order, String> {
    let strategy = request.strategy.as_ref().unwrap_or(&limits.default_strategy);
    Packet::new(strategy, request.total, request.shares, limits)?;
    let (to, sender) = (&request.to, &request.sender);
    if !to.is_empty()
        && (request.shares as usize > to.len() || !limits.sender_may_grab && to.contains(sender))
    {
        return Err("some of the shares are for nobody".into());
    }
    let audience = match (to.len() as u32, limits.sender_may_grab) {
        (0, true) => Audience::Everyone,
        (0, false) => Audience::EveryoneButSender,
        (count, _) => Audience::Only((0..count).collect()),
    };
    Ok(Order {
        strategy: strategy.clone(),
        total: request.total,
        shares: request.shares,
        max_share: limits.max_share,
        audience,
        greeting: request.greeting.clone(),
        expires_in_ms: request.expires_in_ms.unwrap_or(limits.default_expires_in_ms),
    })
}

/// The answers of those who take a share, and of those for whom none is left then.
fn outcome(claimed: &Claimed) -> (Opened, Opened) {
    match claimed {
        Claimed::Committed(_) => (Opened::Opened, Opened::Exhausted),
        Claimed::Stale => (Opened::Busy, Opened::Busy),
        Claimed::Closed => (Opened::Expired, Opened::Expired),
        Claimed::Refused(_) => (Opened::Unavailable, Opened::Unavailable),
        Claimed::Failed(failure) => (undecided(failure), undecided(failure)),
    }
}

/// The answer of a user with this seat, where so many were admitted before.
fn seated(view: &Result<View, Failure>, seat: &Seat, admitted: usize, now_ms: u64) -> Grabbed {
    match (view, seat) {
        (Err(failure), _) => unseen(failure),
        (_, Seat::NotEligible) => Grabbed::NotEligible,
        (_, Seat::Opened) => Grabbed::AlreadyOpened,
        (Ok(view), _) if view.finished => Grabbed::Exhausted,
        (Ok(view), _) if now_ms >= view.expires_at_ms => Grabbed::Expired,
        (_, Seat::Leased) => Grabbed::AlreadyGrabbed,
        (Ok(view), Seat::None) if admitted < view.slots as usize => Grabbed::Admitted,
        (Ok(_), Seat::None) => Grabbed::Exhausted,
    }
}

/// The answer of a user who takes no share now; None of one who does.
fn without_share(
    state: &Result<State, Failure>,
    standing: &Standing,
    may_open: bool,
    now_ms: u64,
) -> Option<Opened> {
    let state = match (state, standing) {
        (Err(failure), _) => return Some(undecided(failure)),
        (Ok(_), Standing::Claimed(_)) => return Some(Opened::Opened),
        (Ok(state), _) => state,
    };
    let is_finished = state.status == Status::Finished;
    if !is_finished && (state.status == Status::Expired || now_ms >= state.expires_at_ms) {
        return Some(Opened::Expired);
    }
    if !may_open || *standing == Standing::NotEligible {
        return Some(Opened::NotGrabbed);
    }
    is_finished.then_some(Opened::Exhausted)
}

/// What becomes of users whom the cache could not seat: they may open, and the ledger decides, unless there is too
/// much to do already.
fn unseen(failure: &Failure) -> Grabbed {
    match failure {
        Failure::NotFound => Grabbed::NotFound,
        Failure::Busy => Grabbed::Busy,
        Failure::Unavailable => Grabbed::Unavailable,
        Failure::CacheAway | Failure::Other(_) => Grabbed::Contended,
    }
}

fn undecided(failure: &Failure) -> Opened {
    match failure {
        Failure::NotFound => Opened::NotFound,
        Failure::Busy => Opened::Busy,
        _ => Opened::Unavailable,
    }
}

/// Where the users of each packet stand in the lists over all users.
fn places(tasks: &[Task]) -> Vec<Range<u32>> {
    let ends = tasks.iter().scan(0, |end, task| {
        *end += task.users;
        Some(*end - task.users..*end)
    });
    ends.collect()
}

fn range(users: &Range<u32>) -> Range<usize> {
    users.start as usize..users.end as usize
}

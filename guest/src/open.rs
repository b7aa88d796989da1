//! Open: the amounts are drawn here, and the ledger makes them true.
//!
//! Round trips: `seats`, `load`, `claim`. When the ledger has moved on since `load`, the amounts are drawn again
//! from what remains now.
//!
//! "Exhausted" is for ever, so it is said only of a packet that is finished for sure, to somebody
//! who has no claim on it for sure: the same user may be opening through another host.

use core::ops::Range;

use crate::allocation::{Remaining, Rule, Strategy};
use crate::bindings::exports::hongbao::plugin::packets::{Opened, Task};
use crate::bindings::hongbao::plugin::entropy::Draw;
use crate::bindings::hongbao::plugin::ledger::{ClaimAttempt, Claimed, OwnShare, Share, Standing, State};
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, Status, UserIndex};
use crate::draws::Draws;
use crate::host::{Counter, Ledger};
use crate::tasks::Tasks;
use crate::{Host, MAX_TRIES};

/// A user's answer, and the share of one who has one.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) answer: Opened,
    pub(crate) share: Option<OwnShare>,
}

impl Outcome {
    const fn without(answer: Opened) -> Self {
        Self { answer, share: None }
    }

    const fn with(share: OwnShare) -> Self {
        Self { answer: Opened::Opened, share: Some(share) }
    }
}

/// Claims a share for each user who may have one. Answers in the order of the tasks and their users.
pub fn open(host: &impl Host, tasks: &[Task]) -> Vec<Opened> {
    outcomes(host, tasks).iter().map(|outcome| outcome.answer).collect()
}

/// The same, with the shares.
pub(crate) fn outcomes(host: &impl Host, tasks: &[Task]) -> Vec<Outcome> {
    let tasks = Tasks::of(tasks);
    // Who keeps losing the race is told so.
    let mut outcomes = vec![Outcome::without(Opened::Busy); tasks.users()];
    let (mut packets, may_open) = seated(host, &tasks, &mut outcomes);
    for _ in 0..MAX_TRIES {
        if packets.is_empty() {
            break;
        }
        packets = claim(host, &tasks, &packets, &may_open, &mut outcomes);
    }
    outcomes
}

/// The answer of somebody for whom the ledger has not decided.
fn undecided(failure: &Failure) -> Opened {
    match failure {
        Failure::NotFound => Opened::NotFound,
        Failure::Busy => Opened::Busy,
        Failure::Unavailable | Failure::CacheAway | Failure::Other(_) => Opened::Unavailable,
    }
}

/// Whom the cache lets through, and of which packets the ledger is to be asked. A cache that is away lets everybody
/// through. One that is overloaded does not: the ledger must not get its load just then.
fn seated(host: &impl Host, tasks: &Tasks, outcomes: &mut [Outcome]) -> (Vec<PacketIndex>, Vec<bool>) {
    let mut packets = tasks.packets();
    let seatings = host.counter().seats(&packets);
    let mut may_open = seatings.may_open;
    let mut seatings = seatings.packets.iter();
    packets.retain(|packet| match seatings.next() {
        Some(Ok(())) => true,
        Some(Err(Failure::CacheAway | Failure::Other(_))) | None => {
            may_open.get_mut(tasks.users_of(*packet)).unwrap_or_default().fill(true);
            true
        }
        Some(Err(failure)) => {
            answer(outcomes, tasks.users_of(*packet), undecided(failure));
            false
        }
    });
    (packets, may_open)
}

fn answer(outcomes: &mut [Outcome], users: Range<usize>, answer: Opened) {
    outcomes.get_mut(users).unwrap_or_default().fill(Outcome::without(answer));
}

/// What is to be done for one packet.
struct Plan {
    packet: PacketIndex,
    rule: Rule,
    version: u64,
    left: Remaining,
    /// The place of the first claim.
    sequence: u32,
    /// Those who take a share now.
    takers: Vec<UserIndex>,
    /// Those for whom no share is left then. It is true only if the ledger agrees.
    late: Vec<UserIndex>,
}

impl Plan {
    /// Whether its shares take one random number each, mostly.
    fn draws_one(&self) -> bool {
        matches!(self.rule.strategy, Strategy::DoubleAverage | Strategy::WechatObserved)
    }

    /// How many random numbers a share takes, where so many are left.
    fn draws_each(&self, left: u32) -> u32 {
        match self.rule.strategy {
            Strategy::LineCut => left.saturating_sub(1),
            _ => 1,
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &UserIndex> {
        self.takers.iter().chain(&self.late)
    }
}

/// Claims what can be claimed of these packets. Gives those at which somebody else was faster.
fn claim(
    host: &impl Host,
    tasks: &Tasks,
    packets: &[PacketIndex],
    may_open: &[bool],
    outcomes: &mut [Outcome],
) -> Vec<PacketIndex> {
    let plans = plans(host, tasks, packets, may_open, outcomes);
    if plans.is_empty() {
        return Vec::new();
    }
    let attempt = |plan: &Plan| ClaimAttempt {
        packet: plan.packet,
        version: plan.version,
        shares: plan.takers.len() as u32,
    };
    let attempts: Vec<_> = plans.iter().map(attempt).collect();
    let shares = draw(host, &plans);
    let claimed = host.ledger().claim(&attempts, &shares);
    let (mut stale, mut shares) = (Vec::new(), shares.iter());
    for (plan, claimed) in plans.iter().zip(&claimed) {
        let own = shares.by_ref().take(plan.takers.len());
        let instead = match claimed {
            Claimed::Committed(first) => {
                for (sequence, share) in (*first..).zip(own) {
                    let share = OwnShare { amount: share.amount, sequence };
                    set(outcomes, plan.takers.get((sequence - first) as usize), Outcome::with(share));
                }
                for user in &plan.late {
                    set(outcomes, Some(user), Outcome::without(Opened::Exhausted));
                }
                continue;
            }
            Claimed::Stale => {
                stale.push(plan.packet);
                Opened::Busy
            }
            Claimed::Closed => Opened::Expired,
            Claimed::Refused(why) => {
                host.log(Level::Error, &format!("the ledger refused a claim: {why:?}"));
                Opened::Unavailable
            }
            Claimed::Failed(failure) => undecided(failure),
        };
        own.for_each(drop);
        for user in plan.waiting() {
            set(outcomes, Some(user), Outcome::without(instead));
        }
    }
    stale
}

fn set(outcomes: &mut [Outcome], user: Option<&UserIndex>, outcome: Outcome) {
    if let Some(place) = user.and_then(|user| outcomes.get_mut(*user as usize)) {
        *place = outcome;
    }
}

/// Answers all who take no share now; gives what is to be drawn for the others.
fn plans(
    host: &impl Host,
    tasks: &Tasks,
    packets: &[PacketIndex],
    may_open: &[bool],
    outcomes: &mut [Outcome],
) -> Vec<Plan> {
    let (states, now_ms) = (host.ledger().load(packets), host.now_ms());
    let mut standings = states.users.iter();
    let mut plans = Vec::with_capacity(packets.len());
    for (packet, state) in packets.iter().zip(&states.packets) {
        let users = tasks.users_of(*packet);
        let mut own = standings.by_ref().take(users.len());
        let state = match state {
            Ok(state) => state,
            Err(failure) => {
                own.for_each(drop);
                answer(outcomes, users, undecided(failure));
                continue;
            }
        };
        let Some(mut plan) = plan(*packet, state) else {
            // A strategy that this plugin does not know was another version's.
            host.log(Level::Error, &format!("there is no strategy {:?}", state.strategy));
            own.for_each(drop);
            answer(outcomes, users, Opened::Unavailable);
            continue;
        };
        let mut free = plan.left.shares as usize;
        for place in users {
            let Some(standing) = own.next() else { break };
            let may_open = may_open.get(place).copied().unwrap_or(true);
            let user = place as UserIndex;
            match settled(state, standing, may_open, now_ms) {
                Some(outcome) => set(outcomes, Some(&user), outcome),
                None if free > 0 => {
                    free -= 1;
                    plan.takers.push(user);
                }
                None => plan.late.push(user),
            }
        }
        if !plan.takers.is_empty() {
            plans.push(plan);
        } else {
            for user in &plan.late {
                set(outcomes, Some(user), Outcome::without(Opened::Exhausted));
            }
        }
    }
    plans
}

fn plan(packet: PacketIndex, state: &State) -> Option<Plan> {
    let State { total, shares, max_share, .. } = *state;
    let rule = Rule { strategy: Strategy::parse(&state.strategy)?, total, shares, max_share };
    let left = Remaining {
        amount: total.saturating_sub(state.claimed_amount),
        shares: shares.saturating_sub(state.claimed_shares),
    };
    let (version, sequence) = (state.version, state.claimed_shares.saturating_add(1));
    Some(Plan { packet, rule, version, left, sequence, takers: Vec::new(), late: Vec::new() })
}

/// The answer of a user who cannot take a share now, and None for one who can.
fn settled(state: &State, standing: &Standing, may_open: bool, now_ms: u64) -> Option<Outcome> {
    let finished = state.status == Status::Finished;
    let answer = match standing {
        Standing::Claimed(share) => return Some(Outcome::with(*share)),
        _ if !finished && (state.status == Status::Expired || now_ms >= state.expires_at_ms) => {
            Opened::Expired
        }
        Standing::Free if !may_open => Opened::NotGrabbed,
        Standing::NotEligible => Opened::NotGrabbed,
        Standing::Free if finished => Opened::Exhausted,
        Standing::Free => return None,
    };
    Some(Outcome::without(answer))
}

/// The shares of all takers. Where each takes one number, one call of the host gives them all.
fn draw(host: &impl Host, plans: &[Plan]) -> Vec<Share> {
    let of_plan = |plan: &Plan| Draw {
        packet: plan.packet,
        sequence: plan.sequence,
        shares: plan.takers.len() as u32,
        skip: 0,
        each: 1,
    };
    let firsts: Vec<_> = plans.iter().filter(|plan| plan.draws_one()).map(of_plan).collect();
    let firsts = if firsts.is_empty() { Vec::new() } else { host.numbers(&firsts) };
    let mut firsts = firsts.into_iter();
    let mut shares = Vec::new();
    for plan in plans {
        let mut left = plan.left;
        for (sequence, user) in (plan.sequence..).zip(&plan.takers) {
            let first = if plan.draws_one() { firsts.next() } else { None };
            let more =
                |skip, each| host.numbers(&[Draw { packet: plan.packet, sequence, shares: 1, skip, each }]);
            let amount = plan.rule.draw(left, &mut Draws::new(first, plan.draws_each(left.shares), more));
            left = Remaining { amount: left.amount - amount, shares: left.shares - 1 };
            shares.push(Share { user: *user, amount });
        }
    }
    shares
}

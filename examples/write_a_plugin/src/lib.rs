//! A red packet plugin written against `wit/` alone: each share is half of what remains.
//!
//! Any call may be made again, since an answer can be lost on its way. So whatever may happen once
//! only (a packet, a seat, a claim, a refund) is asked of the host, and nothing is remembered here.

mod chat;
mod rule;

use exports::hongbao::plugin::{allocation, packets};
use hongbao::plugin::counter::{Card, OpenedSeat, Opening, Seat, Swapped, View};
use hongbao::plugin::ledger::{Claimed, Closed, Loaded, Order, Priority, Recorded, Share};
use hongbao::plugin::policy::Limits;
use hongbao::plugin::types::{Audience, Claim, Error, PacketId, Status, Strategy, UserId};
use hongbao::plugin::{clock, counter, ledger, policy};
use packets::{ClaimLine, Expired, Grabbed, Opened, OpenedShare, PacketDetails, Request, SendError, Sent};

wit_bindgen::generate!({ path: "../../wit", world: "plugin", additional_derives: [Clone, PartialEq] });

struct Halving;

export!(Halving);

/// How often a race is run before it counts as lost.
const TRIES: u32 = 8;
/// How long a counter outlives its packet, so that late taps do not ask the ledger.
const KEEP_MS: u64 = 600_000;

impl packets::Guest for Halving {
    fn send(request: Request) -> Result<Sent, SendError> {
        let order = order(request, &policy::get()).map_err(SendError::InvalidArgument)?;
        match ledger::record(&order) {
            Ok(Recorded::Recorded(receipt)) => {
                // Should the cache be away, the first grab builds the counter.
                start(receipt.id, order.audience, receipt.expires_at_ms, order.shares, None);
                Ok(Sent::Sent(receipt.id))
            }
            Ok(Recorded::Replayed(receipt)) => Ok(Sent::Replayed(receipt.id)),
            Ok(Recorded::KeyReused) => Err(SendError::KeyReused),
            Ok(Recorded::InsufficientFunds(held)) => Err(SendError::InsufficientFunds(held)),
            Err(Error::Busy) => Err(SendError::Busy),
            Err(Error::Unavailable) => Err(SendError::Unavailable),
            Err(Error::Other(why)) => Err(SendError::Other(why)),
        }
    }

    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        let (mut answers, mut take) = (vec![Grabbed::Contended; users.len()], Vec::new());
        for _ in 0..TRIES {
            match counter::load(packet, &users) {
                Ok(Some(view)) => {
                    (answers, take) = seat(&view, &users);
                    if take.is_empty() {
                        return answers;
                    }
                    match counter::swap(packet, view.version, &take) {
                        Ok(Swapped::Won(_)) => return answers,
                        // Somebody was faster, so look again.
                        Ok(Swapped::Stale(_) | Swapped::Missing) => {}
                        Err(Error::Busy) => return unseated(answers, Grabbed::Busy),
                        Err(_) => break,
                    }
                }
                Ok(None) => match rebuild(packet) {
                    Ok(true) => {}
                    Ok(false) => return vec![Grabbed::NotFound; users.len()],
                    Err(Error::Busy) => return vec![Grabbed::Busy; users.len()],
                    Err(_) => return vec![Grabbed::Unavailable; users.len()],
                },
                // What an overloaded cache cannot carry must not fall on the ledger.
                Err(Error::Busy) => return vec![Grabbed::Busy; users.len()],
                Err(_) => break,
            }
        }
        // Too many races are lost, or the cache is away: these may open, and the ledger decides.
        match counter::admit(packet, &take) {
            Err(Error::Busy) => unseated(answers, Grabbed::Busy),
            _ => unseated(answers, Grabbed::Contended),
        }
    }

    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        let all = |answer: Opened| vec![answer; users.len()];
        let seated = match seated(packet, &users) {
            Ok(seated) => seated,
            Err(answer) => return all(answer),
        };
        for _ in 0..TRIES {
            let loaded = match ledger::load(packet, &users) {
                Ok(Some(loaded)) => loaded,
                Ok(None) => return all(Opened::NotFound),
                Err(Error::Busy) => return all(Opened::Busy),
                Err(_) => return all(Opened::Unavailable),
            };
            let (turns, shares) = draw(&loaded, &users, &seated);
            if shares.is_empty() {
                return turns.into_iter().flatten().collect();
            }
            match ledger::claim(packet, loaded.packet.version, &shares) {
                Ok(Claimed::Committed(first)) => return claimed(packet, &users, turns, &shares, first),
                // The packet has changed, so draw again from what remains now.
                Ok(Claimed::Stale(_) | Claimed::Closed) => {}
                Err(Error::Busy) => return all(Opened::Busy),
                Ok(Claimed::Refused(_)) | Err(_) => return all(Opened::Unavailable),
            }
        }
        all(Opened::Busy)
    }

    fn expire(packet: PacketId) -> Result<Expired, Error> {
        for _ in 0..TRIES {
            let Some(Loaded { packet: found, .. }) = ledger::load(packet, &[])? else {
                return Ok(Expired::NotFound);
            };
            if found.status == Status::Finished {
                return Ok(Expired::Finished);
            }
            let expired = match ledger::close(packet, found.version)? {
                Closed::Refunded(amount) => Expired::Refunded(amount),
                Closed::Already(amount) => Expired::Already(amount),
                Closed::NotDue => return Ok(Expired::NotDue),
                Closed::NotFound => return Ok(Expired::NotFound),
                Closed::Stale => continue,
            };
            let _ = counter::close(packet);
            return Ok(expired);
        }
        Ok(Expired::Busy)
    }

    fn details(packet: PacketId) -> Result<Option<PacketDetails>, Error> {
        let Some(Loaded { packet: found, .. }) = ledger::load(packet, &[])? else { return Ok(None) };
        // What was claimed between the two reads is left out: the numbers are those of the first.
        let claims = ledger::claims(packet, 0, found.claimed_shares)?;
        let best = claims.iter().map(|claim| claim.amount).max();
        let best = claims.iter().find(|claim| Some(claim.amount) == best).map(|claim| claim.sequence);
        let is_over = found.status == Status::Open && clock::now_ms() >= found.expires_at_ms;
        Ok(Some(PacketDetails {
            state: if is_over { Status::Expired } else { found.status },
            room: found.room,
            sender: found.sender,
            strategy: found.strategy,
            greeting: found.greeting,
            total: found.total,
            shares: found.shares,
            claimed_amount: found.claimed_amount,
            claimed_shares: found.claimed_shares,
            refunded: found.refunded,
            sent_at_ms: found.sent_at_ms,
            expires_at_ms: found.expires_at_ms,
            claims: claims.into_iter().map(|claim| line(claim, best)).collect(),
        }))
    }
}

impl allocation::Guest for Halving {
    fn preview(strategy: Strategy, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        let limits = policy::get();
        check(strategy, total, shares, &limits)?;
        let mut left = total;
        let next = |shares| {
            let amount = amount(strategy, left, shares, limits.max_share);
            left = left.saturating_sub(amount);
            amount
        };
        Ok((1..=shares).rev().map(next).collect())
    }
}

/// What a request comes to, or the rule that it breaks. The host checks what it must; these sentences
/// are for people.
fn order(request: Request, limits: &Limits) -> Result<Order, String> {
    let Request { key, room, sender, total, shares, to, greeting, .. } = request;
    let strategy = request.strategy.unwrap_or(limits.default_strategy);
    let expires_in_ms = request.expires_in_ms.unwrap_or(limits.default_expires_in_ms);
    check(strategy, total, shares, limits)?;
    let is_name = |name: &String| (1..=256).contains(&name.len()) && !name.chars().any(char::is_control);
    let is_greeting = greeting.chars().count() <= limits.max_greeting_chars as usize
        && !greeting.chars().any(char::is_control);
    let rules = [
        ([&key, &room].into_iter().chain(&to).all(is_name), "a name is 1 to 256 bytes of plain text"),
        (is_greeting, "the greeting must be a short line of plain text"),
        ((1..=limits.max_expires_in_ms).contains(&expires_in_ms), "the packet lives too long, or not at all"),
        (to.is_empty() || shares as usize <= to.len(), "there are more shares than people named"),
        (limits.sender_may_grab || !to.contains(&sender), "senders take no share of their own packets"),
    ];
    if let Some((_, broken)) = rules.iter().find(|(holds, _)| !holds) {
        return Err((*broken).into());
    }
    let audience = match (to.is_empty(), limits.sender_may_grab) {
        (false, _) => Audience::Only(to),
        (true, true) => Audience::Everyone,
        (true, false) => Audience::EveryoneBut(sender.clone()),
    };
    Ok(Order { key, room, sender, strategy, total, shares, audience, greeting, expires_in_ms })
}

fn check(strategy: Strategy, total: u64, shares: u32, limits: &Limits) -> Result<(), String> {
    let (most_shares, count) = (limits.max_shares, u64::from(shares));
    let most = limits.max_share.saturating_mul(count).min(i64::MAX as u64);
    if !(1..=most_shares).contains(&shares) {
        return Err(format!("there are 1 to {most_shares} shares, not {shares}"));
    }
    if !(count..=most).contains(&total) {
        return Err(format!("the total of {shares} shares is {count} to {most}, not {total}"));
    }
    if strategy == Strategy::Equal && !total.is_multiple_of(count) {
        return Err(format!("{total} cannot be divided equally into {shares} shares"));
    }
    Ok(())
}

/// The rule has no name among the contract's strategies, and stands for all of them but one: who asks
/// for equal shares was promised equal shares.
fn amount(strategy: Strategy, left: u64, shares: u32, most: u64) -> u64 {
    match strategy {
        Strategy::Equal => left.checked_div(shares.into()).unwrap_or(left),
        _ => rule::share(left, shares, most),
    }
}

/// Starts the counter of a packet; with `claims`, one that the cache has lost.
fn start(id: PacketId, audience: Audience, expires_at_ms: u64, shares: u32, claims: Option<Vec<Claim>>) {
    let opening = Opening {
        card: Card { audience, expires_at_ms },
        shares,
        rebuilt: claims.is_some(),
        opened: claims
            .unwrap_or_default()
            .into_iter()
            .map(|claim| opened_seat(claim.user, claim.amount))
            .collect(),
        ttl_ms: expires_at_ms.saturating_sub(clock::now_ms()).saturating_add(KEEP_MS),
    };
    let _ = counter::open(id, &opening);
}

/// Starts a counter again, from the ledger. False where there is no such packet.
fn rebuild(id: PacketId) -> Result<bool, Error> {
    let Some(Loaded { packet, .. }) = ledger::load(id, &[])? else { return Ok(false) };
    let claims = ledger::claims(id, 0, packet.shares)?;
    start(id, packet.audience, packet.expires_at_ms, packet.shares, Some(claims));
    Ok(true)
}

/// An answer for each user, true once those who are admitted have their seats; and who they are.
fn seat(view: &View, users: &[UserId]) -> (Vec<Grabbed>, Vec<UserId>) {
    let (mut take, now_ms) = (Vec::new(), clock::now_ms());
    let answer = |(index, user): (usize, &UserId)| {
        let holder = view.holders.iter().find(|holder| holder.index as usize == index);
        match holder.map(|holder| &holder.seat) {
            _ if !may_take(&view.card.audience, user) => Grabbed::NotEligible,
            Some(Seat::Opened(amount)) => Grabbed::AlreadyOpened(*amount),
            _ if view.finished => Grabbed::Exhausted,
            _ if now_ms >= view.card.expires_at_ms => Grabbed::Expired,
            Some(Seat::Leased) => Grabbed::AlreadyGrabbed,
            None if take.contains(user) => Grabbed::AlreadyGrabbed,
            None if take.len() < view.slots as usize => {
                take.push(user.clone());
                Grabbed::Admitted
            }
            None => Grabbed::Exhausted,
        }
    };
    (users.iter().enumerate().map(answer).collect(), take)
}

/// The answers where those who would have been admitted get this one.
fn unseated(mut answers: Vec<Grabbed>, instead: Grabbed) -> Vec<Grabbed> {
    for answer in answers.iter_mut().filter(|answer| matches!(answer, Grabbed::Admitted)) {
        *answer = instead;
    }
    answers
}

/// Who holds a seat. While the cache does not know, everybody does, and the ledger decides.
fn seated(packet: PacketId, users: &[UserId]) -> Result<Vec<bool>, Opened> {
    match counter::seats(packet, users) {
        Ok(Some(seating)) if !seating.lenient => {
            let is_seated = |index| seating.holders.iter().any(|holder| holder.index as usize == index);
            Ok((0..users.len()).map(is_seated).collect())
        }
        Ok(None) => match rebuild(packet) {
            Ok(true) => Ok(vec![true; users.len()]),
            Ok(false) => Err(Opened::NotFound),
            Err(Error::Busy) => Err(Opened::Busy),
            Err(_) => Err(Opened::Unavailable),
        },
        Err(Error::Busy) => Err(Opened::Busy),
        Ok(Some(_)) | Err(_) => Ok(vec![true; users.len()]),
    }
}

/// An answer for each user who takes no share now, and the shares of the others.
fn draw(loaded: &Loaded, users: &[UserId], seated: &[bool]) -> (Vec<Option<Opened>>, Vec<Share>) {
    let (packet, limits, now_ms) = (&loaded.packet, policy::get(), clock::now_ms());
    let mut left = packet.total.saturating_sub(packet.claimed_amount);
    let mut count = packet.shares.saturating_sub(packet.claimed_shares);
    let mut shares: Vec<Share> = Vec::new();
    let turn = |(user, seated): (&UserId, &bool)| {
        let answer = without_share(loaded, user, *seated, now_ms);
        if answer.is_some() || shares.iter().any(|share| share.user == *user) {
            return answer;
        }
        if count == 0 {
            return Some(Opened::Exhausted);
        }
        let amount = amount(packet.strategy, left, count, limits.max_share);
        (left, count) = (left.saturating_sub(amount), count.saturating_sub(1));
        let priority = if amount >= limits.large_from { Priority::Large } else { Priority::Normal };
        shares.push(Share { user: user.clone(), amount, priority });
        None
    };
    (users.iter().zip(seated).map(turn).collect(), shares)
}

fn without_share(loaded: &Loaded, user: &UserId, seated: bool, now_ms: u64) -> Option<Opened> {
    let Loaded { packet, claims } = loaded;
    let is_finished = packet.status == Status::Finished;
    if let Some(Claim { amount, sequence, .. }) = claims.iter().find(|claim| claim.user == *user) {
        let (amount, sequence) = (*amount, *sequence);
        return Some(Opened::AlreadyOpened(OpenedShare { amount, sequence }));
    }
    if !is_finished && (packet.status == Status::Expired || now_ms >= packet.expires_at_ms) {
        return Some(Opened::Expired);
    }
    if !seated || !may_take(&packet.audience, user) {
        return Some(Opened::NotGrabbed);
    }
    is_finished.then_some(Opened::Exhausted)
}

/// The answers now that the ledger has the claims, the first of them with this sequence.
fn claimed(
    packet: PacketId,
    users: &[UserId],
    turns: Vec<Option<Opened>>,
    shares: &[Share],
    first: u32,
) -> Vec<Opened> {
    let seats: Vec<_> = shares.iter().map(|share| opened_seat(share.user.clone(), share.amount)).collect();
    // Lost, it costs somebody else a needless walk to the ledger.
    let _ = counter::confirm(packet, &seats);
    let mut told = Vec::new();
    let answer = |(user, turn): (&UserId, Option<Opened>)| {
        let mut sequences = (first..).zip(shares);
        let taken = sequences.find(|(_, share)| share.user == *user);
        let Some((sequence, Share { amount, .. })) = taken else { return turn };
        let share = OpenedShare { amount: *amount, sequence };
        // Who stands twice in the batch is answered as if the second had come later.
        let is_second = told.contains(&sequence);
        told.push(sequence);
        Some(if is_second { Opened::AlreadyOpened(share) } else { Opened::Opened(share) })
    };
    users.iter().zip(turns).filter_map(answer).collect()
}

fn may_take(audience: &Audience, user: &UserId) -> bool {
    match audience {
        Audience::Everyone => true,
        Audience::EveryoneBut(sender) => sender != user,
        Audience::Only(users) => users.contains(user),
    }
}

fn opened_seat(user: UserId, amount: u64) -> OpenedSeat {
    OpenedSeat { user, amount }
}

fn line(Claim { user, amount, sequence, claimed_at_ms }: Claim, best: Option<u32>) -> ClaimLine {
    ClaimLine { user, amount, sequence, claimed_at_ms, best_luck: best == Some(sequence) }
}

//! Buttons: a batch of users who press the same one costs what a single user costs.

use super::text::quote;
use super::words::{self, Voice};
use super::{cards, room};
use crate::Host;
use crate::bindings::exports::hongbao::plugin::chat::{Presser, Reply, Theme};
use crate::bindings::exports::hongbao::plugin::packets::{Grabbed, Opened, Task};
use crate::bindings::hongbao::plugin::ledger::{OwnShare, PacketDetails, Standing};
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, Status};
use crate::host::Ledger;
use crate::open::{Outcome, outcomes};

/// The packet whose button was pressed: the call is about no other.
const PACKET: PacketIndex = 0;

/// Answers each of the users who pressed a button, in their order.
pub fn action(host: &impl Host, action: &str, by: &[Presser]) -> Vec<Vec<Reply>> {
    if by.is_empty() {
        return Vec::new();
    }
    let limits = host.limits();
    let task = [Task { users: by.len() as u32 }];
    let taps: Vec<Tap> = match action {
        "grab" => grabbed(host, &crate::grab(host, &task)),
        "open" => outcomes(host, &task).iter().map(opened).collect(),
        "details" => return details(host, by, &limits),
        "show" => return wall(host, by, &limits),
        unknown => {
            let unknown = quote(unknown);
            let problem =
                |_, voice: &Voice| Some(voice.refuse("unknown-action", &words::UNKNOWN_ACTION, &[&unknown]));
            return answers(by, &limits, &problem);
        }
    };
    tapped(host, by, &taps, &limits)
}

/// What became of a tap, whichever button it was on.
enum Tap {
    MayOpen,
    Has(OwnShare),
    NoSeat,
    Exhausted,
    Expired,
    NotEligible,
    NotFound,
    Busy,
    Unavailable,
}

fn grabbed(host: &impl Host, answers: &[Grabbed]) -> Vec<Tap> {
    // How much somebody has who opened before, only the ledger tells.
    let is_opened = answers.contains(&Grabbed::AlreadyOpened);
    let standings = if is_opened { host.ledger().load(&[PACKET]).users } else { Vec::new() };
    let tap = |(place, answer): (usize, &Grabbed)| match answer {
        Grabbed::Admitted | Grabbed::AlreadyGrabbed | Grabbed::Contended => Tap::MayOpen,
        Grabbed::AlreadyOpened => match standings.get(place) {
            Some(Standing::Claimed(share)) => Tap::Has(*share),
            _ => Tap::Unavailable,
        },
        Grabbed::Exhausted => Tap::Exhausted,
        Grabbed::Expired => Tap::Expired,
        Grabbed::NotEligible => Tap::NotEligible,
        Grabbed::NotFound => Tap::NotFound,
        Grabbed::Busy => Tap::Busy,
        Grabbed::Unavailable => Tap::Unavailable,
    };
    answers.iter().enumerate().map(tap).collect()
}

fn opened(outcome: &Outcome) -> Tap {
    match (outcome.answer, outcome.share) {
        (Opened::Opened, Some(share)) => Tap::Has(share),
        (Opened::NotGrabbed, _) => Tap::NoSeat,
        (Opened::Exhausted, _) => Tap::Exhausted,
        (Opened::Expired, _) => Tap::Expired,
        (Opened::NotFound, _) => Tap::NotFound,
        (Opened::Busy, _) => Tap::Busy,
        (Opened::Unavailable | Opened::Opened, _) => Tap::Unavailable,
    }
}

fn tapped(host: &impl Host, by: &[Presser], taps: &[Tap], limits: &Limits) -> Vec<Vec<Reply>> {
    // Whoever comes too late, as most do, is shown nothing of the packet: grab stays with the
    // cache. A ledger that is away costs the others the greeting, not their answer.
    let shows_packet = taps.iter().any(|tap| matches!(tap, Tap::MayOpen | Tap::Has(..)));
    let packet = if shows_packet { host.ledger().details(PACKET, false).ok() } else { None };
    let reply = |index: usize, voice: &Voice| taps.get(index).map(|tap| show(tap, packet.as_ref(), voice));
    let mut replies = answers(by, limits, &reply);
    if let Some(packet) = packet {
        finish(host, by, taps, &packet, limits, &mut replies);
    }
    replies
}

fn show(tap: &Tap, packet: Option<&PacketDetails>, voice: &Voice) -> Reply {
    Reply::Card(match tap {
        Tap::MayOpen => cards::openable(PACKET, packet, voice),
        Tap::Has(share) => cards::opened(PACKET, packet, share.amount, voice),
        Tap::NoSeat => cards::unseated(PACKET, voice),
        Tap::Exhausted => cards::over(PACKET, Theme::Finished, &words::EXHAUSTED, voice),
        Tap::Expired => cards::over(PACKET, Theme::Expired, &words::EXPIRED, voice),
        Tap::NotEligible => return voice.refuse("not-eligible", &words::NOT_ELIGIBLE, &[]),
        Tap::NotFound => return voice.refuse("not-found", &words::NOT_FOUND, &[]),
        Tap::Busy => return voice.refuse("busy", &words::BUSY, &[]),
        Tap::Unavailable => return voice.refuse("unavailable", &words::UNAVAILABLE, &[]),
    })
}

/// Whoever took the last share brings the room its card. Asked again, because the first answer
/// was lost, the answer is the same: else the room would show a sealed packet for ever.
fn finish(
    host: &impl Host,
    by: &[Presser],
    taps: &[Tap],
    packet: &PacketDetails,
    limits: &Limits,
    replies: &mut [Vec<Reply>],
) {
    let is_last = |tap: &Tap| matches!(tap, Tap::Has(share) if share.sequence == packet.shares);
    let Some(last) = taps.iter().position(is_last) else {
        return;
    };
    let Ok(details) = host.ledger().details(PACKET, true) else {
        return;
    };
    if let (Some(by), Some(replies)) = (by.get(last), replies.get_mut(last)) {
        let voice = Voice::new(&by.language, limits);
        replies.push(room(cards::finished(PACKET, &details, &voice)));
    }
}

/// What the room's card tells of, by how the packet stands.
enum Wall {
    Sealed(PacketDetails),
    Finished(PacketDetails),
    Expired(PacketDetails),
}

fn standing(host: &impl Host) -> Result<Wall, Failure> {
    let packet = host.ledger().details(PACKET, false)?;
    // Who got what is asked for only where it may be told.
    Ok(match packet.status {
        Status::Open => Wall::Sealed(packet),
        Status::Finished => Wall::Finished(host.ledger().details(PACKET, true)?),
        Status::Expired => Wall::Expired(packet),
    })
}

/// The room's card as the packet stands now, for each reader.
fn wall(host: &impl Host, by: &[Presser], limits: &Limits) -> Vec<Vec<Reply>> {
    told(host, by, limits, &standing(host), |wall, voice| {
        room(match wall {
            Wall::Sealed(packet) => cards::sealed(PACKET, &cards::Sealed::of(packet), voice),
            Wall::Finished(packet) => cards::finished(PACKET, packet, voice),
            Wall::Expired(packet) => cards::expired(PACKET, packet, voice),
        })
    })
}

fn details(host: &impl Host, by: &[Presser], limits: &Limits) -> Vec<Vec<Reply>> {
    told(host, by, limits, &host.ledger().details(PACKET, true), |details, voice| {
        Reply::Card(cards::details(PACKET, details, false, voice))
    })
}

/// What was read once, as it is shown to each reader; or why it was not.
fn told<T>(
    host: &impl Host,
    by: &[Presser],
    limits: &Limits,
    read: &Result<T, Failure>,
    card: impl Fn(&T, &Voice) -> Reply,
) -> Vec<Vec<Reply>> {
    if let Err(failure) = read {
        report(host, failure);
    }
    let reply = |_, voice: &Voice| {
        Some(match read {
            Ok(read) => card(read, voice),
            Err(failure) => failed(failure, voice),
        })
    };
    answers(by, limits, &reply)
}

/// An answer for each user, by the user's place, each in the user's own language.
fn answers(
    by: &[Presser],
    limits: &Limits,
    reply: &dyn Fn(usize, &Voice) -> Option<Reply>,
) -> Vec<Vec<Reply>> {
    let mut answers = Vec::new();
    for (index, by) in by.iter().enumerate() {
        answers.push(reply(index, &Voice::new(&by.language, limits)).into_iter().collect());
    }
    answers
}

/// The answer where a store could not be read.
pub(super) fn failed(failure: &Failure, voice: &Voice) -> Reply {
    match failure {
        Failure::NotFound => voice.refuse("not-found", &words::NOT_FOUND, &[]),
        Failure::Busy => voice.refuse("busy", &words::BUSY, &[]),
        Failure::Unavailable | Failure::CacheAway => voice.refuse("unavailable", &words::UNAVAILABLE, &[]),
        Failure::Other(_) => voice.refuse("internal", &words::INTERNAL, &[]),
    }
}

/// What users cannot do anything about is the operator's.
pub(super) fn report(host: &impl Host, failure: &Failure) {
    if let Failure::Other(why) = failure {
        host.log(Level::Error, why);
    }
}

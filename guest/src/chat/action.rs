//! Buttons: a batch of users who press the same one costs what a single user costs.

use super::text::quote;
use super::words::{self, Voice};
use super::{cards, room};
use crate::Host;
use crate::bindings::exports::hongbao::plugin::chat::{Press, Reply, Theme};
use crate::bindings::exports::hongbao::plugin::packets::{Grabbed, Opened, OpenedShare, PacketDetails};
use crate::bindings::hongbao::plugin::ledger::Packet;
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Error, PacketId, Status, UserId};
use crate::details::{complete, load, state};

/// Answers each of the users who pressed a button, in their order.
pub fn action(host: &impl Host, press: &Press) -> Vec<Vec<Reply>> {
    if press.by.is_empty() {
        return Vec::new();
    }
    let limits = host.limits();
    let users: Vec<UserId> = press.by.iter().map(|by| by.user.clone()).collect();
    let taps: Vec<Tap> = match press.action.as_str() {
        "grab" => crate::grab(host, press.packet, &users).iter().map(grabbed).collect(),
        "open" => crate::open(host, press.packet, &users).iter().map(opened).collect(),
        "details" => return details(host, press, &limits),
        "show" => return wall(host, press, &limits),
        unknown => {
            let unknown = quote(unknown);
            let problem =
                |_, voice: &Voice| Some(voice.refuse("unknown-action", &words::UNKNOWN_ACTION, &[&unknown]));
            return answers(press, &limits, &problem);
        }
    };
    tapped(host, press, &taps, &limits)
}

/// What became of a tap, whichever button it was on.
enum Tap {
    MayOpen,
    /// Has a share: its amount, and its place where that is known.
    Has(u64, Option<u32>),
    NoSeat,
    Exhausted,
    Expired,
    NotEligible,
    NotFound,
    Busy,
    Unavailable,
}

fn grabbed(answer: &Grabbed) -> Tap {
    match answer {
        Grabbed::Admitted | Grabbed::AlreadyGrabbed | Grabbed::Contended => Tap::MayOpen,
        Grabbed::AlreadyOpened(amount) => Tap::Has(*amount, None),
        Grabbed::Exhausted => Tap::Exhausted,
        Grabbed::Expired => Tap::Expired,
        Grabbed::NotEligible => Tap::NotEligible,
        Grabbed::NotFound => Tap::NotFound,
        Grabbed::Busy => Tap::Busy,
        Grabbed::Unavailable => Tap::Unavailable,
    }
}

fn opened(answer: &Opened) -> Tap {
    match answer {
        Opened::Opened(OpenedShare { amount, sequence })
        | Opened::AlreadyOpened(OpenedShare { amount, sequence }) => Tap::Has(*amount, Some(*sequence)),
        Opened::NotGrabbed => Tap::NoSeat,
        Opened::Exhausted => Tap::Exhausted,
        Opened::Expired => Tap::Expired,
        Opened::NotFound => Tap::NotFound,
        Opened::Busy => Tap::Busy,
        Opened::Unavailable => Tap::Unavailable,
    }
}

fn tapped(host: &impl Host, press: &Press, taps: &[Tap], limits: &Limits) -> Vec<Vec<Reply>> {
    // Whoever comes too late, as most do, is shown nothing of the packet: grab stays with the
    // cache. A ledger that is away costs the others the greeting, not their answer.
    let shows_packet = taps.iter().any(|tap| matches!(tap, Tap::MayOpen | Tap::Has(..)));
    let packet = if shows_packet { load(host, press.packet).unwrap_or(None) } else { None };
    let reply = |index: usize, voice: &Voice| {
        taps.get(index).map(|tap| show(press.packet, tap, packet.as_ref(), voice))
    };
    let mut replies = answers(press, limits, &reply);
    if let Some(packet) = packet {
        finish(host, press, taps, packet, limits, &mut replies);
    }
    replies
}

fn show(id: PacketId, tap: &Tap, packet: Option<&Packet>, voice: &Voice) -> Reply {
    Reply::Card(match tap {
        Tap::MayOpen => cards::openable(id, packet, voice),
        Tap::Has(amount, _) => cards::opened(id, packet, *amount, voice),
        Tap::NoSeat => cards::unseated(id, voice),
        Tap::Exhausted => cards::over(id, Theme::Finished, &words::EXHAUSTED, voice),
        Tap::Expired => cards::over(id, Theme::Expired, &words::EXPIRED, voice),
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
    press: &Press,
    taps: &[Tap],
    packet: Packet,
    limits: &Limits,
    replies: &mut [Vec<Reply>],
) {
    let is_last = |tap: &Tap| matches!(tap, Tap::Has(_, Some(sequence)) if *sequence == packet.shares);
    let Some(last) = taps.iter().position(is_last) else {
        return;
    };
    let Ok(details) = complete(host, press.packet, packet) else {
        return;
    };
    if let (Some(by), Some(replies)) = (press.by.get(last), replies.get_mut(last)) {
        let voice = Voice::new(&by.language, limits);
        replies.push(room(cards::finished(press.packet, &details, &voice)));
    }
}

/// What the room's card tells of, by how the packet stands.
enum Wall {
    Sealed(Packet),
    Finished(PacketDetails),
    Expired(Packet),
}

fn standing(host: &impl Host, id: PacketId) -> Result<Option<Wall>, Error> {
    let Some(packet) = load(host, id)? else {
        return Ok(None);
    };
    // Who got what is asked for only where it may be told.
    Ok(Some(match state(&packet, host.now_ms()) {
        Status::Open => Wall::Sealed(packet),
        Status::Finished => Wall::Finished(complete(host, id, packet)?),
        Status::Expired => Wall::Expired(packet),
    }))
}

/// The room's card as the packet stands now, for each reader.
fn wall(host: &impl Host, press: &Press, limits: &Limits) -> Vec<Vec<Reply>> {
    let id = press.packet;
    told(host, press, limits, &standing(host, id), |wall, voice| {
        room(match wall {
            Wall::Sealed(packet) => cards::sealed(id, &cards::Sealed::of(packet), voice),
            Wall::Finished(packet) => cards::finished(id, packet, voice),
            Wall::Expired(packet) => cards::expired(id, packet, voice),
        })
    })
}

fn details(host: &impl Host, press: &Press, limits: &Limits) -> Vec<Vec<Reply>> {
    told(host, press, limits, &crate::details(host, press.packet), |details, voice| {
        Reply::Card(cards::details(press.packet, details, false, voice))
    })
}

/// What was read once, as it is shown to each reader; or why it was not.
fn told<T>(
    host: &impl Host,
    press: &Press,
    limits: &Limits,
    read: &Result<Option<T>, Error>,
    card: impl Fn(&T, &Voice) -> Reply,
) -> Vec<Vec<Reply>> {
    if let Err(error) = read {
        report(host, error);
    }
    let reply = |_, voice: &Voice| {
        Some(match read {
            Ok(Some(read)) => card(read, voice),
            Ok(None) => voice.refuse("not-found", &words::NOT_FOUND, &[]),
            Err(error) => failed(error, voice),
        })
    };
    answers(press, limits, &reply)
}

/// An answer for each user, by the user's place, each in the user's own language.
fn answers(
    press: &Press,
    limits: &Limits,
    reply: &dyn Fn(usize, &Voice) -> Option<Reply>,
) -> Vec<Vec<Reply>> {
    let mut answers = Vec::new();
    for (index, by) in press.by.iter().enumerate() {
        answers.push(reply(index, &Voice::new(&by.language, limits)).into_iter().collect());
    }
    answers
}

/// The answer where a store could not be read.
pub(super) fn failed(error: &Error, voice: &Voice) -> Reply {
    match error {
        Error::Busy => voice.refuse("busy", &words::BUSY, &[]),
        Error::Unavailable => voice.refuse("unavailable", &words::UNAVAILABLE, &[]),
        Error::Other(_) => voice.refuse("internal", &words::INTERNAL, &[]),
    }
}

/// What users cannot do anything about is the operator's.
pub(super) fn report(host: &impl Host, error: &Error) {
    if let Error::Other(why) = error {
        host.log(Level::Error, why);
    }
}

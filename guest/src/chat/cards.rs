//! Cards: what is shown, for one reader, in that reader's language.

use super::money;
use super::text::{add, fill, owned, unturned};
use super::words::{self, FORMS, Phrase, Voice, number};
use crate::allocation::Strategy;
use crate::bindings::exports::hongbao::plugin::chat::{Button, Card, Emphasis, Field, Theme};
use crate::bindings::hongbao::plugin::ledger::{ClaimLine, PacketDetails};
use crate::bindings::hongbao::plugin::types::{PacketIndex, Status, UserId};

/// People on one card: what one screen bears, and what platforms take.
const MOST_PEOPLE: usize = 100;

#[inline(never)]
fn card(packet: Option<PacketIndex>, theme: Theme, title: &str, body: &str) -> Card {
    Card {
        packet,
        private: true,
        theme,
        title: owned(title),
        body: owned(body),
        fields: Vec::new(),
        buttons: Vec::new(),
    }
}

#[inline(never)]
fn field(card: &mut Card, user: Option<&UserId>, label: &str, value: &str) {
    card.fields.push(Field { user: user.map(|user| owned(user)), label: owned(label), value: owned(value) });
}

#[inline(never)]
fn button(card: &mut Card, action: &str, label: &Phrase, voice: &Voice) {
    // What leads to money stands out; looking does not.
    let emphasis = if action == "details" { Emphasis::Normal } else { Emphasis::Primary };
    card.buttons.push(Button { action: owned(action), label: owned(voice.word(label)), emphasis });
}

#[inline(never)]
fn see_details(card: &mut Card, voice: &Voice) {
    button(card, "details", &words::SEE_DETAILS, voice);
}

#[inline(never)]
fn from(card: &mut Card, sender: &UserId, voice: &Voice) {
    field(card, Some(sender), voice.word(&words::FROM), voice.word(&words::SENT));
}

/// A last field for those whom the card has no room for.
#[inline(never)]
fn and_more(card: &mut Card, people: usize, voice: &Voice) {
    if people > MOST_PEOPLE {
        let more = number((people - MOST_PEOPLE) as u64);
        field(card, None, &voice.say(&words::AND_MORE, &[&more]), "");
    }
}

#[inline(never)]
fn line(body: &mut String, line: &str) {
    if !body.is_empty() {
        add(body, "\n");
    }
    add(body, line);
}

/// The forms of the command, with amounts as this tenant writes them.
#[inline(never)]
pub(super) fn help(voice: &Voice) -> Card {
    let mut card = card(None, Theme::Plain, voice.word(&words::HELP), "");
    for form in &FORMS {
        let example = money::example(form.whole, voice.limits.currency_digits);
        let (typed, does) = (voice.say(&form.typed, &[&example]), voice.say(&form.does, &[&example]));
        field(&mut card, None, &typed, &does);
    }
    card
}

/// What the room may know of a packet that can be opened: no amounts.
pub(super) struct Sealed<'a> {
    pub sender: &'a UserId,
    pub strategy: &'a str,
    pub shares: u32,
    /// Empty for everybody.
    pub to: Vec<&'a UserId>,
    pub greeting: &'a str,
}

impl<'a> Sealed<'a> {
    pub fn of(packet: &'a PacketDetails) -> Self {
        let PacketDetails { sender, strategy, shares, greeting, .. } = packet;
        Self { sender, strategy, shares: *shares, to: packet.to.iter().collect(), greeting }
    }
}

fn is_equal(strategy: &str) -> bool {
    Strategy::parse(strategy) == Some(Strategy::Equal)
}

/// A packet that can be opened, for the room. What is in it stays a secret until it is opened.
#[inline(never)]
pub(super) fn sealed(id: PacketIndex, packet: &Sealed, voice: &Voice) -> Card {
    let mut card = card(Some(id), Theme::Sealed, voice.word(&words::PACKET), &unturned(packet.greeting));
    let kind = match is_equal(packet.strategy) {
        _ if !packet.to.is_empty() => &words::EXCLUSIVE,
        true => &words::EQUAL,
        false => &words::LUCKY,
    };
    from(&mut card, packet.sender, voice);
    field(&mut card, None, voice.word(&words::KIND), voice.word(kind));
    field(&mut card, None, voice.word(&words::SHARES), &number(packet.shares.into()));
    for &user in packet.to.iter().take(MOST_PEOPLE) {
        field(&mut card, Some(user), voice.word(&words::FOR), voice.word(&words::MAY_OPEN));
    }
    and_more(&mut card, packet.to.len(), voice);
    button(&mut card, "grab", &words::GRAB, voice);
    card
}

/// For somebody who may open.
#[inline(never)]
pub(super) fn openable(id: PacketIndex, packet: Option<&PacketDetails>, voice: &Voice) -> Card {
    let mut card = card(Some(id), Theme::Sealed, voice.word(&words::PACKET), "");
    if let Some(packet) = packet {
        line(&mut card.body, &unturned(&packet.greeting));
        from(&mut card, &packet.sender, voice);
    }
    button(&mut card, "open", &words::OPEN, voice);
    card
}

/// For somebody who holds no seat, or no longer.
#[inline(never)]
pub(super) fn unseated(id: PacketIndex, voice: &Voice) -> Card {
    let mut card = card(Some(id), Theme::Sealed, voice.word(&words::PACKET), voice.word(&words::NO_SEAT));
    button(&mut card, "grab", &words::GRAB, voice);
    card
}

/// For somebody who has a share. Whoever asks again sees the same.
#[inline(never)]
pub(super) fn opened(id: PacketIndex, packet: Option<&PacketDetails>, amount: u64, voice: &Voice) -> Card {
    let mut card = card(Some(id), Theme::Opened, &voice.money(amount), "");
    if let Some(packet) = packet {
        line(&mut card.body, &unturned(&packet.greeting));
        from(&mut card, &packet.sender, voice);
    }
    line(&mut card.body, voice.word(&words::SAVED));
    see_details(&mut card, voice);
    card
}

/// For somebody who came too late.
#[inline(never)]
pub(super) fn over(id: PacketIndex, theme: Theme, title: &Phrase, voice: &Voice) -> Card {
    let mut card = card(Some(id), theme, voice.word(title), "");
    see_details(&mut card, voice);
    card
}

/// A packet that is all taken, for the room.
#[inline(never)]
pub(super) fn finished(id: PacketIndex, packet: &PacketDetails, voice: &Voice) -> Card {
    let mut card = card(Some(id), Theme::Finished, voice.word(&words::FINISHED), &unturned(&packet.greeting));
    from(&mut card, &packet.sender, voice);
    best(&mut card, packet, voice);
    let parts = [&*number(packet.shares.into()), &*voice.money(packet.total)];
    field(&mut card, None, voice.word(&words::SHARES), &voice.say(&words::SHARES_IN_ALL, &parts));
    if let Some(last) = packet.claims.last() {
        field(&mut card, None, voice.word(&words::TAKEN_IN), &since(packet, last, voice));
    }
    see_details(&mut card, voice);
    card
}

/// A packet that is past its time, for the room.
#[inline(never)]
pub(super) fn expired(id: PacketIndex, packet: &PacketDetails, voice: &Voice) -> Card {
    let mut card = over(id, Theme::Expired, &words::EXPIRED, voice);
    line(&mut card.body, &unturned(&packet.greeting));
    went_back(&mut card, packet.total, packet.claimed_amount, packet.refunded, voice);
    from(&mut card, &packet.sender, voice);
    card
}

/// What nobody took in time.
#[inline(never)]
fn went_back(card: &mut Card, total: u64, claimed: u64, refunded: u64, voice: &Voice) {
    // The refund is all that is left, or has yet to come.
    let phrase = if refunded == 0 { &words::REFUNDING } else { &words::REFUNDED };
    line(&mut card.body, &voice.say(phrase, &[&voice.money(total.saturating_sub(claimed))]));
}

/// Who got what; `with_best`, whoever was luckiest stands on top.
#[inline(never)]
pub(super) fn details(id: PacketIndex, packet: &PacketDetails, with_best: bool, voice: &Voice) -> Card {
    let (theme, title) = match packet.status {
        Status::Open => (Theme::Sealed, &words::DETAILS),
        Status::Finished => (Theme::Finished, &words::DETAILS),
        Status::Expired => (Theme::Expired, &words::EXPIRED),
    };
    let mut card = card(Some(id), theme, voice.word(title), &unturned(&packet.greeting));
    let parts = [
        &*number(packet.claimed_shares.into()),
        &*number(packet.shares.into()),
        &*voice.money(packet.claimed_amount),
        &*voice.money(packet.total),
    ];
    line(&mut card.body, &voice.say(&words::CLAIMED, &parts));
    if packet.status == Status::Expired {
        went_back(&mut card, packet.total, packet.claimed_amount, packet.refunded, voice);
    }
    if with_best {
        best(&mut card, packet, voice);
    }
    for claim in packet.claims.iter().take(MOST_PEOPLE) {
        let label = fill("#%0", &[&number(claim.sequence.into())]);
        let parts = [&*voice.money(claim.amount), &*since(packet, claim, voice), mark(packet, claim, voice)];
        field(&mut card, Some(&claim.user), &label, &fill("%0 · +%1%2", &parts));
    }
    and_more(&mut card, packet.claims.len(), voice);
    card
}

fn since(packet: &PacketDetails, claim: &ClaimLine, voice: &Voice) -> String {
    voice.span(claim.claimed_at_ms.saturating_sub(packet.sent_at_ms))
}

#[inline(never)]
fn best(card: &mut Card, packet: &PacketDetails, voice: &Voice) {
    for claim in &packet.claims {
        let mark = mark(packet, claim, voice);
        if !mark.is_empty() {
            let value = fill("%0%1", &[&voice.money(claim.amount), mark]);
            field(card, Some(&claim.user), voice.word(&words::BEST), &value);
        }
    }
}

/// What is said behind the luckiest claim. Where all shares are the same, nobody is lucky.
fn mark(packet: &PacketDetails, claim: &ClaimLine, voice: &Voice) -> &'static str {
    if !claim.best_luck || is_equal(&packet.strategy) {
        return "";
    }
    voice.word(if packet.status == Status::Open { &words::BEST_SO_FAR } else { &words::BEST_MARK })
}

//! What people type and press: one command, one button, one card, in English.

use crate::exports::hongbao::plugin::chat::{
    Button, Card, ChatManifest, Emphasis, Field, Guest, Message, Presser, Problem, Reply, Theme, Usage,
};
use crate::exports::hongbao::plugin::packets::{Grabbed, Guest as _, Opened, Request, Task};
use crate::hongbao::plugin::ledger::{self, PacketDetails, Recorded};
use crate::hongbao::plugin::policy::{self, Limits};
use crate::hongbao::plugin::types::{Failure, Status};
use crate::{Halving, record};

/// The packet whose button was pressed: a press is about no other.
const PACKET: u32 = 0;

impl Guest for Halving {
    fn manifest() -> ChatManifest {
        let form = "/halving 10.00 5 Happy new year".into();
        let description = "Sends 10.00 in 5 shares, each half of what remains".into();
        ChatManifest { commands: vec![Usage { form, description }], languages: vec!["en".into()] }
    }

    fn command(message: Message) -> Vec<Reply> {
        let Message { room, sender, text, .. } = message;
        let mut words = text.split_whitespace();
        if words.next() != Some("/halving") {
            return vec![];
        }
        let limits = policy::current();
        let total = words.next().and_then(|total| minor(total, limits.currency_digits.into()));
        let shares = words.next().and_then(|shares| shares.parse().ok());
        let (Some(total), Some(shares)) = (total, shares) else {
            let usage = "Type an amount, the number of shares and a greeting: /halving 10.00 5 Cheers";
            return vec![problem("unknown-form", usage)];
        };
        let greeting = words.collect::<Vec<_>>().join(" ");
        let (strategy, to, expires_in_ms) = (None, vec![], None);
        let request = Request { room, sender, strategy, total, shares, to, greeting, expires_in_ms };
        vec![match record(request, &limits) {
            Ok(Recorded::Recorded(receipt) | Recorded::Replayed(receipt)) => show(receipt.packet, &limits),
            Ok(Recorded::Refused(why)) | Err(why) => {
                problem("invalid-argument", format!("It is not sent: {why}."))
            }
            Ok(Recorded::InsufficientFunds(held)) => {
                problem("insufficient-funds", format!("Your wallet holds only {}.", money(held, &limits)))
            }
            Ok(Recorded::KeyReused) => problem("key-reused", "Another packet was sent with this message."),
            Ok(Recorded::Failed(Failure::Busy)) => problem("busy", "It is not sent. Please try again later."),
            Ok(Recorded::Failed(_)) => problem("unavailable", "Whether it was sent is not known now."),
        }]
    }

    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        let (limits, task) = (policy::current(), vec![Task { users: by.len() as u32 }]);
        match action.as_str() {
            // Nobody has to press this: a platform asks for it where it has no card to draw.
            "show" => return vec![vec![show(PACKET, &limits)]; by.len()],
            "open" => {}
            _ => return vec![vec![problem("unknown-action", "There is no such button.")]; by.len()],
        }
        let grabbed = Halving::grab(task.clone());
        // Most come too late, and the ledger is not asked for them; nor is it where the cache is overloaded.
        let is_over = |grabbed: &Grabbed| matches!(grabbed, Grabbed::Exhausted | Grabbed::Busy);
        let opened =
            if grabbed.iter().all(is_over) { vec![Opened::Busy; by.len()] } else { Halving::open(task) };
        let details = opened.contains(&Opened::Opened).then(|| ledger::details(PACKET, true).ok()).flatten();
        let reply = |((grabbed, opened), by): ((Grabbed, Opened), Presser)| {
            let (code, message) = match (opened, grabbed) {
                (Opened::Opened, _) => return own(details.as_ref(), &by.user, &limits),
                (Opened::NotFound, _) => ("not-found", "There is no such packet."),
                (Opened::Expired, _) => ("expired", "This packet has expired."),
                (_, Grabbed::NotEligible) => ("not-eligible", "This packet is for others."),
                (Opened::Exhausted, _) | (_, Grabbed::Exhausted) => ("exhausted", "Every share is taken."),
                _ => ("busy", "It does not work just now. Please try again in a moment."),
            };
            vec![problem(code, message)]
        };
        grabbed.into_iter().zip(opened).zip(by).map(reply).collect()
    }
}

/// The room's card, as the packet stands now.
fn show(packet: u32, limits: &Limits) -> Reply {
    match ledger::details(packet, true) {
        Ok(details) => Reply::Card(card(packet, &details, limits)),
        Err(Failure::NotFound) => problem("not-found", "There is no such packet."),
        Err(_) => problem("unavailable", "This packet cannot be shown now."),
    }
}

/// A user's own card; whoever took the last share brings the room its card as well.
fn own(details: Option<&PacketDetails>, user: &str, limits: &Limits) -> Vec<Reply> {
    let claim = details.and_then(|details| details.claims.iter().find(|claim| claim.user == user));
    let (Some(details), Some(claim)) = (details, claim) else {
        return vec![problem("unavailable", "You have a share, which cannot be shown now.")];
    };
    let room = card(PACKET, details, limits);
    let title = money(claim.amount, limits);
    let own = Card { private: true, theme: Theme::Opened, title, buttons: vec![], ..room.clone() };
    let is_last = claim.sequence == details.shares;
    [own].into_iter().chain(is_last.then_some(room)).map(Reply::Card).collect()
}

/// A packet as it stands. As long as there are shares left, nobody's is told.
fn card(packet: u32, details: &PacketDetails, limits: &Limits) -> Card {
    let (theme, title) = match details.status {
        Status::Open => (Theme::Sealed, "Half of what remains"),
        Status::Finished => (Theme::Finished, "Every share is taken"),
        Status::Expired => (Theme::Expired, "This packet has expired"),
    };
    let is_open = details.status == Status::Open;
    let line = |user: &str, value: String| Field { user: Some(user.into()), label: "Who".into(), value };
    let taken = format!("{} of {} shares", details.claimed_shares, details.shares);
    let taken = Field { user: None, label: "Taken".into(), value: taken };
    let mut fields = vec![line(&details.sender, "sent this".into()), taken];
    // A card has 200 fields at most.
    let claims = details.claims.iter().filter(|_| !is_open).take(100);
    fields.extend(claims.map(|claim| line(&claim.user, money(claim.amount, limits))));
    let open = Button { action: "open".into(), label: "Open".into(), emphasis: Emphasis::Primary };
    let buttons = Vec::from_iter(is_open.then_some(open));
    let (title, body) = (title.into(), details.greeting.clone());
    Card { packet: Some(packet), private: false, theme, title, body, fields, buttons }
}

fn problem(code: &str, message: impl Into<String>) -> Reply {
    Reply::Problem(Problem { code: code.into(), message: message.into() })
}

/// Minor units of what was typed, exactly: 10.5 is 1050 where there are two digits after the point.
fn minor(typed: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = typed.split_once('.').unwrap_or((typed, ""));
    let minor = format!("{whole}{fraction:0<digits$}");
    let is_amount =
        !whole.is_empty() && fraction.len() <= digits && minor.bytes().all(|byte| byte.is_ascii_digit());
    if is_amount { minor.parse().ok() } else { None }
}

fn money(amount: u64, limits: &Limits) -> String {
    let (digits, one) = (usize::from(limits.currency_digits), 10_u64.pow(limits.currency_digits.into()));
    let fraction = if digits == 0 { String::new() } else { format!(".{:0digits$}", amount % one) };
    format!("{}{fraction} {}", amount / one, limits.currency)
}

//! What people type and press, in English alone.

use crate::exports::hongbao::plugin::chat::{
    Button, Card, ChatManifest, Emphasis, Field, Guest, Message, Presser, Problem, Reply, Theme, Usage,
};
use crate::exports::hongbao::plugin::packets::{Grabbed, Guest as Packets, Opened, Request, Task};
use crate::hongbao::plugin::ledger::{self, OwnShare, PacketDetails, Recorded, Standing};
use crate::hongbao::plugin::policy::{self, Limits};
use crate::hongbao::plugin::types::{Failure, Status, UserId};
use crate::{Halving, order};

const COMMAND: &str = "/halving";
const USAGE: &str = "Type /halving, an amount, the number of shares and a greeting: /halving 10.00 5 Cheers";
/// People on one card: what a screen bears.
const MOST_LINES: usize = 100;
/// Fields of a card before everybody's share: who sent it, and how many are taken.
const BEFORE_SHARES: usize = 2;
/// The packet whose button was pressed: a press is about no other.
const PACKET: u32 = 0;

impl Guest for Halving {
    fn manifest() -> ChatManifest {
        let form = format!("{COMMAND} 10.00 5 Happy new year");
        let description = "Sends 10.00 in 5 shares, each half of what remains".into();
        ChatManifest { commands: vec![Usage { form, description }], languages: vec!["en".into()] }
    }

    fn command(message: Message) -> Vec<Reply> {
        let (command, rest) = word(&message.text);
        if command != COMMAND {
            return Vec::new();
        }
        let limits = policy::current();
        let (total, rest) = word(rest);
        let (shares, greeting) = word(rest);
        let (Some(total), Ok(shares)) = (minor(total, limits.currency_digits), shares.parse()) else {
            return vec![problem("unknown-form", USAGE)];
        };
        let request = Request {
            room: message.room,
            sender: message.sender,
            strategy: None,
            total,
            shares,
            to: Vec::new(),
            greeting: greeting.into(),
            expires_in_ms: None,
        };
        let refused = |why: &str| problem("invalid-argument", &format!("It is not sent: {why}."));
        vec![match order(&request, &limits).map(|order| ledger::record(&order)) {
            Ok(Recorded::Recorded(receipt) | Recorded::Replayed(receipt)) => {
                match ledger::details(receipt.packet, true) {
                    Ok(details) => Reply::Card(wall(receipt.packet, &details, &limits)),
                    Err(_) => Reply::Notice("It is sent, and cannot be shown now.".into()),
                }
            }
            Err(why) | Ok(Recorded::Refused(why)) => refused(&why),
            Ok(Recorded::InsufficientFunds(held)) => {
                problem("insufficient-funds", &format!("Your wallet holds only {}.", money(held, &limits)))
            }
            Ok(Recorded::KeyReused) => problem("key-reused", "Another packet was sent with this message."),
            Ok(Recorded::Failed(Failure::Busy)) => {
                problem("busy", "It is not sent: too much is going on. Please try again later.")
            }
            Ok(Recorded::Failed(_)) => {
                problem("unavailable", "It may have been sent, or not: the server does not answer well.")
            }
        }]
    }

    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        let (limits, task) = (policy::current(), vec![Task { users: by.len() as u32 }]);
        // How much somebody has, the ledger tells.
        let own = |is_needed: bool| if is_needed { ledger::load(&[PACKET]).users } else { Vec::new() };
        match action.as_str() {
            "grab" => {
                let answers = Halving::grab(task);
                let own = own(answers.contains(&Grabbed::AlreadyOpened));
                let show = |(user, answer)| vec![grabbed(answer, share(&own, user), &limits)];
                answers.into_iter().enumerate().map(show).collect()
            }
            "open" => {
                let answers = Halving::open(task);
                let is_needed = answers.contains(&Opened::Opened);
                let (own, details) = (own(is_needed), is_needed.then(|| ledger::details(PACKET, true).ok()));
                let details = details.flatten();
                let show = |(user, answer)| opened(answer, share(&own, user), details.as_ref(), &limits);
                answers.into_iter().enumerate().map(show).collect()
            }
            // Nobody has to press `show`: a platform asks for it where it has no card to draw.
            look @ ("details" | "show") => {
                let draw = if look == "show" { wall } else { card };
                let reply = match ledger::details(PACKET, true) {
                    Ok(details) => Reply::Card(draw(PACKET, &details, &limits)),
                    Err(Failure::NotFound) => gone(),
                    Err(_) => again(),
                };
                vec![vec![reply]; by.len()]
            }
            _ => vec![vec![problem("unknown-action", "There is no such button.")]; by.len()],
        }
    }
}

fn share(own: &[Standing], user: usize) -> Option<OwnShare> {
    match own.get(user) {
        Some(Standing::Claimed(share)) => Some(*share),
        _ => None,
    }
}

fn grabbed(answer: Grabbed, own: Option<OwnShare>, limits: &Limits) -> Reply {
    match (answer, own) {
        (Grabbed::Admitted | Grabbed::AlreadyGrabbed | Grabbed::Contended, _) => {
            plain(Theme::Sealed, "Your turn", vec![button("open", "Open", Emphasis::Primary)])
        }
        (Grabbed::AlreadyOpened, Some(share)) => yours(share.amount, limits),
        (Grabbed::Exhausted, _) => over(Theme::Finished, "Too late: every share is taken"),
        (Grabbed::Expired, _) => over(Theme::Expired, "This packet has expired"),
        (Grabbed::NotEligible, _) => problem("not-eligible", "This packet is for others."),
        (Grabbed::NotFound, _) => gone(),
        (Grabbed::Busy, _) => busy(),
        (Grabbed::Unavailable | Grabbed::AlreadyOpened, _) => again(),
    }
}

/// Whoever took the last share brings the room its card; asked again, the answer is the same.
fn opened(
    answer: Opened,
    own: Option<OwnShare>,
    details: Option<&PacketDetails>,
    limits: &Limits,
) -> Vec<Reply> {
    vec![match (answer, own) {
        (Opened::Opened, Some(share)) => {
            let last = details.filter(|details| details.shares == share.sequence);
            let room = last.map(|details| Reply::Card(wall(PACKET, details, limits)));
            return [Some(yours(share.amount, limits)), room].into_iter().flatten().collect();
        }
        (Opened::NotGrabbed, _) => {
            plain(Theme::Sealed, "Grab first", vec![button("grab", "Grab", Emphasis::Primary)])
        }
        (Opened::Exhausted, _) => over(Theme::Finished, "Too late: every share is taken"),
        (Opened::Expired, _) => over(Theme::Expired, "This packet has expired"),
        (Opened::NotFound, _) => gone(),
        (Opened::Busy, _) => busy(),
        (Opened::Unavailable | Opened::Opened, _) => again(),
    }]
}

/// The room's card. As long as there are shares left, nobody's is told.
fn wall(packet: u32, details: &PacketDetails, limits: &Limits) -> Card {
    let mut card = Card { private: false, ..card(packet, details, limits) };
    if details.status == Status::Open {
        card.fields.truncate(BEFORE_SHARES);
    }
    card
}

/// A packet as it stands, with everybody's share.
fn card(id: u32, packet: &PacketDetails, limits: &Limits) -> Card {
    let (theme, title, action) = match packet.status {
        Status::Open => (Theme::Sealed, "Half of what remains", button("grab", "Grab", Emphasis::Primary)),
        Status::Finished => (Theme::Finished, "Every share is taken", see_details()),
        Status::Expired => (Theme::Expired, "This packet has expired", see_details()),
    };
    let taken = format!("{} of {} shares", packet.claimed_shares, packet.shares);
    let mut fields = vec![field(Some(&packet.sender), "From", "sent this"), field(None, "Taken", &taken)];
    for claim in packet.claims.iter().take(MOST_LINES) {
        fields.push(field(Some(&claim.user), "Share", &money(claim.amount, limits)));
    }
    if packet.refunded > 0 {
        fields.push(field(Some(&packet.sender), "Back", &format!("{} back", money(packet.refunded, limits))));
    }
    let (title, body) = (title.into(), packet.greeting.clone());
    Card { packet: Some(id), private: true, theme, title, body, fields, buttons: vec![action] }
}

fn plain(theme: Theme, title: &str, buttons: Vec<Button>) -> Reply {
    let (title, body, fields) = (title.into(), String::new(), Vec::new());
    Reply::Card(Card { packet: Some(PACKET), private: true, theme, title, body, fields, buttons })
}

fn yours(amount: u64, limits: &Limits) -> Reply {
    over(Theme::Opened, &money(amount, limits))
}

fn over(theme: Theme, title: &str) -> Reply {
    plain(theme, title, vec![see_details()])
}

fn see_details() -> Button {
    button("details", "Who got what", Emphasis::Normal)
}

fn button(action: &str, label: &str, emphasis: Emphasis) -> Button {
    Button { action: action.into(), label: label.into(), emphasis }
}

fn field(user: Option<&UserId>, label: &str, value: &str) -> Field {
    Field { user: user.cloned(), label: label.into(), value: value.into() }
}

fn problem(code: &str, message: &str) -> Reply {
    Reply::Problem(Problem { code: code.into(), message: message.into() })
}

fn gone() -> Reply {
    problem("not-found", "There is no such packet.")
}

fn busy() -> Reply {
    problem("busy", "Too many people at once. Please try again in a moment.")
}

fn again() -> Reply {
    problem("unavailable", "The server does not answer. Please try again.")
}

/// The first word of a text, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    (word, rest.trim_start())
}

/// Minor units of what was typed, exactly: 10.5 is 1050 where there are two digits after the point.
fn minor(typed: &str, digits: u8) -> Option<u64> {
    let (whole, fraction) = typed.split_once('.').unwrap_or((typed, ""));
    let (digits, all) = (usize::from(digits), format!("{whole}{fraction}"));
    let is_amount = !whole.is_empty() && all.bytes().all(|byte| byte.is_ascii_digit());
    if !is_amount || fraction.len() > digits {
        None
    } else {
        format!("{whole}{fraction:0<digits$}").parse().ok()
    }
}

fn money(amount: u64, limits: &Limits) -> String {
    let (digits, one) = (usize::from(limits.currency_digits), 10_u64.pow(limits.currency_digits.into()));
    let fraction = if digits == 0 { String::new() } else { format!(".{:0digits$}", amount % one) };
    format!("{}{fraction} {}", amount / one, limits.currency)
}

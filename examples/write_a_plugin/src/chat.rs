//! What people type and press, in English alone.

use crate::Halving;
use crate::exports::hongbao::plugin::chat::{
    Button, Card, Emphasis, Field, Guest, Message, PluginManifest, Press, Presser, Problem, Reply, Theme,
    Usage,
};
use crate::exports::hongbao::plugin::packets::{
    Grabbed, Guest as Packets, Opened, PacketDetails, Request, SendError, Sent,
};
use crate::hongbao::plugin::policy::{self, Limits};
use crate::hongbao::plugin::types::{PacketId, Status, Strategy, UserId};

const COMMAND: &str = "/halving";
const USAGE: &str = "Type /halving, an amount, the number of shares and a greeting: /halving 10.00 5 Cheers";
/// People on one card: what a screen bears.
const MOST_LINES: usize = 100;
/// Fields of a card before everybody's share: who sent it, and how many are taken.
const BEFORE_SHARES: usize = 2;

impl Guest for Halving {
    fn manifest() -> PluginManifest {
        let form = format!("{COMMAND} 10.00 5 Happy new year");
        let description = "Sends 10.00 in 5 shares, each half of what remains".into();
        PluginManifest {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            commands: vec![Usage { form, description }],
            languages: vec!["en".into()],
            // No randomness: whoever reads this knows that nobody is lucky here.
            asks: ["counter", "ledger", "clock", "policy"].map(String::from).into(),
        }
    }

    fn command(message: Message) -> Vec<Reply> {
        let (command, rest) = word(&message.text);
        if command != COMMAND {
            return Vec::new();
        }
        let limits = policy::get();
        let (total, rest) = word(rest);
        let (shares, greeting) = word(rest);
        let (Some(total), Ok(shares)) = (minor(total, limits.currency_digits), shares.parse()) else {
            return vec![problem("unknown-form", USAGE)];
        };
        let request = Request {
            // The same message is the same packet, however often it is delivered.
            key: message.id,
            room: message.room,
            sender: message.sender,
            strategy: Some(Strategy::DoubleAverage),
            total,
            shares,
            to: Vec::new(),
            greeting: greeting.into(),
            expires_in_ms: None,
        };
        vec![match Halving::send(request) {
            Ok(Sent::Sent(id) | Sent::Replayed(id)) => match Halving::details(id) {
                Ok(Some(packet)) => Reply::Card(wall(id, &packet, &limits)),
                Ok(None) | Err(_) => Reply::Notice("It is sent, and cannot be shown now.".into()),
            },
            Err(SendError::InvalidArgument(why)) => {
                problem("invalid-argument", &format!("It is not sent: {why}."))
            }
            Err(SendError::InsufficientFunds(held)) => {
                problem("insufficient-funds", &format!("Your wallet holds only {}.", money(held, &limits)))
            }
            Err(SendError::KeyReused) => problem("key-reused", "Another packet was sent with this message."),
            Err(SendError::Busy) => {
                problem("busy", "It is not sent: too much is going on. Please try again later.")
            }
            Err(SendError::Unavailable | SendError::Other(_)) => {
                problem("unavailable", "It may have been sent, or not: the server does not answer well.")
            }
        }]
    }

    fn action(press: Press) -> Vec<Vec<Reply>> {
        let limits = policy::get();
        let users = || press.by.iter().map(|Presser { user, .. }| user.clone()).collect();
        match press.action.as_str() {
            "grab" => {
                let show = |answer| vec![grabbed(press.packet, answer, &limits)];
                Halving::grab(press.packet, users()).into_iter().map(show).collect()
            }
            "open" => {
                let answers = Halving::open(press.packet, users());
                let took = |answer: &Opened| matches!(answer, Opened::Opened(_) | Opened::AlreadyOpened(_));
                let packet = answers.iter().any(took).then(|| Halving::details(press.packet).ok().flatten());
                let packet = packet.flatten();
                let show = |answer| opened(press.packet, answer, packet.as_ref(), &limits);
                answers.into_iter().map(show).collect()
            }
            // Nobody has to press `show`: a platform asks for it where it has no card to draw.
            look @ ("details" | "show") => {
                let draw = if look == "show" { wall } else { card };
                let reply = match Halving::details(press.packet) {
                    Ok(Some(packet)) => Reply::Card(draw(press.packet, &packet, &limits)),
                    Ok(None) => gone(),
                    Err(_) => again(),
                };
                vec![vec![reply]; press.by.len()]
            }
            _ => vec![vec![problem("unknown-action", "There is no such button.")]; press.by.len()],
        }
    }
}

fn grabbed(id: PacketId, answer: Grabbed, limits: &Limits) -> Reply {
    match answer {
        Grabbed::Admitted | Grabbed::AlreadyGrabbed | Grabbed::Contended => {
            plain(id, Theme::Sealed, "Your turn", vec![button("open", "Open", Emphasis::Primary)])
        }
        Grabbed::AlreadyOpened(amount) => yours(id, amount, limits),
        Grabbed::Exhausted => over(id, Theme::Finished, "Too late: every share is taken"),
        Grabbed::Expired => over(id, Theme::Expired, "This packet has expired"),
        Grabbed::NotEligible => problem("not-eligible", "This packet is for others."),
        Grabbed::NotFound => gone(),
        Grabbed::Busy => busy(),
        Grabbed::Unavailable => again(),
    }
}

/// Whoever took the last share brings the room its card; asked again, the answer is the same.
fn opened(id: PacketId, answer: Opened, packet: Option<&PacketDetails>, limits: &Limits) -> Vec<Reply> {
    vec![match answer {
        Opened::Opened(share) | Opened::AlreadyOpened(share) => {
            let last = packet.filter(|packet| packet.shares == share.sequence);
            let room = last.map(|packet| Reply::Card(wall(id, packet, limits)));
            return [Some(yours(id, share.amount, limits)), room].into_iter().flatten().collect();
        }
        Opened::NotGrabbed => {
            plain(id, Theme::Sealed, "Grab first", vec![button("grab", "Grab", Emphasis::Primary)])
        }
        Opened::Exhausted => over(id, Theme::Finished, "Too late: every share is taken"),
        Opened::Expired => over(id, Theme::Expired, "This packet has expired"),
        Opened::NotFound => gone(),
        Opened::Busy => busy(),
        Opened::Unavailable => again(),
    }]
}

/// The room's card. As long as there are shares left, nobody's is told.
fn wall(id: PacketId, packet: &PacketDetails, limits: &Limits) -> Card {
    let mut card = Card { private: false, ..card(id, packet, limits) };
    if packet.state == Status::Open {
        card.fields.truncate(BEFORE_SHARES);
    }
    card
}

/// A packet as it stands, with everybody's share.
fn card(id: PacketId, packet: &PacketDetails, limits: &Limits) -> Card {
    let (theme, title, action) = match packet.state {
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

fn plain(id: PacketId, theme: Theme, title: &str, buttons: Vec<Button>) -> Reply {
    let (title, body, fields) = (title.into(), String::new(), Vec::new());
    Reply::Card(Card { packet: Some(id), private: true, theme, title, body, fields, buttons })
}

fn yours(id: PacketId, amount: u64, limits: &Limits) -> Reply {
    over(id, Theme::Opened, &money(amount, limits))
}

fn over(id: PacketId, theme: Theme, title: &str) -> Reply {
    plain(id, theme, title, vec![see_details()])
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

//! Parsing of a line of a chat log as an event. Serde's own tagged enums would buffer its members, and take
//! an array for an object then; so all of them are read first, and each event takes its own.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answer::{Answer, Body, ErrorView};
use super::event::{Event, Kind, Named, Send, User, Withdraw};
use hongbao_domain::decode;

/// The event that a line says.
pub(super) fn parse(text: &str) -> Result<Event, Malformed> {
    match decode::json(text.as_bytes()) {
        Ok(Event::Together { events })
            if events.iter().any(|event| matches!(event, Event::Together { .. })) =>
        {
            Err(Malformed::of("together cannot stand within together", text))
        }
        Ok(event) => Ok(event),
        // A log has one event a line, so the parser's own count of lines says nothing.
        Err(error) => {
            Err(Malformed::of(error.to_string().replace(" at line 1 column ", " at column "), text))
        }
    }
}

/// A line that is no event, and what of it could be read.
pub(super) struct Malformed {
    message: String,
    op: Option<String>,
    reference: Option<String>,
    user: Option<String>,
}

impl Malformed {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), op: None, reference: None, user: None }
    }

    /// With the names that the line gives, where it can be read that far.
    fn of(message: impl Into<String>, line: &str) -> Self {
        let value: Value = decode::json(line.as_bytes()).unwrap_or_default();
        let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { message: message.into(), op: field("op"), reference: field("ref"), user: field("user") }
    }

    pub(super) fn answer(self, line: u64) -> Answer {
        let error = ErrorView { code: "invalid-argument", message: self.message, line: Some(line) };
        let Self { op, reference, user, .. } = self;
        Answer { op, reference, user, body: Body::Failed { error } }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(line: D) -> Result<Self, D::Error> {
        Members::deserialize(line)?.whole().map_err(D::Error::custom)
    }
}

/// Which event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Op {
    Fund,
    Send,
    Grab,
    Open,
    Details,
    Together,
    Advance,
    Settle,
    Balance,
    Withdraw,
    Complete,
    Cancel,
    LoseCache,
    Reconcile,
    Audit,
}

macro_rules! members {
    ($($member:ident $name:literal: $type:ty;)*) => {
        /// Every member that any event may have.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            op: Op,
            $(#[serde(rename = $name)]
            $member: Option<$type>,)*
        }

        impl Members {
            /// A member that nobody has taken.
            fn left(&self) -> Option<&'static str> {
                let all = [$(($name, self.$member.is_some()),)*];
                all.into_iter().find(|(_, is_there)| *is_there).map(|(name, _)| name)
            }
        }
    };
}

members! {
    reference "ref": String;
    user "user": User;
    amount "amount": u64;
    ms "ms": u64;
    events "events": Vec<Event>;
    room "room": String;
    sender "sender": User;
    kind "kind": Kind;
    strategy "strategy": Named;
    total "total": u64;
    shares "shares": u32;
    expires_in_ms "expires_in_ms": u64;
    to "to": Vec<User>;
    greeting "greeting": String;
    key "key": String;
    noted "reference": String;
}

/// Takes a member that the event must have.
fn take<T>(member: &mut Option<T>, name: &str) -> Result<T, String> {
    member.take().ok_or_else(|| format!("missing field `{name}`"))
}

impl Members {
    /// The event that the members make up; one that it does not have is refused.
    fn whole(mut self) -> Result<Event, String> {
        let event = self.event()?;
        match self.left() {
            Some(name) => Err(format!("unknown field `{name}` of the event {}", event.op())),
            None => Ok(event),
        }
    }

    fn event(&mut self) -> Result<Event, String> {
        Ok(match self.op {
            Op::Fund => Event::Fund { user: self.user()?, amount: take(&mut self.amount, "amount")? },
            Op::Send => Event::Send(Box::new(self.send()?)),
            Op::Grab => Event::Grab { r#ref: self.reference()?, user: self.user()? },
            Op::Open => Event::Open { r#ref: self.reference()?, user: self.user()? },
            Op::Details => Event::Details { r#ref: self.reference()? },
            Op::Together => Event::Together { events: take(&mut self.events, "events")? },
            Op::Advance => Event::Advance { ms: take(&mut self.ms, "ms")? },
            Op::Settle => Event::Settle {},
            Op::Balance => Event::Balance { user: self.user()? },
            Op::Withdraw => Event::Withdraw(self.withdraw()?),
            Op::Complete => Event::Complete { r#ref: self.reference()?, user: self.user()? },
            Op::Cancel => Event::Cancel { r#ref: self.reference()?, user: self.user()? },
            Op::LoseCache => Event::LoseCache {},
            Op::Reconcile => Event::Reconcile {},
            Op::Audit => Event::Audit {},
        })
    }

    fn user(&mut self) -> Result<User, String> {
        take(&mut self.user, "user")
    }

    fn reference(&mut self) -> Result<String, String> {
        take(&mut self.reference, "ref")
    }

    fn withdraw(&mut self) -> Result<Withdraw, String> {
        Ok(Withdraw {
            r#ref: self.reference()?,
            user: self.user()?,
            amount: take(&mut self.amount, "amount")?,
            reference: self.noted.take().unwrap_or_default(),
            key: self.key.take(),
        })
    }

    fn send(&mut self) -> Result<Send, String> {
        Ok(Send {
            r#ref: self.reference()?,
            room: take(&mut self.room, "room")?,
            sender: take(&mut self.sender, "sender")?,
            kind: take(&mut self.kind, "kind")?,
            strategy: self.strategy.take(),
            total: take(&mut self.total, "total")?,
            shares: take(&mut self.shares, "shares")?,
            expires_in_ms: self.expires_in_ms.take(),
            to: self.to.take().unwrap_or_default(),
            greeting: self.greeting.take().unwrap_or_default(),
            key: self.key.take(),
        })
    }
}

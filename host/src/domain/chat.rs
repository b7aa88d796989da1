//! What people type and press, and what a plugin shows them. Free of any platform's own layout:
//! every text is plain and is never markup.

use super::{Grants, PacketId, UserId};

/// One form of a command, for a help text or a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// As it is typed.
    pub form: String,
    /// What it does.
    pub description: String,
}

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// Three numbers with dots between them.
    pub version: String,
    /// The forms of its commands.
    pub commands: Vec<Usage>,
    /// BCP 47 tags; the first is taken for all others.
    pub languages: Vec<String>,
    /// What it calls. What is not among these, it is not given.
    pub asks: Grants,
}

/// A user who stands in a message's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// As it stands in the text, such as `@bob`.
    pub text: String,
    /// Who it is.
    pub user: UserId,
}

/// A message that begins with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The platform's own id of the message: one that is delivered twice sends once.
    pub id: String,
    /// Where it was typed.
    pub room: String,
    /// Who typed it.
    pub sender: UserId,
    /// What was typed, at most 4,096 bytes.
    pub text: String,
    /// In the order of the text, at most 100. A user who stands there twice is here twice.
    pub mentions: Vec<Mention>,
    /// The sender's language, as a BCP 47 tag.
    pub language: String,
}

/// Who pressed a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presser {
    /// Who it is.
    pub user: UserId,
    /// Their language, as a BCP 47 tag.
    pub language: String,
}

/// How much a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// More than the others.
    Primary,
    /// No more than others.
    Normal,
}

impl Emphasis {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Normal => "normal",
        }
    }
}

/// A button of a card. Pressing it is an action on the card's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// 1 to 64 lower-case letters, digits and hyphens.
    pub action: String,
    /// What stands on it.
    pub label: String,
    /// How much it stands out.
    pub emphasis: Emphasis,
}

/// A line of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where there is one, this user's name is shown in place of the label.
    pub user: Option<UserId>,
    /// What the value is.
    pub label: String,
    /// The value.
    pub value: String,
}

/// How a card looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// A packet that may be opened: red.
    Sealed,
    /// A share that was opened.
    Opened,
    /// Every share is claimed.
    Finished,
    /// Past its time.
    Expired,
    /// No packet at all.
    Plain,
}

impl Theme {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Opened => "opened",
            Self::Finished => "finished",
            Self::Expired => "expired",
            Self::Plain => "plain",
        }
    }
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Which packet it is about. Where there is none, there are no buttons.
    pub packet: Option<PacketId>,
    /// For the user alone. Otherwise it is for the whole room, and one about a packet takes the place
    /// of the room's card about it.
    pub private: bool,
    /// How it looks.
    pub theme: Theme,
    /// Above everything.
    pub title: String,
    /// Lines are parted by line feeds.
    pub body: String,
    /// Below the body.
    pub fields: Vec<Field>,
    /// Below everything.
    pub buttons: Vec<Button>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Lower-case letters, digits and hyphens.
    pub code: String,
    /// A sentence in the user's language.
    pub message: String,
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Something to look at.
    Card(Card),
    /// A line for the user alone.
    Notice(String),
    /// For the user alone.
    Problem(Problem),
}

//! Messages, cards and replies of the chat interface, without any platform's own layout:
//! every text is plain and is never markup.

use super::{Grants, Name, PacketId, Strategies, UserId};

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
    /// How it draws.
    pub strategies: Strategies,
    /// The forms of its commands. Empty where it has no chat.
    pub commands: Vec<Usage>,
    /// BCP 47 tags; the first is taken for all others. Empty where it has no chat.
    pub languages: Vec<String>,
    /// What it imports: what a tenant has to grant.
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

/// A message as somebody typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The platform's own id of the message, unique among those of its sender in its room: one that is
    /// delivered twice sends once.
    pub id: String,
    /// Where it was typed.
    pub room: String,
    /// Who typed it.
    pub sender: UserId,
    /// What was typed, at most 4,096 bytes. A plugin is given it as [`command`](super::command) has it.
    pub text: String,
    /// In the order of the text, at most 100. A user who stands there twice is here twice.
    pub mentions: Vec<Mention>,
    /// The sender's language, in whatever form the platform has it. A plugin is given the one of its languages
    /// that fits best, and the first where none does.
    pub language: String,
}

impl Message {
    /// Whether a plugin can be asked about it; otherwise what is wrong with it, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self) -> Result<(), String> {
        Name::new(self.id.as_str()).map_err(|error| format!("the id of a message {error}"))?;
        Name::new(self.room.as_str()).map_err(|error| format!("the name of a room {error}"))?;
        let texts = self.mentions.iter().map(|mention| mention.text.len()).chain([self.text.len()]);
        if texts.max().is_some_and(|longest| longest > MAX_TEXT_BYTES) {
            return Err(format!("a text has at most {MAX_TEXT_BYTES} bytes"));
        }
        if self.mentions.len() > MAX_MENTIONS {
            return Err(format!(
                "a message has at most {MAX_MENTIONS} mentions, not {}",
                self.mentions.len()
            ));
        }
        Ok(())
    }
}

/// Longest text of a message, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// Most mentions of a message.
const MAX_MENTIONS: usize = 100;
/// Longest name of an action, a code, a plugin.
pub const MAX_WORD_BYTES: usize = 64;

/// Whether a text is a name for programs: lower-case letters, digits and hyphens.
pub fn is_word(text: &str) -> bool {
    (1..=MAX_WORD_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Who pressed a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presser {
    /// Who it is.
    pub user: UserId,
    /// Their language, in whatever form the platform has it, as in a [`Message`].
    pub language: String,
}

impl Presser {
    /// Whether a plugin can be asked about a press of this button; otherwise why not, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, action: &str) -> Result<(), String> {
        if !is_word(action) {
            return Err("an action is 1 to 64 lower-case letters, digits and hyphens".into());
        }
        Ok(())
    }
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

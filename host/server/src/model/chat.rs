//! Messages, cards and replies, as `wit/chat.wit` has them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use hongbao_domain::{Button, Card, Emphasis, Field, Reply, Theme};

/// A user who stands in a message's text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Mention)]
pub(crate) struct MentionInput {
    /// As it stands in the text, such as `@bob`.
    #[schema(max_length = 4096)]
    pub(crate) text: String,
    /// Who it is.
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) user: String,
}

/// One part of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schema(as = Reply)]
pub(crate) enum ReplyView {
    /// Something to look at.
    #[schema(title = "CardReply")]
    Card {
        /// What is shown.
        card: CardView,
    },
    /// A line for the user alone.
    #[schema(title = "NoticeReply")]
    Notice {
        /// Plain text, never markup.
        text: String,
    },
    /// Why something was not done; for the user alone.
    #[schema(title = "ProblemReply")]
    Problem {
        /// For programs.
        code: String,
        /// A sentence in the user's language.
        message: String,
    },
}

impl From<Reply> for ReplyView {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Card(card) => Self::Card { card: card.into() },
            Reply::Notice(text) => Self::Notice { text },
            Reply::Problem(problem) => Self::Problem { code: problem.code, message: problem.message },
        }
    }
}

/// What a plugin answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replies {
    /// In the order in which they are shown.
    replies: Vec<ReplyView>,
}

impl From<Vec<Reply>> for Replies {
    fn from(replies: Vec<Reply>) -> Self {
        Self { replies: replies.into_iter().map(ReplyView::from).collect() }
    }
}

/// How a card looks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Theme)]
pub(crate) enum ThemeName {
    Sealed,
    Opened,
    Finished,
    Expired,
    Plain,
}

impl From<Theme> for ThemeName {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::Sealed => Self::Sealed,
            Theme::Opened => Self::Opened,
            Theme::Finished => Self::Finished,
            Theme::Expired => Self::Expired,
            Theme::Plain => Self::Plain,
        }
    }
}

/// What is shown, free of any platform's own layout. Texts are plain and never markup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Card)]
pub(crate) struct CardView {
    /// Which packet it is about. Where there is none, there are no buttons.
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<String>,
    /// For the user alone. Otherwise it is for the whole room, and takes the place of the room's card
    /// about its packet.
    private: bool,
    theme: ThemeName,
    title: String,
    /// Lines are parted by line feeds.
    body: String,
    fields: Vec<FieldView>,
    buttons: Vec<ButtonView>,
}

/// A line of a card.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Field)]
pub(crate) struct FieldView {
    /// Where there is one, this user's name is shown in place of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    label: String,
    value: String,
}

/// A button of a card. Pressing it is an action on the card's packet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Button)]
pub(crate) struct ButtonView {
    action: String,
    label: String,
    emphasis: EmphasisName,
}

/// How much a button stands out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Emphasis)]
pub(crate) enum EmphasisName {
    Primary,
    Normal,
}

impl From<Card> for CardView {
    fn from(card: Card) -> Self {
        Self {
            packet: card.packet.map(|packet| packet.to_string()),
            private: card.private,
            theme: card.theme.into(),
            title: card.title,
            body: card.body,
            fields: card.fields.into_iter().map(FieldView::from).collect(),
            buttons: card.buttons.into_iter().map(ButtonView::from).collect(),
        }
    }
}

impl From<Field> for FieldView {
    fn from(field: Field) -> Self {
        Self {
            user: field.user.map(hongbao_domain::UserId::into_string),
            label: field.label,
            value: field.value,
        }
    }
}

impl From<Button> for ButtonView {
    fn from(button: Button) -> Self {
        let emphasis = match button.emphasis {
            Emphasis::Primary => EmphasisName::Primary,
            Emphasis::Normal => EmphasisName::Normal,
        };
        Self { action: button.action, label: button.label, emphasis }
    }
}

//! `chat`, called with domain values and answered in them.
//!
//! A reply goes to a platform, which draws it; so its names are names, its texts have no control
//! characters, and there is not more of it than fits on a screen.

use std::sync::Arc;

use wasmtime::Result;

use super::bindings::exports::hongbao::plugin::chat;
use super::convert::{packet_id, user, wit_packet_id};
use crate::imports::{Breach, Calls, Exports, InstanceState, Mandate};
use hongbao_domain::{
    Button, Card, Emphasis, Field, Grants, MAX_WORD_BYTES, Manifest, Message, PacketId, Presser, Problem,
    Reply, Theme, Usage, closed, is_word,
};

type Answer<T, E = Breach> = std::result::Result<T, E>;

/// Most of each in one answer.
const MOST_REPLIES: usize = 8;
const MOST_FIELDS: usize = 200;
const MOST_BUTTONS: usize = 8;
const MOST_COMMANDS: usize = 64;
/// Longest text, in bytes.
const LONGEST_TEXT: usize = 4096;

impl Calls<'_> {
    pub(crate) async fn manifest(mut self) -> Result<Manifest> {
        self.begin(Mandate::Nothing);
        let Exports::V0_1(plugin) = self.exports;
        let said = plugin.hongbao_plugin_chat().call_manifest(&mut *self.store).await?;
        Ok(manifest(said)?)
    }

    pub(crate) async fn command(mut self, message: Message) -> Result<Vec<Reply>> {
        let wit = wit_message(&message);
        self.begin(Mandate::Message(Box::new(message)));
        let Exports::V0_1(plugin) = self.exports;
        let said = plugin.hongbao_plugin_chat().call_command(&mut *self.store, &wit).await?;
        Ok(replies(said, self.store.data())?)
    }

    pub(crate) async fn action(
        mut self,
        packet: PacketId,
        action: String,
        by: Vec<Presser>,
    ) -> Result<Vec<Vec<Reply>>> {
        let users = Arc::new(by.iter().map(|presser| presser.user.as_str().to_owned()).collect());
        self.begin(Mandate::Packet { packet, users });
        let by = by
            .into_iter()
            .map(|presser| chat::Presser { user: presser.user.into_string(), language: presser.language });
        let press = chat::Press { packet: wit_packet_id(packet), action, by: by.collect() };
        let Exports::V0_1(plugin) = self.exports;
        let said = plugin.hongbao_plugin_chat().call_action(&mut *self.store, &press).await?;
        let state = self.store.data();
        let said = state.check_answers(said)?;
        Ok(said.into_iter().map(|said| replies(said, state)).collect::<Answer<_>>()?)
    }
}

fn wit_message(message: &Message) -> chat::Message {
    let mention = |mention: &hongbao_domain::Mention| chat::Mention {
        text: mention.text.clone(),
        user: mention.user.as_str().to_owned(),
    };
    chat::Message {
        id: message.id.clone(),
        room: message.room.clone(),
        sender: message.sender.as_str().to_owned(),
        text: message.text.clone(),
        mentions: message.mentions.iter().map(mention).collect(),
        language: message.language.clone(),
    }
}

fn manifest(said: chat::PluginManifest) -> Answer<Manifest> {
    at_most(said.commands.len().max(said.languages.len()), MOST_COMMANDS, "too many commands or languages")?;
    let usage =
        |usage: chat::Usage| Ok(Usage { form: text(usage.form)?, description: text(usage.description)? });
    let asks = said.asks.iter().map(|name| name.parse()).collect::<Answer<Grants, _>>();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = said.version.len() <= MAX_WORD_BYTES
        && said.version.split('.').count() == 3
        && said.version.split('.').all(is_number);
    Ok(Manifest {
        name: word(said.name)?,
        version: if is_version { said.version } else { return Err(Breach::Reply("a version that is none")) },
        commands: said.commands.into_iter().map(usage).collect::<Answer<_>>()?,
        languages: said.languages.into_iter().map(text).collect::<Answer<_>>()?,
        asks: asks.map_err(|_| Breach::Reply("a grant that there is not"))?,
    })
}

fn replies(said: Vec<chat::Reply>, state: &InstanceState) -> Answer<Vec<Reply>> {
    at_most(said.len(), MOST_REPLIES, "too many parts")?;
    said.into_iter().map(|said| reply(said, state)).collect()
}

fn reply(reply: chat::Reply, state: &InstanceState) -> Answer<Reply> {
    Ok(match reply {
        chat::Reply::Card(it) => Reply::Card(card(it, state)?),
        chat::Reply::Notice(it) => Reply::Notice(text(it)?),
        chat::Reply::Problem(it) => {
            Reply::Problem(Problem { code: word(it.code)?, message: text(it.message)? })
        }
    })
}

fn card(card: chat::Card, state: &InstanceState) -> Answer<Card> {
    at_most(card.fields.len(), MOST_FIELDS, "too many fields")?;
    at_most(card.buttons.len(), MOST_BUTTONS, "too many buttons")?;
    if card.packet.is_none() && !card.buttons.is_empty() {
        return Err(Breach::Reply("buttons that are about nothing"));
    }
    let packet = card.packet.map(packet_id);
    if packet.is_some_and(|packet| !state.may_name(packet)) {
        return Err(Mandate::other_packet());
    }
    Ok(Card {
        packet,
        private: card.private,
        theme: match card.theme {
            chat::Theme::Sealed => Theme::Sealed,
            chat::Theme::Opened => Theme::Opened,
            chat::Theme::Finished => Theme::Finished,
            chat::Theme::Expired => Theme::Expired,
            chat::Theme::Plain => Theme::Plain,
        },
        title: text(card.title)?,
        body: text(card.body)?,
        fields: card.fields.into_iter().map(field).collect::<Answer<_>>()?,
        buttons: card.buttons.into_iter().map(button).collect::<Answer<_>>()?,
    })
}

fn field(field: chat::Field) -> Answer<Field> {
    Ok(Field {
        user: field.user.map(user).transpose()?,
        label: text(field.label)?,
        value: text(field.value)?,
    })
}

fn button(button: chat::Button) -> Answer<Button> {
    let emphasis = match button.emphasis {
        chat::Emphasis::Primary => Emphasis::Primary,
        chat::Emphasis::Normal => Emphasis::Normal,
    };
    Ok(Button { action: word(button.action)?, label: text(button.label)?, emphasis })
}

fn at_most(count: usize, most: usize, what: &'static str) -> Answer<()> {
    if count > most { Err(Breach::Reply(what)) } else { Ok(()) }
}

fn text(text: String) -> Answer<String> {
    at_most(text.len(), LONGEST_TEXT, "a text that is too long")?;
    match text.chars().any(|c| c.is_control() && c != '\n') {
        true => Err(Breach::Reply("control characters")),
        // What a user wrote may turn the text around; it turns none of what a platform puts behind it.
        false => Ok(closed(&text)),
    }
}

/// A name for programs.
fn word(word: String) -> Answer<String> {
    if is_word(&word) {
        Ok(word)
    } else {
        Err(Breach::Reply("a name with other than letters, digits and hyphens"))
    }
}

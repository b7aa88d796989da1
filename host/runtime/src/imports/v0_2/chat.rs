//! What a plugin says of itself, and `chat`: called with domain values and answered in them.
//!
//! A reply goes to a platform, which draws it; so its names are names, its texts have no control
//! characters, and there is not more of it than fits on a screen.

use wasmtime::Result;

use super::bindings::exports::hongbao::plugin::{chat, packets};
use super::convert::user;
use crate::imports::call::{About, Call};
use crate::imports::{Breach, Calls, Exports};
use hongbao_domain::{
    Button, Card, DeclaredParameter, DeclaredStrategy, Emphasis, Field, Grants, MAX_WORD_BYTES, Manifest,
    Message, PacketId, Presser, Problem, Reply, Strategies, Theme, Usage, closed, is_word,
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
    /// What the plugin says of itself, and of its chat if it has one. What it imports, the host knows.
    pub(crate) async fn manifest(mut self, asks: Grants) -> Result<Manifest> {
        let Exports::V0_2(exports) = self.exports;
        self.begin(Call::default());
        let said = exports.packets.call_manifest(&mut *self.store).await?;
        let chat = match &exports.chat {
            Some(chat) => Some(chat.call_manifest(&mut *self.store).await?),
            None => None,
        };
        Ok(manifest(said, chat, asks)?)
    }

    pub(crate) async fn command(mut self, message: Message) -> Result<Vec<Reply>> {
        let Exports::V0_2(exports) = self.exports;
        let Some(chat) = &exports.chat else { return Ok(Vec::new()) };
        let wit = wit_message(&message);
        self.begin(Call::of(About::Message(Box::new(message))));
        let said = chat.call_command(&mut *self.store, &wit).await?;
        Ok(replies(said, &self.store.data().call)?)
    }

    /// The answers of all who pressed, one button of one packet after the other.
    pub(crate) async fn actions(
        mut self,
        presses: Vec<((PacketId, String), Vec<Presser>)>,
    ) -> Result<Vec<Vec<Reply>>> {
        let mut answers = Vec::new();
        for ((packet, action), by) in presses {
            answers.extend(self.action(packet, &action, by).await?);
        }
        Ok(answers)
    }

    async fn action(&mut self, packet: PacketId, action: &str, by: Vec<Presser>) -> Result<Vec<Vec<Reply>>> {
        let Exports::V0_2(exports) = self.exports;
        let Some(chat) = &exports.chat else { return Ok(vec![Vec::new(); by.len()]) };
        let users = by.iter().map(|presser| presser.user.clone()).collect();
        let call = Call::taps(About::Action, &self.store.data().context.tenant, vec![(packet, users)]);
        self.begin(call);
        let presser = |by: Presser| chat::Presser { user: by.user.into_string(), language: by.language };
        let by: Vec<_> = by.into_iter().map(presser).collect();
        let said = chat.call_action(&mut *self.store, action, &by).await?;
        let call = &self.store.data().call;
        let said = call.check_answers(said)?;
        Ok(said.into_iter().map(|said| replies(said, call)).collect::<Answer<_>>()?)
    }
}

fn wit_message(message: &Message) -> chat::Message {
    let mention = |mention: &hongbao_domain::Mention| chat::Mention {
        text: mention.text.clone(),
        user: mention.user.as_str().to_owned(),
    };
    chat::Message {
        room: message.room.clone(),
        sender: message.sender.as_str().to_owned(),
        text: message.text.clone(),
        mentions: message.mentions.iter().map(mention).collect(),
        language: message.language.clone(),
    }
}

fn manifest(
    said: packets::PluginManifest,
    chat: Option<chat::ChatManifest>,
    asks: Grants,
) -> Answer<Manifest> {
    let chat::ChatManifest { commands, languages } =
        chat.unwrap_or(chat::ChatManifest { commands: Vec::new(), languages: Vec::new() });
    at_most(commands.len().max(languages.len()), MOST_COMMANDS, "too many commands or languages")?;
    at_most(said.strategies.len(), MOST_COMMANDS, "too many strategies")?;
    let usage =
        |usage: chat::Usage| Ok(Usage { form: text(usage.form)?, description: text(usage.description)? });
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = said.version.len() <= MAX_WORD_BYTES
        && said.version.split('.').count() == 3
        && said.version.split('.').all(is_number);
    let strategies = said.strategies.into_iter().map(strategy).collect::<Answer<_>>()?;
    Ok(Manifest {
        name: word(said.name)?,
        version: if is_version { said.version } else { return Err(Breach::Reply("a version that is none")) },
        strategies: Strategies::new(strategies).ok_or(Breach::Reply("no strategies, or two of one name"))?,
        commands: commands.into_iter().map(usage).collect::<Answer<_>>()?,
        languages: languages.into_iter().map(text).collect::<Answer<_>>()?,
        asks,
    })
}

fn strategy(said: packets::Strategy) -> Answer<DeclaredStrategy> {
    at_most(said.parameters.len(), MOST_COMMANDS, "too many parameters")?;
    let parameter = |said: packets::Parameter| {
        let (least, most, default) = (said.least, said.most, said.default);
        match (least..=most).contains(&default) {
            true => Ok(DeclaredParameter {
                name: word(said.name)?,
                description: text(said.description)?,
                least,
                most,
                default,
            }),
            false => Err(Breach::Reply("a parameter whose default is out of its bounds")),
        }
    };
    Ok(DeclaredStrategy {
        name: word(said.name)?,
        description: text(said.description)?,
        parameters: said.parameters.into_iter().map(parameter).collect::<Answer<_>>()?,
    })
}

fn replies(said: Vec<chat::Reply>, call: &Call) -> Answer<Vec<Reply>> {
    at_most(said.len(), MOST_REPLIES, "too many parts")?;
    said.into_iter().map(|said| reply(said, call)).collect()
}

fn reply(reply: chat::Reply, call: &Call) -> Answer<Reply> {
    Ok(match reply {
        chat::Reply::Card(it) => Reply::Card(card(it, call)?),
        chat::Reply::Notice(it) => Reply::Notice(text(it)?),
        chat::Reply::Problem(it) => {
            Reply::Problem(Problem { code: word(it.code)?, message: text(it.message)? })
        }
    })
}

fn card(card: chat::Card, call: &Call) -> Answer<Card> {
    at_most(card.fields.len(), MOST_FIELDS, "too many fields")?;
    at_most(card.buttons.len(), MOST_BUTTONS, "too many buttons")?;
    if card.packet.is_none() && !card.buttons.is_empty() {
        return Err(Breach::Reply("buttons that are about nothing"));
    }
    Ok(Card {
        packet: card.packet.map(|packet| call.id(packet)).transpose()?,
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

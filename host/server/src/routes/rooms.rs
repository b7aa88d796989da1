//! Routes for rooms: messages, packets, events.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::{Member, user};
use crate::input::{Json, Page, Path, Query, room};
use crate::model::chat::{MentionInput, Replies};
use crate::model::packet::PacketView;
use crate::output::{Items, Told};
use crate::problem::Problem;
use hongbao_domain::{self, Event, Mention, Message, Name, RoomKey};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(say)).routes(routes!(packets)).routes(routes!(super::stream::events))
}

/// A message as somebody typed it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    /// The platform's own id of the message, unique among those of its sender in its room: a command that
    /// is delivered twice sends once.
    #[schema(min_length = 1, max_length = 256)]
    id: String,
    /// Who typed it.
    #[schema(min_length = 1, max_length = 256)]
    sender: String,
    /// At most 4,096 bytes.
    #[schema(min_length = 1, max_length = 4096)]
    text: String,
    /// In the order of the text, at most 100.
    #[schema(max_items = 100)]
    mentions: Option<Vec<MentionInput>>,
    /// The sender's language, as a BCP 47 tag or however the platform has it, such as `zh_CN.UTF-8`. The plugin
    /// answers in the one of its languages that fits best, and in its first where none does.
    #[schema(max_length = 64)]
    language: Option<String>,
}

/// What came of a message.
#[derive(Debug, Serialize, ToSchema)]
struct Said {
    /// Whether it was passed on to the room, as an event `message`. A command never is.
    said: bool,
    /// Whether the plugin answered it as a command of its own. Where it was neither said nor handled, it is a command
    /// that nobody here knows: a platform may give it to others, or tell its sender.
    handled: bool,
    /// The plugin's command that is closest to one that it does not know, where one is close.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
    #[serde(flatten)]
    replies: Replies,
}

/// Say something in a room
///
/// A command goes to the plugin, and its replies are for the sender. Anything else is passed on to whoever listens to
/// the room. A command begins with a slash: white space and characters that nobody sees are skipped in front of it,
/// it may be full-width, and the bot's name may stand behind the command's (`/hongbao@MyBot 88 5`).
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "chat", operation_id = "say",
    params(("room" = String, Path)), request_body = NewMessage,
    responses((status = 200, description = "Whether the room was told, and the plugin's replies",
        body = Said)))]
async fn say(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
    Json(new): Json<NewMessage>,
) -> Result<Told<Said>, Problem> {
    let (name, sender) = (room(name)?, member.user(&service, new.sender)?);
    let mentions = new.mentions.unwrap_or_default().into_iter();
    let mentions = mentions.map(|mention| Ok(Mention { text: mention.text, user: user(mention.user)? }));
    let message = Message {
        id: new.id,
        room: name.as_str().to_owned(),
        sender,
        text: new.text,
        mentions: mentions.collect::<Result<_, Problem>>()?,
        language: new.language.unwrap_or_default(),
    };
    if hongbao_domain::command(&message.text, &message.mentions).is_some() {
        let text = message.text.clone();
        let replies = member.tenant.command(message).await?;
        let handled = !replies.is_empty();
        let did_you_mean = if handled { None } else { member.tenant.closest_command(&text) };
        return Ok(Told(Said { said: false, handled, did_you_mean, replies: replies.into() }));
    }
    message.check().map_err(Problem::invalid)?;
    if message.text.trim().is_empty() {
        return Err(Problem::invalid("a message has some text"));
    }
    let id =
        Name::new(message.id).map_err(|error| Problem::invalid(format!("the id of a message {error}")))?;
    let (quotas, now_ms) = (service.quotas(), service.host().now_ms());
    let bytes = id.as_str().len() + message.sender.as_str().len() + message.text.len();
    let place = quotas.message(&member.tenant, &name, bytes, now_ms)?;
    let event = Event::Message { id, sender: message.sender, text: message.text };
    let room = RoomKey { tenant: member.tenant.id().clone(), room: name };
    let told = service.events().post(&room, event, now_ms).await;
    if !matches!(told, Ok(Some(_))) {
        quotas.not_told(&member.tenant, &room.room, place);
    }
    told?;
    Ok(Told(Said { said: true, handled: false, did_you_mean: None, replies: Vec::new().into() }))
}

/// A room's packets, the latest first
#[utoipa::path(get, path = "/v1/rooms/{room}/packets", tag = "packets", operation_id = "room_packets",
    params(("room" = String, Path), Page),
    responses((status = 200, description = "A page of the room's packets", body = Items<PacketView>)))]
async fn packets(
    member: Member,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Told<Items<PacketView>>, Problem> {
    let (name, limit) = (room(name)?, page.limit()?);
    let before = page.before(|text| text.parse().ok())?;
    let found = member.tenant.recent(&name, before, limit).await?;
    let now_ms = member.tenant.now_ms();
    let place = |(id, _): &(hongbao_domain::PacketId, _)| id.to_string();
    Ok(Told(Items::page(found, limit, place, |(id, packet)| PacketView::of(id, packet, now_ms))))
}

//! Events, as the stream of a room carries them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::output::json;
use hongbao_domain::{Event, EventId, News, PacketEvent};

/// The `data` of an event; its name is in the field `event` of the stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Event)]
pub(crate) enum EventView {
    /// `message`: somebody said something that is no command.
    #[schema(title = "MessageEvent")]
    Message {
        /// The platform's id of the message.
        id: String,
        sender: String,
        /// Plain text, never markup.
        text: String,
    },
    /// `sent`, `progress`, `finished`, `expired`: how a packet stands now.
    #[schema(title = "PacketEvent")]
    Packet {
        packet: String,
        /// Of two events about a packet, the higher is the later.
        version: u64,
        sender: String,
        shares: u32,
        claimed_shares: u32,
        /// Of `sent`: when it ends.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at_ms: Option<u64>,
        /// Of `finished`: the whole packet.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Of `finished`: who was luckiest.
        #[serde(skip_serializing_if = "Option::is_none")]
        best: Option<String>,
        /// Of `finished`: with how much.
        #[serde(skip_serializing_if = "Option::is_none")]
        best_amount: Option<u64>,
        /// Of `finished`: from the sending to the last claim.
        #[serde(skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
        /// Of `expired`: what went back to the sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        refunded: Option<u64>,
    },
    /// `gap`: events are missing here. Ask how things stand.
    #[schema(title = "GapEvent")]
    Gap {
        /// The last event that was told before; what came next is no longer kept.
        #[schema(pattern = "^[0-9]{1,20}-[0-9]{1,20}$")]
        after: String,
    },
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        match event {
            Event::Message { id, sender, text } => {
                Self::Message { id: id.into_string(), sender: sender.into_string(), text }
            }
            Event::Packet(event) => Self::of_packet(event),
        }
    }
}

impl EventView {
    /// Events are missing after this one.
    pub(crate) fn gap(after: EventId) -> Self {
        Self::Gap { after: after.to_string() }
    }

    /// As it stands behind `data:`. JSON has no line feeds in it, so it is one line.
    pub(crate) fn data(&self) -> String {
        String::from_utf8(json(self)).unwrap_or_default()
    }

    fn of_packet(event: PacketEvent) -> Self {
        let (mut expires, mut sum, mut luckiest, mut luck, mut took, mut back) =
            (None, None, None, None, None, None);
        match event.news {
            News::Sent { expires_at_ms } => expires = Some(expires_at_ms),
            News::Progress => {}
            News::Finished { total, best, best_amount, took_ms } => {
                (sum, luckiest) = (Some(total.get()), Some(best.into_string()));
                (luck, took) = (Some(best_amount.get()), Some(took_ms));
            }
            News::Expired { refunded } => back = Some(refunded.get()),
        }
        Self::Packet {
            packet: event.packet.to_string(),
            version: event.version,
            sender: event.sender.into_string(),
            shares: event.shares,
            claimed_shares: event.claimed_shares,
            expires_at_ms: expires,
            total: sum,
            best: luckiest,
            best_amount: luck,
            took_ms: took,
            refunded: back,
        }
    }
}

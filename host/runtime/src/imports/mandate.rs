//! What one call may do.
//!
//! The ledger refuses what breaks the books. It cannot know what a call was about: that alice asked
//! for 88.88 and not for 88,888, that it was bob who tapped and not his neighbour. The host knows, and
//! lets a plugin act for nobody else.

use std::sync::Arc;

use hongbao_domain::{Audience, Message, Order, PacketId, Request, UserId};

use super::{Breach, origin};

/// What one call is about; a plugin that reaches for more is stopped.
#[derive(Default)]
pub(crate) enum Mandate {
    /// About nothing: what a plugin says of itself, a preview.
    #[default]
    Nothing,
    /// One packet, in the name of these users.
    Packet { packet: PacketId, users: Arc<Vec<String>> },
    /// To send what was asked for.
    Order(Box<Request>),
    /// To do what a message says: send one packet of its sender's, or look at those of its room.
    Message(Box<Message>),
}

const OTHER_PACKET: Breach = Breach::Beyond("a packet that the call is not about");
const OTHER_ORDER: Breach = Breach::Beyond("an order that nobody gave");

impl Mandate {
    /// A packet and nobody's name.
    pub(crate) fn packet(packet: PacketId) -> Self {
        Self::Packet { packet, users: Arc::default() }
    }

    pub(super) fn is_about(&self, id: PacketId) -> bool {
        matches!(self, Self::Packet { packet, .. } if *packet == id)
    }

    /// Where the user stands among those in whose name the call is made. `near` is where they
    /// probably stand: lists mostly keep the call's order.
    pub(super) fn place_of(&self, user: &str, near: usize) -> Option<usize> {
        match self {
            Self::Packet { users, .. } => {
                let rest = users.get(near..).unwrap_or_default();
                let ahead = rest.iter().position(|name| name == user).map(|place| near + place);
                ahead.or_else(|| users.iter().take(near).position(|name| name == user))
            }
            _ => None,
        }
    }

    /// How many users the call is made in the names of.
    pub(super) fn users(&self) -> usize {
        match self {
            Self::Packet { users, .. } => users.len(),
            _ => 0,
        }
    }

    /// The order as it stands in the ledger, if the plugin may write it down: under a key that tells
    /// where it comes from.
    pub(super) fn accept(&self, order: Order) -> Result<Order, Breach> {
        let key = match self {
            Self::Order(request) if is_requested(request, &order) => origin::of_request(order.key)?,
            Self::Message(message) if is_typed(message, &order) => {
                origin::of_message(&message.room, &message.id)?
            }
            _ => return Err(OTHER_ORDER),
        };
        Ok(Order { key, ..order })
    }

    /// Whether an order that was recorded before under the same key is what is asked for now, although the
    /// plugin makes another order of it today. What somebody left open is what it was then.
    pub(super) fn asked_before(&self, order: &Order, recorded: &Order) -> bool {
        match self {
            Self::Order(request) => asks_for(request, recorded),
            // Of a message only the plugin knows what was left open: how it is drawn, how long it lives, what is
            // written on it. How much it is, for how many and for whom is always said.
            Self::Message(_) => {
                let names = |audience: &Audience| match audience {
                    Audience::Everyone | Audience::EveryoneBut(_) => None,
                    Audience::Only(users) => Some(Arc::clone(users)),
                };
                order.room == recorded.room
                    && order.total == recorded.total
                    && order.shares == recorded.shares
                    && names(&order.audience) == names(&recorded.audience)
            }
            Self::Nothing | Self::Packet { .. } => false,
        }
    }

    /// Whether the plugin may ask for the packets of this room.
    pub(super) fn check_room(&self, room: &str) -> Result<(), Breach> {
        match self {
            Self::Message(message) if message.room == room => Ok(()),
            _ => Err(Breach::Beyond("a room that the call is not about")),
        }
    }

    pub(super) const fn other_packet() -> Breach {
        OTHER_PACKET
    }
}

fn is_requested(request: &Request, order: &Order) -> bool {
    order.key.as_str() == request.key && asks_for(request, order)
}

/// Whether an order is one that a request asks for, whatever its key. What the request leaves open may be
/// anything.
pub(crate) fn asks_for(request: &Request, order: &Order) -> bool {
    order.room.as_str() == request.room
        && order.sender == request.sender
        && order.total.get() == request.total
        && order.shares == request.shares
        && order.greeting == request.greeting
        && request.strategy.is_none_or(|strategy| strategy == order.strategy)
        && request.expires_in_ms.is_none_or(|life| life == order.expires_in_ms)
        && match &order.audience {
            Audience::Everyone => request.to.is_empty(),
            Audience::EveryoneBut(user) => request.to.is_empty() && *user == order.sender,
            Audience::Only(users) => **users == *request.to,
        }
}

/// What a text means is the plugin's to say; whose money it is and who may be meant is not.
fn is_typed(message: &Message, order: &Order) -> bool {
    let is_mentioned = |user: &UserId| message.mentions.iter().any(|mention| mention.user == *user);
    order.key.as_str() == message.id
        && order.room.as_str() == message.room
        && order.sender == message.sender
        && match &order.audience {
            Audience::Everyone => true,
            Audience::EveryoneBut(user) => *user == order.sender,
            Audience::Only(users) => users.iter().all(is_mentioned),
        }
}

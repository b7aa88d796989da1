//! Validation of orders: what a plugin may record, against what was requested.
//!
//! The ledger refuses what breaks the books. It cannot know what a call was about: that alice asked for 88.88 and
//! not for 88,888. The host knows, and adds by itself whose order it is.

use std::sync::Arc;

use super::call::{About, named};
use super::{Breach, origin};
use hongbao_domain::{Amount, Audience, Name, Order, Request, Strategy, UserId};

/// For whom a packet is, by a plugin's word.
pub(super) enum For {
    Everyone,
    EveryoneButSender,
    /// By their places in the request, or among the message's mentions.
    Only(Vec<u32>),
}

/// An order as a plugin decides it.
pub(super) struct Decided {
    pub(super) strategy: Strategy,
    pub(super) total: Amount,
    pub(super) shares: u32,
    pub(super) max_share: Amount,
    pub(super) audience: For,
    pub(super) greeting: String,
    pub(super) expires_in_ms: u64,
}

const OTHER_ORDER: Breach = Breach::Beyond("an order that nobody gave");

impl About {
    /// The order as it stands in the ledger, if the plugin may write it down: with its key, its room and its sender.
    pub(super) fn order(&self, decided: Decided) -> Result<Order, Breach> {
        let (key, room, sender, users) = match self {
            Self::Request(request) => {
                let key = Name::new(request.key.as_str()).map_err(Breach::Name)?;
                let users: Vec<_> = request.to.iter().collect();
                (origin::of_request(key)?, &request.room, &request.sender, users)
            }
            Self::Message(message) => {
                let key = origin::of_message(&message.room, &message.id)?;
                let users = message.mentions.iter().map(|mention| &mention.user).collect();
                (key, &message.room, &message.sender, users)
            }
            Self::Nothing | Self::Grab | Self::Open | Self::Action => return Err(OTHER_ORDER),
        };
        let audience = match decided.audience {
            For::Everyone => Audience::Everyone,
            For::EveryoneButSender => Audience::EveryoneBut(sender.clone()),
            For::Only(places) => Audience::Only(named(&places, &users)?),
        };
        let order = Order {
            key,
            room: Name::new(room.as_str()).map_err(Breach::Name)?,
            sender: sender.clone(),
            strategy: decided.strategy,
            total: decided.total,
            shares: decided.shares,
            max_share: decided.max_share,
            audience,
            greeting: decided.greeting,
            expires_in_ms: decided.expires_in_ms,
        };
        match self {
            Self::Request(request) if !asks_for(request, &order) => Err(OTHER_ORDER),
            _ => Ok(order),
        }
    }

    /// Whether an order that was recorded before under the same key is what is asked for now, although the
    /// plugin makes another order of it today. What somebody left open is what it was then.
    pub(super) fn asked_before(&self, order: &Order, recorded: &Order) -> bool {
        match self {
            Self::Request(request) => asks_for(request, recorded),
            // Of a message only the plugin knows what was left open: how it is drawn, how long it lives, what is
            // written on it. How much it is, for how many and for whom is always said.
            Self::Message(_) => {
                let names = |audience: &Audience| match audience {
                    Audience::Everyone | Audience::EveryoneBut(_) => None,
                    Audience::Only(users) => Some(Arc::<[UserId]>::clone(users)),
                };
                order.room == recorded.room
                    && order.total == recorded.total
                    && order.shares == recorded.shares
                    && names(&order.audience) == names(&recorded.audience)
            }
            Self::Nothing | Self::Grab | Self::Open | Self::Action => false,
        }
    }
}

/// Whether an order is one that a request asks for, whatever its key. What the request leaves open may be
/// anything.
pub(crate) fn asks_for(request: &Request, order: &Order) -> bool {
    order.room.as_str() == request.room
        && order.sender == request.sender
        && order.total.get() == request.total
        && order.shares == request.shares
        && order.greeting == request.greeting
        && request.strategy.as_ref().is_none_or(|strategy| *strategy == order.strategy)
        && request.expires_in_ms.is_none_or(|life| life == order.expires_in_ms)
        && match &order.audience {
            Audience::Everyone => request.to.is_empty(),
            Audience::EveryoneBut(user) => request.to.is_empty() && *user == order.sender,
            Audience::Only(users) => **users == *request.to,
        }
}

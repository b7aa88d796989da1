//! Repeated sends after a change of plugin or settings.
//!
//! A sender's key names one packet for ever, and whoever asks again is told of it. A policy may have changed
//! meanwhile, or the plugin: then the plugin refuses today what it sent yesterday, before anybody has looked at
//! the key, or makes another order of it by other defaults. So what a plugin refuses is looked for in the
//! ledger, and what is asked for is compared with what was recorded.

use super::Tenant;
use crate::CallError;
use crate::imports::{asks_for, of_message, of_request};
use hongbao_domain::{Message, Name, Packet, PacketId, Presser, Reply, Request, SendError, Sent, UserId};

/// What is remembered of a message while the plugin answers it.
pub(super) struct Typed {
    room: String,
    id: String,
    by: Presser,
}

impl Typed {
    pub(super) fn of(message: &Message) -> Self {
        let by = Presser { user: message.sender.clone(), language: message.language.clone() };
        Self { room: message.room.clone(), id: message.id.clone(), by }
    }
}

/// What a store could not do is no word about what was asked, and a key that another message has used is for the
/// sender to hear of.
const NOT_REFUSED: [&str; 3] = ["busy", "unavailable", "key-reused"];

impl Tenant {
    /// What becomes of a request that the plugin refuses.
    pub(super) async fn sent_before(
        &self,
        request: &Request,
        refused: SendError,
    ) -> Result<Result<Sent, SendError>, CallError> {
        match refused {
            SendError::InvalidArgument(_)
            | SendError::KeyReused
            | SendError::Refused(_)
            | SendError::Other(_) => {}
            SendError::InsufficientFunds(_)
            | SendError::Busy
            | SendError::Unavailable
            | SendError::Damaged(_) => return Ok(Err(refused)),
        }
        Ok(self.already_sent(request).await?.map(Sent::Replayed).ok_or(refused))
    }

    /// The packet that was sent under a request's key, if it is what the request asks for.
    pub(super) async fn already_sent(&self, request: &Request) -> Result<Option<PacketId>, CallError> {
        let Some(key) = Name::new(request.key.as_str()).ok().and_then(|key| of_request(key).ok()) else {
            return Ok(None);
        };
        let before = self.recorded(&request.sender, &key).await?;
        Ok(before.filter(|(_, packet)| asks_for(request, &packet.order)).map(|(id, _)| id))
    }

    /// What becomes of a message to which the plugin has nothing to say but that it cannot be: where it has sent a
    /// packet before, the packet's card is shown, as whoever presses `show` sees it.
    pub(super) async fn shown_before(
        &self,
        typed: Typed,
        replies: Vec<Reply>,
    ) -> Result<Vec<Reply>, CallError> {
        let is_refused = |reply: &Reply| match reply {
            Reply::Problem(problem) => !NOT_REFUSED.contains(&problem.code.as_str()),
            Reply::Card(_) | Reply::Notice(_) => false,
        };
        if replies.is_empty() || !replies.iter().all(is_refused) {
            return Ok(replies);
        }
        let Ok(key) = of_message(&typed.room, &typed.id) else { return Ok(replies) };
        let Some((id, _)) = self.recorded(&typed.by.user, &key).await? else { return Ok(replies) };
        self.action(id, "show".into(), typed.by).await
    }

    async fn recorded(&self, sender: &UserId, key: &Name) -> Result<Option<(PacketId, Packet)>, CallError> {
        let shared = &self.inner.shared;
        let recorded = shared.ledger.lists.recorded(&self.inner.id, sender, key).await;
        shared.health.ledger.note(&recorded);
        Ok(recorded?)
    }
}

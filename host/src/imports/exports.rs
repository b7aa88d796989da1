//! What the plugin gives, called with domain values and answered in them.

use wasmtime::{Result, Store};

use super::bindings::Plugin;
use super::bindings::exports::hongbao::plugin::packets;
use super::bindings::hongbao::plugin::types::{self, Error};
use super::convert::{amount, names, packet_id, status, strategy, user, wit_packet_id, wit_strategy};
use super::{Breach, InstanceState};
use crate::domain::{
    ClaimLine, Details, Expired, Grabbed, Opened, OpenedShare, PacketId, Request, SendError, Sent, Strategy,
    UserId,
};

/// Why an answer of the plugin is none: it, or a store behind it, says so itself.
pub(crate) enum Said {
    Unavailable,
    Other(String),
}

/// An instance's exports. An outer error is a trap: the store must not be used again.
pub(crate) struct Calls<'i> {
    pub(crate) plugin: &'i Plugin,
    pub(crate) store: &'i mut Store<InstanceState>,
}

impl Calls<'_> {
    pub(crate) async fn send(self, request: Request) -> Result<Result<Sent, SendError>> {
        let sent = self.plugin.hongbao_plugin_packets().call_send(self.store, &wit_request(request)).await?;
        Ok(sent.map(self::sent).map_err(send_error))
    }

    pub(crate) async fn grab(self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Grabbed>> {
        let packets = self.plugin.hongbao_plugin_packets();
        let answers = packets.call_grab(self.store, wit_packet_id(packet), &names(users)).await?;
        Ok(answers.into_iter().map(grabbed).collect::<Result<_, Breach>>()?)
    }

    pub(crate) async fn open(self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Opened>> {
        let packets = self.plugin.hongbao_plugin_packets();
        let answers = packets.call_open(self.store, wit_packet_id(packet), &names(users)).await?;
        Ok(answers.into_iter().map(opened).collect::<Result<_, Breach>>()?)
    }

    pub(crate) async fn expire(self, packet: PacketId) -> Result<Result<Expired, Said>> {
        let expired =
            self.plugin.hongbao_plugin_packets().call_expire(self.store, wit_packet_id(packet)).await?;
        Ok(match expired {
            Ok(expired) => Ok(self::expired(expired)?),
            Err(error) => Err(said(error)),
        })
    }

    pub(crate) async fn details(self, packet: PacketId) -> Result<Result<Option<Details>, Said>> {
        let found =
            self.plugin.hongbao_plugin_packets().call_details(self.store, wit_packet_id(packet)).await?;
        Ok(match found {
            Ok(found) => Ok(found.map(details).transpose()?),
            Err(error) => Err(said(error)),
        })
    }

    /// The shares in minor units, or the sentence that says why not.
    pub(crate) async fn preview(
        self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>> {
        let allocation = self.plugin.hongbao_plugin_allocation();
        allocation.call_preview(self.store, wit_strategy(strategy), total, shares).await
    }
}

fn wit_request(request: Request) -> packets::Request {
    packets::Request {
        key: request.key,
        room: request.room,
        sender: request.sender.into_string(),
        strategy: request.strategy.map(wit_strategy),
        total: request.total,
        shares: request.shares,
        to: names(request.to),
        greeting: request.greeting,
        expires_in_ms: request.expires_in_ms,
    }
}

fn sent(sent: packets::Sent) -> Sent {
    match sent {
        packets::Sent::Sent(id) => Sent::Sent(packet_id(id)),
        packets::Sent::Replayed(id) => Sent::Replayed(packet_id(id)),
    }
}

fn send_error(error: packets::SendError) -> SendError {
    match error {
        packets::SendError::InvalidArgument(why) => SendError::InvalidArgument(why),
        packets::SendError::KeyReused => SendError::KeyReused,
        packets::SendError::InsufficientFunds(held) => match amount(held) {
            Ok(held) => SendError::InsufficientFunds(held),
            Err(breach) => SendError::Other(breach.to_string()),
        },
        packets::SendError::Unavailable => SendError::Unavailable,
        packets::SendError::Other(why) => SendError::Other(why),
    }
}

fn grabbed(grabbed: packets::Grabbed) -> Result<Grabbed, Breach> {
    Ok(match grabbed {
        packets::Grabbed::NotFound => Grabbed::NotFound,
        packets::Grabbed::NotEligible => Grabbed::NotEligible,
        packets::Grabbed::AlreadyOpened(minor) => Grabbed::AlreadyOpened(amount(minor)?),
        packets::Grabbed::Expired => Grabbed::Expired,
        packets::Grabbed::AlreadyGrabbed => Grabbed::AlreadyGrabbed,
        packets::Grabbed::Exhausted => Grabbed::Exhausted,
        packets::Grabbed::Admitted => Grabbed::Admitted,
        packets::Grabbed::Contended => Grabbed::Contended,
        packets::Grabbed::Unavailable => Grabbed::Unavailable,
    })
}

fn opened(opened: packets::Opened) -> Result<Opened, Breach> {
    let share = |share: packets::OpenedShare| {
        Ok(OpenedShare { amount: amount(share.amount)?, sequence: share.sequence })
    };
    Ok(match opened {
        packets::Opened::NotFound => Opened::NotFound,
        packets::Opened::AlreadyOpened(it) => Opened::AlreadyOpened(share(it)?),
        packets::Opened::Expired => Opened::Expired,
        packets::Opened::NotGrabbed => Opened::NotGrabbed,
        packets::Opened::Exhausted => Opened::Exhausted,
        packets::Opened::Opened(it) => Opened::Opened(share(it)?),
        packets::Opened::Busy => Opened::Busy,
        packets::Opened::Unavailable => Opened::Unavailable,
    })
}

fn expired(expired: packets::Expired) -> Result<Expired, Breach> {
    Ok(match expired {
        packets::Expired::NotFound => Expired::NotFound,
        packets::Expired::NotDue => Expired::NotDue,
        packets::Expired::Finished => Expired::Finished,
        packets::Expired::Refunded(minor) => Expired::Refunded(amount(minor)?),
        packets::Expired::Already(minor) => Expired::Already(amount(minor)?),
        packets::Expired::Busy => Expired::Busy,
    })
}

fn details(details: packets::PacketDetails) -> Result<Details, Breach> {
    Ok(Details {
        state: status(details.state),
        room: details.room,
        sender: user(details.sender)?,
        strategy: strategy(details.strategy),
        greeting: details.greeting,
        total: amount(details.total)?,
        shares: details.shares,
        claimed_amount: amount(details.claimed_amount)?,
        claimed_shares: details.claimed_shares,
        refunded: amount(details.refunded)?,
        sent_at_ms: details.sent_at_ms,
        expires_at_ms: details.expires_at_ms,
        claims: details.claims.into_iter().map(line).collect::<Result<_, Breach>>()?,
    })
}

fn line(line: packets::ClaimLine) -> Result<ClaimLine, Breach> {
    Ok(ClaimLine {
        user: user(line.user)?,
        amount: amount(line.amount)?,
        sequence: line.sequence,
        claimed_at_ms: line.claimed_at_ms,
        best_luck: line.best_luck,
    })
}

fn said(error: types::Error) -> Said {
    match error {
        Error::Unavailable => Said::Unavailable,
        Error::Other(why) => Said::Other(why),
    }
}

//! `packets` and `allocation`, called with domain values and answered in them. What an answer says
//! of money is held against what the stores said.

use std::sync::Arc;

use wasmtime::Result;

use super::bindings::exports::hongbao::plugin::packets;
use super::bindings::hongbao::plugin::types::{self, Error};
use super::convert::{amount, names, packet_id, status, strategy, user, wit_packet_id, wit_strategy, words};
use crate::imports::witness::Witness;
use crate::imports::{Breach, Calls, Exports, InstanceState, Mandate, Said};
use hongbao_domain::{
    ClaimLine, Details, Expired, Grabbed, Opened, OpenedShare, PacketId, Request, SendError, Sent, Strategy,
    UserId,
};

impl Calls<'_> {
    pub(crate) async fn send(mut self, request: Request) -> Result<Result<Sent, SendError>> {
        let wit = wit_request(&request);
        self.begin(Mandate::Order(Box::new(request)));
        let Exports::V0_1(plugin) = self.exports;
        let sent = plugin.hongbao_plugin_packets().call_send(&mut *self.store, &wit).await?;
        let witness = &self.store.data().witness;
        match sent.map(self::sent) {
            Ok(Sent::Sent(id) | Sent::Replayed(id)) if !witness.gave(id) => {
                Err(Breach::Lie("a packet that was not sent").into())
            }
            Err(_) if witness.has_recorded() => Err(NO_REFUSAL.into()),
            Ok(sent) => Ok(Ok(sent)),
            Err(error) => Ok(Err(send_error(error, witness)?)),
        }
    }

    pub(crate) async fn grab(mut self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Grabbed>> {
        let users = Arc::new(names(users));
        self.begin(Mandate::Packet { packet, users: Arc::clone(&users) });
        let Exports::V0_1(plugin) = self.exports;
        let packets = plugin.hongbao_plugin_packets();
        let answers = packets.call_grab(&mut *self.store, wit_packet_id(packet), &users).await?;
        let state = self.store.data();
        let answers = state.check_answers(answers)?;
        Ok(answers.into_iter().enumerate().map(|answer| grabbed(answer, state)).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn open(mut self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Opened>> {
        let users = Arc::new(names(users));
        self.begin(Mandate::Packet { packet, users: Arc::clone(&users) });
        let Exports::V0_1(plugin) = self.exports;
        let packets = plugin.hongbao_plugin_packets();
        let answers = packets.call_open(&mut *self.store, wit_packet_id(packet), &users).await?;
        let state = self.store.data();
        let answers = state.check_answers(answers)?;
        Ok(answers.into_iter().enumerate().map(|answer| opened(answer, state)).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn expire(mut self, packet: PacketId) -> Result<Result<Expired, Said>> {
        self.begin(Mandate::packet(packet));
        let Exports::V0_1(plugin) = self.exports;
        let packets = plugin.hongbao_plugin_packets();
        Ok(match packets.call_expire(&mut *self.store, wit_packet_id(packet)).await? {
            Ok(expired) => Ok(self::expired(expired, self.store.data())?),
            Err(error) => Err(said(error)),
        })
    }

    pub(crate) async fn details(mut self, packet: PacketId) -> Result<Result<Option<Details>, Said>> {
        self.begin(Mandate::packet(packet));
        let Exports::V0_1(plugin) = self.exports;
        let packets = plugin.hongbao_plugin_packets();
        Ok(match packets.call_details(&mut *self.store, wit_packet_id(packet)).await? {
            Ok(found) => Ok(found.map(|found| details(found, self.store.data())).transpose()?),
            Err(error) => Err(said(error)),
        })
    }

    /// The shares in minor units, or the sentence that says why not.
    pub(crate) async fn preview(
        mut self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>> {
        self.begin(Mandate::Nothing);
        let Exports::V0_1(plugin) = self.exports;
        let allocation = plugin.hongbao_plugin_allocation();
        let drawn = allocation.call_preview(&mut *self.store, wit_strategy(strategy), total, shares).await?;
        Ok(drawn.map_err(|why| words(&why)))
    }
}

fn wit_request(request: &Request) -> packets::Request {
    packets::Request {
        key: request.key.clone(),
        room: request.room.clone(),
        sender: request.sender.as_str().to_owned(),
        strategy: request.strategy.map(wit_strategy),
        total: request.total,
        shares: request.shares,
        to: names(request.to.clone()),
        greeting: request.greeting.clone(),
        expires_in_ms: request.expires_in_ms,
    }
}

fn sent(sent: packets::Sent) -> Sent {
    match sent {
        packets::Sent::Sent(id) => Sent::Sent(packet_id(id)),
        packets::Sent::Replayed(id) => Sent::Replayed(packet_id(id)),
    }
}

fn send_error(error: packets::SendError, witness: &Witness) -> Result<SendError, Breach> {
    Ok(match error {
        packets::SendError::InvalidArgument(why) => SendError::InvalidArgument(words(&why)),
        packets::SendError::KeyReused => SendError::KeyReused,
        packets::SendError::InsufficientFunds(minor) => {
            let held = amount(minor)?;
            if !witness.has_held(held) {
                return Err(Breach::Lie("a wallet that holds something else"));
            }
            SendError::InsufficientFunds(held)
        }
        packets::SendError::Busy => SendError::Busy,
        packets::SendError::Unavailable => SendError::Unavailable,
        // A plugin that passes on what the ledger said is not to blame for it.
        packets::SendError::Other(why) => match witness.fault() {
            Some(fault) => fault.clone(),
            None => SendError::Other(words(&why)),
        },
    })
}

const NO_SHARE: Breach = Breach::Lie("a share that nobody has");
/// Money moved, and its owner was told that it did not.
const NO_REFUSAL: Breach = Breach::Lie("a refusal that was none");

fn grabbed((place, grabbed): (usize, packets::Grabbed), state: &InstanceState) -> Result<Grabbed, Breach> {
    Ok(match grabbed {
        packets::Grabbed::NotFound => Grabbed::NotFound,
        packets::Grabbed::NotEligible => Grabbed::NotEligible,
        packets::Grabbed::AlreadyOpened(minor) => {
            let amount = amount(minor)?;
            if !state.is_own_share(place, amount, None) {
                return Err(NO_SHARE);
            }
            Grabbed::AlreadyOpened(amount)
        }
        packets::Grabbed::Expired => Grabbed::Expired,
        packets::Grabbed::AlreadyGrabbed => Grabbed::AlreadyGrabbed,
        packets::Grabbed::Exhausted => Grabbed::Exhausted,
        packets::Grabbed::Admitted => Grabbed::Admitted,
        packets::Grabbed::Contended => Grabbed::Contended,
        packets::Grabbed::Busy => Grabbed::Busy,
        packets::Grabbed::Unavailable => Grabbed::Unavailable,
    })
}

fn opened((place, opened): (usize, packets::Opened), state: &InstanceState) -> Result<Opened, Breach> {
    let share = |share: packets::OpenedShare| {
        let (amount, sequence) = (amount(share.amount)?, share.sequence);
        match state.is_own_share(place, amount, Some(sequence)) {
            true => Ok(OpenedShare { amount, sequence }),
            false => Err(NO_SHARE),
        }
    };
    let is_refusal = matches!(
        opened,
        packets::Opened::NotFound
            | packets::Opened::Expired
            | packets::Opened::NotGrabbed
            | packets::Opened::Exhausted
    );
    if is_refusal && state.witness.has_claimed(place) {
        return Err(NO_REFUSAL);
    }
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

fn expired(expired: packets::Expired, state: &InstanceState) -> Result<Expired, Breach> {
    let refund = |minor: u64| match amount(minor) {
        Ok(amount) if !state.witness.has_refund(amount) => Err(Breach::Lie("a refund that was not made")),
        amount => amount,
    };
    Ok(match expired {
        packets::Expired::NotFound => Expired::NotFound,
        packets::Expired::NotDue => Expired::NotDue,
        packets::Expired::Finished => Expired::Finished,
        packets::Expired::Refunded(minor) => Expired::Refunded(refund(minor)?),
        packets::Expired::Already(minor) => Expired::Already(refund(minor)?),
        packets::Expired::Busy => Expired::Busy,
    })
}

fn details(details: packets::PacketDetails, state: &InstanceState) -> Result<Details, Breach> {
    let claims = details.claims.into_iter().map(line).collect::<Result<Vec<_>, Breach>>()?;
    let details = Details {
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
        claims,
    };
    match state.witness.is_like(&details, state.around.clock.now_ms()) {
        true => Ok(details),
        false => Err(Breach::Lie("a packet that is not like this")),
    }
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
        Error::Busy => Said::Busy,
        Error::Unavailable => Said::Unavailable,
        Error::Other(why) => Said::Other(words(&why)),
    }
}

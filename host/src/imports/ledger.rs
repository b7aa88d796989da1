//! `ledger`: the host adds the tenant, the time and the id of a new packet.

use wasmtime::Result;

use super::bindings::hongbao::plugin::ledger::{self, Host};
use super::bindings::hongbao::plugin::types::{self, Error, PacketId};
use super::convert::{
    amount, audience, packet_id, strategy, user, users, wit_audience, wit_claim, wit_error, wit_packet_id,
    wit_status, wit_strategy,
};
use super::{Breach, InstanceState};
use crate::domain::{Name, Order, Packet, Priority, Share};
use crate::store::{Claimed, Closed, Loaded, Receipt, Recorded, Refusal};

impl Host for InstanceState {
    async fn record(&mut self, order: ledger::Order) -> Result<Result<ledger::Recorded, Error>> {
        let around = self.enter()?;
        let (id, order) = (around.new_packet_id(), self::order(order)?);
        let recorded = around.ledger.record(&around.tenant, id, order, around.clock.now_ms()).await;
        Ok(recorded.map(wit_recorded).map_err(|error| wit_error(&error)))
    }

    async fn load(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<ledger::Loaded>, Error>> {
        let around = self.enter()?;
        let loaded = around.ledger.load(&around.key(packet_id(packet)), &users(names)?).await;
        Ok(loaded.map(|loaded| loaded.map(wit_loaded)).map_err(|error| wit_error(&error)))
    }

    async fn claim(
        &mut self,
        packet: PacketId,
        expected_version: u64,
        shares: Vec<ledger::Share>,
    ) -> Result<Result<ledger::Claimed, Error>> {
        let around = self.enter()?;
        let (key, now_ms) = (around.key(packet_id(packet)), around.clock.now_ms());
        let shares = shares.into_iter().map(share).collect::<Result<Vec<_>, Breach>>()?;
        let claimed = around.ledger.claim(&key, expected_version, shares, now_ms).await;
        Ok(claimed.map(wit_claimed).map_err(|error| wit_error(&error)))
    }

    async fn close(
        &mut self,
        packet: PacketId,
        expected_version: u64,
    ) -> Result<Result<ledger::Closed, Error>> {
        let around = self.enter()?;
        let (key, now_ms) = (around.key(packet_id(packet)), around.clock.now_ms());
        let closed = around.ledger.close(&key, expected_version, now_ms).await;
        Ok(closed.map(wit_closed).map_err(|error| wit_error(&error)))
    }

    async fn claims(
        &mut self,
        packet: PacketId,
        cursor: u32,
        limit: u32,
    ) -> Result<Result<Vec<types::Claim>, Error>> {
        let around = self.enter()?;
        let claims = around.ledger.claims(&around.key(packet_id(packet)), cursor, limit).await;
        let claims = claims.map(|claims| claims.into_iter().map(wit_claim).collect());
        Ok(claims.map_err(|error| wit_error(&error)))
    }

    async fn recent(&mut self, _room: String, _limit: u32) -> Result<Result<Vec<PacketId>, Error>> {
        self.enter()?;
        Ok(Err(Error::Other("not yet".into())))
    }
}

fn order(order: ledger::Order) -> Result<Order, Breach> {
    Ok(Order {
        key: Name::new(order.key).map_err(Breach::Name)?,
        room: Name::new(order.room).map_err(Breach::Name)?,
        sender: user(order.sender)?,
        strategy: strategy(order.strategy),
        total: amount(order.total)?,
        shares: order.shares,
        audience: audience(order.audience)?,
        greeting: order.greeting,
        expires_in_ms: order.expires_in_ms,
    })
}

fn share(share: ledger::Share) -> Result<Share, Breach> {
    let priority = match share.priority {
        ledger::Priority::Normal => Priority::Normal,
        ledger::Priority::Large => Priority::Large,
    };
    Ok(Share { user: user(share.user)?, amount: amount(share.amount)?, priority })
}

fn wit_receipt(receipt: Receipt) -> ledger::Receipt {
    ledger::Receipt { id: wit_packet_id(receipt.id), expires_at_ms: receipt.expires_at_ms }
}

fn wit_recorded(recorded: Recorded) -> ledger::Recorded {
    match recorded {
        Recorded::Recorded(receipt) => ledger::Recorded::Recorded(wit_receipt(receipt)),
        Recorded::Replayed(receipt) => ledger::Recorded::Replayed(wit_receipt(receipt)),
        Recorded::KeyReused => ledger::Recorded::KeyReused,
        Recorded::InsufficientFunds(held) => ledger::Recorded::InsufficientFunds(held.get()),
    }
}

fn wit_loaded(loaded: Loaded) -> ledger::Loaded {
    ledger::Loaded {
        packet: wit_packet(loaded.packet),
        claims: loaded.claims.into_iter().map(wit_claim).collect(),
    }
}

fn wit_packet(packet: Packet) -> ledger::Packet {
    let Packet { order, .. } = packet;
    ledger::Packet {
        version: packet.version,
        status: wit_status(packet.status),
        room: order.room.into_string(),
        sender: order.sender.into_string(),
        strategy: wit_strategy(order.strategy),
        total: order.total.get(),
        shares: order.shares,
        audience: wit_audience(&order.audience),
        greeting: order.greeting,
        claimed_amount: packet.claimed_amount.get(),
        claimed_shares: packet.claimed_shares,
        refunded: packet.refunded.get(),
        sent_at_ms: packet.sent_at_ms,
        expires_at_ms: packet.expires_at_ms,
    }
}

fn wit_claimed(claimed: Claimed) -> ledger::Claimed {
    match claimed {
        Claimed::Committed(first) => ledger::Claimed::Committed(first),
        Claimed::Stale(loaded) => ledger::Claimed::Stale(wit_loaded(loaded)),
        Claimed::Closed => ledger::Claimed::Closed,
        Claimed::Refused(refusal) => ledger::Claimed::Refused(wit_refusal(refusal)),
    }
}

fn wit_refusal(refusal: Refusal) -> ledger::Refusal {
    match refusal {
        Refusal::NotFound => ledger::Refusal::NotFound,
        Refusal::WrongCount => ledger::Refusal::WrongCount,
        Refusal::ZeroAmount => ledger::Refusal::ZeroAmount,
        Refusal::TooMuch => ledger::Refusal::TooMuch,
        Refusal::Remainder => ledger::Refusal::Remainder,
        Refusal::NotEligible => ledger::Refusal::NotEligible,
        Refusal::Twice => ledger::Refusal::Twice,
    }
}

fn wit_closed(closed: Closed) -> ledger::Closed {
    match closed {
        Closed::Refunded(amount) => ledger::Closed::Refunded(amount.get()),
        Closed::Already(amount) => ledger::Closed::Already(amount.get()),
        Closed::NotDue => ledger::Closed::NotDue,
        Closed::Stale => ledger::Closed::Stale,
        Closed::NotFound => ledger::Closed::NotFound,
    }
}

//! Posting the state of one packet to its room.

use std::error::Error;
use std::sync::Arc;

use super::desk::Errand;
use crate::imports::Clock;
use hongbao_domain::{Claim, Event, News, Packet, PacketEvent, PacketKey, RoomKey, Status};
use hongbao_store::{Events, Ledger, StoreError};

/// So many claims are read at once.
const PAGE: u32 = 512;

pub(super) struct Teller {
    pub ledger: Arc<dyn Ledger>,
    pub events: Arc<dyn Events>,
    pub clock: Arc<dyn Clock>,
}

type Reason = Box<dyn Error + Send + Sync>;

/// What came of it.
pub(super) enum Outcome {
    /// The room knows, or there was nothing to tell.
    Told {
        /// There is more to tell.
        is_more: bool,
    },
    /// A store is away.
    Later {
        /// Which is told in the log.
        error: Reason,
        /// Whether the packet is over, where that is known.
        is_over: Option<bool>,
    },
    /// To try again would not help.
    Never(Reason),
}

impl Outcome {
    fn of(error: StoreError, is_over: Option<bool>) -> Self {
        match error {
            StoreError::Unavailable(error) => Self::Later { error, is_over },
            StoreError::Overloaded(why) => Self::Later { error: why.into(), is_over },
            error => Self::Never(error.into()),
        }
    }
}

impl Teller {
    /// Tells the packet's room how it stands.
    pub(super) async fn tell(&self, key: &PacketKey, errand: Errand) -> Outcome {
        let packet = match self.ledger.load(key, &[]).await {
            Ok(Some(loaded)) => loaded.packet,
            // A record that was in doubt was not made.
            Ok(None) => return Outcome::Told { is_more: false },
            Err(error) => return Outcome::of(error, None),
        };
        let is_over = packet.status != Status::Open;
        match self.post(key, &packet, errand).await {
            // The room has heard of the packet as it was sent; how it stands now is next.
            Ok(()) => Outcome::Told { is_more: errand.is_new && packet.version > SENT },
            Err(error) => Outcome::of(error, Some(is_over)),
        }
    }

    async fn post(&self, key: &PacketKey, packet: &Packet, errand: Errand) -> Result<(), StoreError> {
        let news = match packet.status {
            _ if errand.is_new => News::Sent { expires_at_ms: packet.expires_at_ms },
            Status::Finished => self.finished(key, packet).await?,
            Status::Expired => News::Expired { refunded: packet.refunded },
            // A claim that was in doubt was not made.
            Status::Open if packet.version <= SENT => return Ok(()),
            Status::Open => News::Progress,
        };
        let is_sent = matches!(news, News::Sent { .. });
        let event = Event::Packet(PacketEvent {
            packet: key.packet,
            version: if is_sent { SENT } else { packet.version },
            sender: packet.order.sender.clone(),
            shares: packet.order.shares,
            claimed_shares: if is_sent { 0 } else { packet.claimed_shares },
            news,
        });
        let room = RoomKey { tenant: key.tenant.clone(), room: packet.order.room.clone() };
        self.events.post(&room, event, self.clock.now_ms()).await.map(drop)
    }

    /// Who was luckiest, and how long it took.
    async fn finished(&self, key: &PacketKey, packet: &Packet) -> Result<News, StoreError> {
        let mut best: Option<Claim> = None;
        let (mut cursor, mut last_ms) = (0, packet.sent_at_ms);
        loop {
            let page = self.ledger.claims(key, cursor, PAGE).await?;
            let Some(last) = page.last() else { break };
            (cursor, last_ms) = (last.sequence, last.claimed_at_ms);
            for claim in page {
                // Of equal ones the first stays.
                if best.as_ref().is_none_or(|best| claim.amount > best.amount) {
                    best = Some(claim);
                }
            }
            if cursor >= packet.claimed_shares {
                break;
            }
        }
        let nobody = || StoreError::Corrupt(format!("packet {} is finished without claims", key.packet));
        let Claim { user: best, amount: best_amount, .. } = best.ok_or_else(nobody)?;
        let took_ms = last_ms.saturating_sub(packet.sent_at_ms);
        Ok(News::Finished { total: packet.order.total, best, best_amount, took_ms })
    }
}

/// A packet's version when it was sent.
const SENT: u64 = 1;

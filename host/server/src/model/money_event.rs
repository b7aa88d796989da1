//! Events of money, as the pages and the stream of a tenant carry them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::output::json;
use hongbao_domain::{MoneyEvent, MoneyEventId, MoneyEventKind, Terms};

/// What happened to money. It is in the ledger before it is told, and is told in the same way for ever.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MoneyEvent, title = "MoneyEvent")]
pub struct MoneyEventView {
    /// Its place: `after` of what comes next. Opaque, at most 80 characters.
    #[schema(max_length = 80)]
    id: String,
    /// What happened: `wallet.funded`, `packet.sent`, `share.claimed`, `share.settled`, `packet.refunded`,
    /// `withdrawal.held`, `withdrawal.completed` or `withdrawal.cancelled`. There may be others later.
    #[schema(example = "share.claimed")]
    kind: &'static str,
    at_ms: u64,
    /// Whose wallet it is about: of `packet.sent` and `packet.refunded` the sender's.
    user: String,
    /// In minor units: of `packet.sent` the whole packet, of `packet.refunded` what was left of it.
    amount: u64,
    /// Of a packet and its shares: which packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<String>,
    /// Of a withdrawal: which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal: Option<String>,
    /// Of `share.claimed`: the claim's number in its packet, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    /// Of `packet.sent`: where.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    /// Of `packet.sent`: in how many shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<u32>,
    /// Of `packet.sent`: when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
    /// Of `packet.sent`: plain text, never markup; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
}

impl From<MoneyEvent> for MoneyEventView {
    fn from(event: MoneyEvent) -> Self {
        let MoneyEvent { id, at_ms, what } = event;
        let sequence = match &what {
            MoneyEventKind::Claimed { sequence, .. } => Some(*sequence),
            _ => None,
        };
        let mut view = Self {
            id: id.to_string(),
            kind: what.name(),
            at_ms,
            user: what.user().as_str().to_owned(),
            amount: what.amount().get(),
            packet: what.packet().map(|packet| packet.to_string()),
            withdrawal: what.withdrawal().map(|withdrawal| withdrawal.to_string()),
            sequence,
            room: None,
            shares: None,
            expires_at_ms: None,
            greeting: None,
        };
        if let MoneyEventKind::Sent { terms, .. } = what {
            let Terms { room, shares, expires_at_ms, greeting } = terms;
            (view.room, view.greeting) = (Some(room.into_string()), Some(greeting));
            (view.shares, view.expires_at_ms) = (Some(shares), Some(expires_at_ms));
        }
        view
    }
}

/// The `data` of an event of a tenant's stream; its name is in the field `event`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum TenantEvent {
    /// Named as its `kind`.
    Money(MoneyEventView),
    /// `gap`: the ledger does not know the last event that was told. The stream ends with it.
    #[schema(title = "MoneyGap")]
    Gap {
        /// The last event that was told.
        #[schema(max_length = 80)]
        after: String,
    },
}

impl TenantEvent {
    pub(crate) fn gap(after: MoneyEventId) -> Self {
        Self::Gap { after: after.to_string() }
    }

    /// As it stands behind `data:`. JSON has no line feeds in it, so it is one line.
    pub(crate) fn data(&self) -> String {
        String::from_utf8(json(self)).unwrap_or_default()
    }
}

/// A part of a tenant's events, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MoneyEventPage {
    /// In the order in which they happened.
    pub(crate) items: Vec<MoneyEventView>,
    /// `after` of the next page, now or whenever there is one: the last event that was looked at, whether or not its
    /// kind was asked for. Absent as long as there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 80)]
    pub(crate) next: Option<String>,
    /// Whether there may be more already.
    pub(crate) more: bool,
}

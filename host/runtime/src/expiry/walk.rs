//! Pagination over due packets: a part of the backlog at a time, and everything that became due since.

use hongbao_domain::{PacketId, PacketKey, TenantId};
use hongbao_store::{Due, PacketLists, StoreError};

/// Packets of one question to the ledger.
const PAGE: u32 = 1000;
/// Questions of one stretch: the next one goes on from there.
const PAGES: u32 = 8;

/// How far the walk is.
pub(super) struct Walk {
    /// In the backlog; None at its beginning.
    backlog: Option<Due>,
    /// After what was new the last time.
    new: Due,
}

impl Walk {
    /// What is due already is the backlog, what will be is new.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { backlog: None, new: before(now_ms) }
    }

    /// Goes on for a stretch, and tells of each packet; gives whether that was all there is. However long
    /// the backlog is, of packets that cannot be refunded, what has come due since the last stretch is told
    /// of in this one.
    pub(super) async fn go(
        &mut self,
        ledger: &dyn PacketLists,
        now_ms: u64,
        mut tell: impl FnMut(Due),
    ) -> Result<bool, StoreError> {
        let from_the_beginning = self.backlog.is_none();
        self.backlog = stretch(ledger, now_ms, self.backlog.take(), &mut tell).await?;
        let was_all = from_the_beginning && self.backlog.is_none();
        let rest = match was_all {
            true => None,
            false => stretch(ledger, now_ms, Some(self.new.clone()), &mut tell).await?,
        };
        self.new = rest.unwrap_or_else(|| before(now_ms));
        Ok(was_all)
    }
}

/// Tells of what is due after a packet; gives the last one if there may be more.
async fn stretch(
    ledger: &dyn PacketLists,
    now_ms: u64,
    mut after: Option<Due>,
    tell: &mut impl FnMut(Due),
) -> Result<Option<Due>, StoreError> {
    for _ in 0..PAGES {
        let due = ledger.due(None, now_ms, after, PAGE).await?;
        let is_last = due.len() < PAGE as usize;
        after = due.last().cloned();
        due.into_iter().for_each(&mut *tell);
        if is_last {
            return Ok(None);
        }
    }
    Ok(after)
}

/// A place before all that come due at this time.
fn before(now_ms: u64) -> Due {
    let key = PacketKey { tenant: TenantId::default(), packet: PacketId::from_bytes([0; 16]) };
    Due { expires_at_ms: now_ms.saturating_sub(1), key }
}

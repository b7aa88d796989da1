//! A clock that is moved by hand.

use hongbao_runtime::imports::{Clock as _, ManualClock};

/// The end of the year 9999: past it, stores and calendars disagree about what time is.
const LAST_MS: u64 = 253_402_300_799_999;

/// Moves a clock, or says why not.
pub(super) fn advance(clock: &ManualClock, ms: u64) -> Result<(), &'static str> {
    if ms > LAST_MS.saturating_sub(clock.now_ms()) {
        return Err("the clock would leave the year 9999");
    }
    clock.advance(ms);
    Ok(())
}

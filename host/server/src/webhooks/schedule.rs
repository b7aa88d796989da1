//! When a message that was not taken is sent again.

use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// That of Standard Webhooks: with the first, ten times within some three days.
const RETRIES_MS: [u64; 9] =
    [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// Longest time that a receiver may ask for.
const MOST_PAUSE_MS: u64 = HOUR;

/// Times between one attempt and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule(pub(super) Vec<u64>);

impl Default for Schedule {
    fn default() -> Self {
        Self(RETRIES_MS.into())
    }
}

impl Schedule {
    /// When an event is sent again that was sent so often; None where it is not any more. Up to a fifth later than the
    /// schedule says, and not the same for all events, so that what failed together does not come together.
    pub(super) fn next(&self, event: &str, attempts: u32, now_ms: u64) -> Option<u64> {
        let delay_ms = *self.0.get(attempts.checked_sub(1)? as usize)?;
        let hash: [u8; 32] =
            Sha256::new().chain_update(event).chain_update(attempts.to_be_bytes()).finalize().into();
        let part = u64::from(u16::from_be_bytes([hash[0], hash[1]]));
        let jitter_ms = (u128::from(delay_ms) * u128::from(part) / (5 * 0x1_0000)) as u64;
        Some(now_ms.saturating_add(delay_ms).saturating_add(jitter_ms))
    }
}

/// What a header `Retry-After` asks for, a number of seconds or a date: at least a second, and an hour at most.
pub(super) fn retry_after_ms(header: &str, now_ms: u64) -> Option<u64> {
    let header = header.trim();
    let asked_ms = match header.parse::<u64>() {
        Ok(seconds) => seconds.saturating_mul(SECOND),
        Err(_) => {
            let date = httpdate::parse_http_date(header).ok()?;
            let now = UNIX_EPOCH + Duration::from_millis(now_ms);
            date.duration_since(now).map_or(0, |wait| wait.as_millis() as u64)
        }
    };
    Some(asked_ms.clamp(SECOND, MOST_PAUSE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_go_on_for_three_days_and_end() {
        let schedule = Schedule::default();
        for (attempts, delay_ms) in (1..).zip(RETRIES_MS) {
            for event in ["a", "b", "c"] {
                let next = schedule.next(event, attempts, 1000).unwrap() - 1000;
                assert!((delay_ms..delay_ms + delay_ms / 5).contains(&next), "{attempts}: {next}");
            }
        }
        assert_eq!(schedule.next("a", 10, 0), None);
        assert_eq!(schedule.next("a", 0, 0), None);
        assert_ne!(schedule.next("a", 5, 0), schedule.next("b", 5, 0));
        assert_eq!(RETRIES_MS.iter().sum::<u64>(), 75 * HOUR + 35 * MINUTE + 5 * SECOND);
    }

    #[test]
    fn what_a_receiver_asks_for_is_bounded() {
        let now_ms = 784_111_777_000;
        for (header, wait) in [
            ("0", Some(SECOND)),
            ("120", Some(2 * MINUTE)),
            (" 7 ", Some(7 * SECOND)),
            ("99999999999999999999", None),
            ("999999999999999999", Some(HOUR)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(MINUTE)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(SECOND)),
            ("Sun, 06 Nov 2094 08:00:00 GMT", None),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(HOUR)),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after_ms(header, now_ms), wait, "{header:?}");
        }
    }
}

//! The body of a message, from an event.

use serde::Serialize;

use crate::model::money_event::MoneyEventView;
use hongbao_domain::{MoneyEvent, TenantId, WebhookId};

/// What is sent in place of an event, to try an endpoint out.
pub(super) const TEST: &str = "webhook.test";

/// As Standard Webhooks wants it.
#[derive(Serialize)]
struct Body<'b, D> {
    #[serde(rename = "type")]
    kind: &'b str,
    timestamp: String,
    tenant: &'b str,
    data: D,
}

#[derive(Serialize)]
struct Tested {
    webhook: String,
}

/// Of an event, which is told as the pages and the stream of a tenant tell it.
pub(super) fn body(tenant: &TenantId, event: &MoneyEvent) -> Vec<u8> {
    let (kind, timestamp) = (event.what.name(), iso(event.at_ms));
    let data = MoneyEventView::from(event.clone());
    crate::output::json(&Body { kind, timestamp, tenant: tenant.as_str(), data })
}

/// To try an endpoint out.
pub(super) fn test(tenant: &TenantId, webhook: WebhookId, now_ms: u64) -> Vec<u8> {
    let data = Tested { webhook: webhook.to_string() };
    crate::output::json(&Body { kind: TEST, timestamp: iso(now_ms), tenant: tenant.as_str(), data })
}

/// A time as RFC 3339 writes it, in milliseconds of UTC.
fn iso(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // Days to a date by eras of 400 years that begin in March (Howard Hinnant's `civil_from_days`).
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted_month + 2) / 5 + 1, (shifted_month + 2) % 12 + 1);
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::decode;
    use hongbao_domain::{Amount, Moved, MovementKind, Name, PacketId, Terms, UserId};

    #[test]
    fn times_are_written_as_others_read_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso(ms), text);
        }
    }

    #[test]
    fn a_body_tells_what_happened() {
        let moved = Moved {
            place: 1,
            id: 2,
            at_ms: 1_700_000_000_000,
            kind: MovementKind::Send,
            packet: Some(PacketId::from_bytes([1; 16])),
            withdrawal: None,
            user: UserId::new("alice").unwrap(),
            amount: Amount::new(500).unwrap(),
            terms: Some(Terms {
                room: Name::new("family").unwrap(),
                shares: 3,
                expires_at_ms: 1_700_086_400_000,
                greeting: "新年快乐".into(),
            }),
        };
        let event = MoneyEvent::moved(moved).unwrap();
        let tenant = TenantId::new("acme").unwrap();
        let told: serde_json::Value = decode::json(&body(&tenant, &event)).unwrap();
        let expected = serde_json::json!({
            "type": "packet.sent",
            "timestamp": "2023-11-14T22:13:20.000Z",
            "tenant": "acme",
            "data": {
                "id": event.id.to_string(), "kind": "packet.sent", "at_ms": 1_700_000_000_000_u64, "amount": 500,
                "user": "alice", "packet": "01010101-0101-0101-0101-010101010101", "room": "family", "shares": 3,
                "expires_at_ms": 1_700_086_400_000_u64, "greeting": "新年快乐",
            },
        });
        assert_eq!(told, expected);
    }
}

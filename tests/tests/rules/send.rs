//! Send: what a packet may be, and what is kept of it.

use hongbao_host::domain::{Request, SendError, Strategy};
use hongbao_tests::chat::{request, user};

use crate::stage::{DAY_MS, FUNDED, both, chat, equal, funded, lasting, only, sent, take, users};

const MAX: u64 = i64::MAX as u64;

/// Sends requests that must be refused, on either ledger: nothing moves, and the chat goes on. Gives what was
/// said of each.
async fn refuse_all(requests: &[Request]) -> Vec<String> {
    let (_directory, chats) = both();
    let mut said = Vec::new();
    for chat in chats {
        let chat = funded(chat).await;
        let before = chat.tenant.audit().await.unwrap();
        said.clear();
        for request in requests {
            match chat.try_send(request.clone()).await {
                Err(SendError::InvalidArgument(why)) => said.push(why),
                other => panic!("{request:?}: {other:?}"),
            }
        }
        assert!(said.iter().all(|why| why.len() > 10 && !why.contains('\n')), "{said:#?}");
        assert_eq!(chat.tenant.audit().await.unwrap(), before);
        assert_eq!(chat.balance("alice").await, FUNDED);
        let packet = sent(&chat, equal(100, 1)).await;
        take(&chat, packet, "bob").await;
        chat.assert_conserved().await;
    }
    said
}

/// Whether each sentence names what is wrong.
#[track_caller]
fn name(said: &[String], what: &str) {
    assert!(said.iter().all(|said| said.contains(what)), "{what}: {said:#?}");
}

#[tokio::test]
async fn everything_that_is_said_of_a_packet_is_kept() {
    let chat = chat().await;
    let wanted = Request {
        room: "r1".into(),
        strategy: Some(Strategy::LINE_CUT),
        greeting: "恭喜发财 🧧".into(),
        ..only(lasting(request(40, 2), 5_000), &["bob", "卡罗尔"])
    };
    let packet = sent(&chat, wanted).await;
    let shown = chat.details(packet).await.packet;
    let order = &shown.order;
    assert_eq!((&order.strategy, order.greeting.as_str()), (&Strategy::LINE_CUT, "恭喜发财 🧧"));
    assert_eq!((order.room.as_str(), order.sender.as_str()), ("r1", "alice"));
    assert_eq!((order.total.get(), order.shares), (40, 2));
    assert_eq!(shown.expires_at_ms - shown.sent_at_ms, 5_000);
    take(&chat, packet, "卡罗尔").await;
    chat.assert_conserved().await;
}

#[tokio::test]
async fn what_is_left_out_takes_the_defaults() {
    let chat = chat().await;
    let packet = sent(&chat, Request { greeting: String::new(), ..request(40, 2) }).await;
    let shown = chat.details(packet).await.packet;
    assert_eq!((&shown.order.strategy, shown.order.greeting.as_str()), (&Strategy::DOUBLE_AVERAGE, ""));
    assert_eq!(shown.expires_at_ms - shown.sent_at_ms, DAY_MS);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_total_has_at_least_one_unit_and_at_most_the_largest_share_for_each() {
    let totals = [0, 9, 200_001, MAX, MAX + 1, u64::MAX];
    name(&refuse_all(&totals.map(|total| request(total, 10))).await, "total");
    let chat = chat().await;
    let (least, most) = (sent(&chat, request(10, 10)).await, sent(&chat, request(200_000, 10)).await);
    for number in 0..10 {
        assert_eq!(take(&chat, least, &number.to_string()).await, 1);
        assert_eq!(take(&chat, most, &number.to_string()).await, 20_000);
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_has_one_share_to_a_hundred() {
    name(&refuse_all(&[0, 101, u32::MAX].map(|shares| request(1_000, shares))).await, "shares");
    let chat = chat().await;
    for shares in [1, 100] {
        sent(&chat, request(1_000, shares)).await;
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_total_that_cannot_be_divided_equally_is_refused() {
    let said = refuse_all(&[equal(100, 18), equal(101, 100), equal(99, 100)]).await;
    assert!(said[0].contains("equal"), "{said:?}");
}

#[tokio::test]
async fn a_strategy_that_the_plugin_does_not_have_is_refused() {
    let nobodys = Strategy::new("nobodys").unwrap();
    name(&refuse_all(&[Request { strategy: Some(nobodys), ..request(100, 10) }]).await, "nobodys");
}

#[tokio::test]
async fn a_greeting_has_at_most_two_hundred_characters_and_no_control() {
    let greetings = ["x".repeat(201), "恭".repeat(201), "a\nb".into(), "a\u{7}b".into(), "\0".into()];
    let greeted = |greeting: String| Request { greeting, ..request(100, 10) };
    name(&refuse_all(&greetings.map(greeted)).await, "greeting");
    let chat = chat().await;
    let packet = sent(&chat, greeted("恭".repeat(200))).await;
    assert_eq!(chat.details(packet).await.packet.order.greeting, "恭".repeat(200));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn rooms_and_keys_have_the_rules_of_names() {
    let names = [String::new(), "x".repeat(257), "a\u{7}b".into()];
    let rooms = names.clone().map(|room| Request { room, ..request(100, 10) });
    name(&refuse_all(&rooms).await, "room");
    let keys = names.map(|key| Request { key, ..request(100, 10) });
    name(&refuse_all(&keys).await, "key");
}

#[tokio::test]
async fn the_longest_name_is_a_name() {
    let chat = chat().await;
    // Four bytes each: 64 of them are 256.
    let (long, wide) = ("x".repeat(256), "🧧".repeat(64));
    let packet = sent(&chat, only(equal(200, 2), &[&long, &wide])).await;
    assert_eq!((take(&chat, packet, &long).await, take(&chat, packet, &wide).await), (100, 100));
    let request = Request { room: long.clone(), key: wide, ..request(100, 1) };
    let packet = sent(&chat, request).await;
    assert_eq!(chat.details(packet).await.packet.order.room.as_str(), long);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_lives_for_a_moment_to_a_month() {
    let lives = [0, 30 * DAY_MS + 1, u64::MAX];
    name(&refuse_all(&lives.map(|ms| lasting(request(100, 10), ms))).await, "expires_in_ms");
    let chat = chat().await;
    for life in [1, 30 * DAY_MS] {
        let packet = sent(&chat, lasting(request(100, 10), life)).await;
        let shown = chat.details(packet).await.packet;
        assert_eq!(shown.expires_at_ms - shown.sent_at_ms, life);
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn an_exclusive_packet_that_cannot_be_claimed_whole_is_refused() {
    let many = (0..101).map(|number| user(&format!("user-{number}"))).collect();
    let named = [users(&["bob"]), users(&["bob", "bob"]), users(&["bob", "carol", "bob"]), many];
    name(&refuse_all(&named.map(|to| Request { to, ..request(100, 2) })).await, "to");
}

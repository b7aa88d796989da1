//! Shares: how a total is divided.

use hongbao_host::domain::{Grabbed, Request, Strategy};
use hongbao_host::runtime::Tenant;
use hongbao_tests::chat::{Chat, request};

use crate::stage::{both, chat, equal, funded, people, sent, take};

const LUCKY: [Strategy; 3] = [Strategy::DOUBLE_AVERAGE, Strategy::WECHAT_OBSERVED, Strategy::LINE_CUT];

/// The shares of an imaginary packet.
async fn drawn(tenant: &Tenant, strategy: &Strategy, total: u64, shares: u32) -> Vec<u64> {
    tenant.preview(strategy.clone(), total, shares).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_equal_packet_gives_everybody_the_same() {
    let chat = chat().await;
    let packet = sent(&chat, equal(1_800, 18)).await;
    for name in people(18) {
        assert_eq!(take(&chat, packet, &name).await, 100);
    }
    assert_eq!(chat.details(packet).await.packet.order.strategy, Strategy::EQUAL);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn lucky_shares_add_up_to_the_total_under_every_strategy() {
    for strategy in LUCKY {
        let chat = chat().await;
        let packet = sent(&chat, Request { strategy: Some(strategy.clone()), ..request(60, 15) }).await;
        let mut amounts = Vec::new();
        for name in people(15) {
            amounts.push(take(&chat, packet, &name).await);
        }
        assert_eq!(amounts.iter().sum::<u64>(), 60, "{strategy}: {amounts:?}");
        assert!(amounts.iter().all(|amount| *amount >= 1), "{strategy}: {amounts:?}");
        assert_eq!(chat.grab(packet, "late").await, Grabbed::Exhausted);
        chat.assert_conserved().await;
    }
}

#[tokio::test]
async fn an_imaginary_packet_gives_away_its_total_and_leaves_one_unit_for_each() {
    let chat = Chat::default();
    for strategy in Strategy::EMBEDDED {
        for _ in 0..500 {
            let shares = drawn(&chat.tenant, &strategy, 1_000, 10).await;
            assert_eq!((shares.len(), shares.iter().sum()), (10, 1_000_u64), "{strategy}: {shares:?}");
            // Whoever draws leaves at least one unit for each of the nine others.
            assert!(shares.iter().all(|share| (1..=991).contains(share)), "{strategy}: {shares:?}");
        }
    }
}

#[tokio::test]
async fn a_single_share_takes_all() {
    let chat = Chat::default();
    for _ in 0..10 {
        assert_eq!(drawn(&chat.tenant, &Strategy::DOUBLE_AVERAGE, 20_000, 1).await, [20_000]);
    }
}

#[tokio::test]
async fn one_unit_for_each_share_leaves_no_choice() {
    let chat = Chat::default();
    for strategy in LUCKY {
        for _ in 0..5 {
            assert_eq!(drawn(&chat.tenant, &strategy, 100, 100).await, [1; 100], "{strategy}");
        }
    }
}

#[tokio::test]
async fn what_could_not_be_sent_is_not_drawn_either() {
    let cannot = [
        (Strategy::DOUBLE_AVERAGE, 0, 1),
        (Strategy::DOUBLE_AVERAGE, 9, 10),
        (Strategy::DOUBLE_AVERAGE, 200_001, 10),
        (Strategy::DOUBLE_AVERAGE, u64::MAX, 100),
        (Strategy::LINE_CUT, i64::MAX as u64, 100),
        (Strategy::WECHAT_OBSERVED, 10, 0),
        (Strategy::WECHAT_OBSERVED, 1_000, 101),
        (Strategy::LINE_CUT, 1_000, u32::MAX),
        (Strategy::EQUAL, 100, 18),
    ];
    let chat = Chat::default();
    for (strategy, total, shares) in cannot {
        let why = chat.tenant.preview(strategy.clone(), total, shares).await.unwrap().unwrap_err();
        assert!(why.len() > 10 && !why.contains('\n'), "{strategy} {total} {shares}: {why:?}");
    }
}

#[tokio::test]
async fn the_same_seed_draws_the_same_on_either_ledger() {
    let (_directory, chats) = both();
    let mut drawn = Vec::new();
    for chat in chats {
        let chat = funded(chat).await;
        let packet = sent(&chat, request(20_000, 20)).await;
        let mut amounts = Vec::new();
        for name in people(20) {
            amounts.push(take(&chat, packet, &name).await);
        }
        drawn.push(amounts);
    }
    assert_eq!(drawn[0], drawn[1]);
    let mut sorted = drawn[0].clone();
    sorted.dedup();
    assert!(sorted.len() > 1, "they are drawn: {sorted:?}");
}

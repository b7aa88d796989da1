//! Guests that tell of money that was not there.

use hongbao_host::domain::{Grabbed, Opened, PacketKey, Policy, Request, Sent};
use hongbao_tests::chat::{plugin, request, user};

use crate::stage::{Stage, bob};

const NO_SHARE: &str = "the plugin told of a share that nobody has";

#[tokio::test]
async fn nobody_is_told_of_a_share_that_they_do_not_have() {
    let stage = Stage::new("false_shares").await;
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, NO_SHARE).await;
    for name in ["opened", "already"] {
        let answer = stage.evil.open(stage.packet, user(name)).await;
        stage.assert_stopped(answer, NO_SHARE).await;
    }
}

#[tokio::test]
async fn a_share_is_told_as_it_is() {
    let stage = Stage::new("richer_shares").await;
    for name in ["amount", "place"] {
        assert!(stage.evil.grab(stage.packet, user(name)).await.unwrap().may_open());
        let answer = stage.evil.open(stage.packet, user(name)).await;
        let said = format!("the plugin failed: {NO_SHARE}");
        assert_eq!(answer.unwrap_err().to_string(), said);
    }
    // The share itself is as good as any: whoever asks again is told of it.
    stage.evil.upgrade(plugin()).await.unwrap();
    for name in ["amount", "place"] {
        let again = stage.evil.open(stage.packet, user(name)).await.unwrap();
        let Opened::AlreadyOpened(share) = again else { panic!("{again:?}") };
        stage.chat.settle_all().await;
        assert_eq!(stage.balance(name).await, share.amount.get());
    }
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_is_sent_only_if_the_ledger_says_so() {
    let stage = Stage::new("false_receipts").await;
    for greeting in ["sent", "replayed"] {
        let request = Request { greeting: greeting.into(), ..request(100, 10) };
        let answer = stage.evil.send(request).await;
        stage.assert_stopped(answer, "the plugin told of a packet that was not sent").await;
    }
}

#[tokio::test]
async fn a_packet_is_told_as_it_is() {
    for greeting in ["total", "refund", "shares"] {
        let stage = Stage::greeting("false_details", greeting).await;
        let answer = stage.evil.details(stage.packet).await;
        stage.assert_stopped(answer, "the plugin told of a packet that is not like this").await;
    }
    for greeting in ["claim", "claimant"] {
        let stage = Stage::greeting("false_details", greeting).await;
        assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
        assert!(matches!(stage.evil.open(stage.packet, user("bob")).await.unwrap(), Opened::Opened(_)));
        let error = stage.evil.details(stage.packet).await.unwrap_err();
        let said = "the plugin failed: the plugin told of a packet that is not like this";
        assert_eq!(error.to_string(), said);
        stage.assert_others_go_on().await;
        stage.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_packet_is_told_as_whose_it_is() {
    for greeting in ["sender", "room", "life", "state", "greeting"] {
        let stage = Stage::greeting("false_origins", greeting).await;
        let answer = stage.evil.details(stage.packet).await;
        stage.assert_stopped(answer, "the plugin told of a packet that is not like this").await;
    }
}

#[tokio::test]
async fn nobody_is_told_that_nothing_was_done_when_something_was() {
    let stage = Stage::new("false_refusals").await;
    let refusal = "the plugin failed: the plugin told of a refusal that was none";
    let request = request(100, 10);
    assert_eq!(stage.evil.send(request.clone()).await.unwrap_err().to_string(), refusal);
    assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
    assert_eq!(stage.evil.open(stage.packet, user("bob")).await.unwrap_err().to_string(), refusal);
    // What was done stands, and whoever asks again is told of it.
    stage.evil.upgrade(plugin()).await.unwrap();
    assert!(matches!(stage.evil.send(request).await.unwrap(), Ok(Sent::Replayed(_))));
    let again = stage.evil.open(stage.packet, user("bob")).await.unwrap();
    assert!(matches!(again, Opened::AlreadyOpened(_)), "{again:?}");
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_wallet_is_no_emptier_than_the_ledger_says() {
    let stage = Stage::new("false_refusals").await;
    let poor = Request { greeting: "poor".into(), ..request(100, 10) };
    let answer = stage.evil.send(poor).await;
    stage.assert_stopped(answer, "the plugin told of a wallet that holds something else").await;
}

#[tokio::test]
async fn everybody_gets_one_answer() {
    let stage = Stage::new("wrong_counts").await;
    for (name, given) in [("few", 0), ("many", 2)] {
        let why = format!("the plugin gave {given} answers to 1 users");
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.open(stage.packet, user(name)).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.action(stage.packet, name.into(), bob()).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.grab_batch(stage.packet, vec![user(name)]).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.open_batch(stage.packet, vec![user(name)]).await;
        stage.assert_stopped(answer, &why).await;
    }
}

#[tokio::test]
async fn the_cache_learns_of_no_share_that_nobody_has() {
    let stage = Stage::new("poisoned_counter").await;
    for name in ["confirm", "open"] {
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_stopped(answer, NO_SHARE).await;
    }
    // The packet's counter is as it was.
    stage.evil.upgrade(plugin()).await.unwrap();
    assert!(stage.evil.reconcile(false).await.unwrap().is_clean());
    for name in ["confirm", "open"] {
        assert!(stage.evil.grab(stage.packet, user(name)).await.unwrap().may_open());
    }
}

#[tokio::test]
async fn the_cache_keeps_no_counter_for_ever() {
    let stage = Stage::new("poisoned_counter").await;
    stage.chat.host.lose_cache().await.unwrap();
    assert_eq!(stage.evil.grab(stage.packet, user("for-ever")).await.unwrap(), Grabbed::Admitted);
    let key = PacketKey { tenant: stage.evil.id().clone(), packet: stage.packet };
    let longest_ms = Policy::default().max_expires_in_ms + 60 * 60 * 1000;
    let (counter, clock) = (&stage.chat.counter, &stage.chat.clock);
    clock.advance(longest_ms - 1);
    assert!(counter.state(&key, stage.evil.now_ms()).await.unwrap().is_some());
    clock.advance(1);
    assert_eq!(counter.state(&key, stage.evil.now_ms()).await.unwrap(), None);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn sending_again_is_told_as_sending_again() {
    let stage = Stage::new("false_shares").await;
    let request = request(100, 10);
    let Ok(Sent::Sent(first)) = stage.evil.send(request.clone()).await.unwrap() else { panic!() };
    assert_eq!(stage.evil.send(request).await.unwrap().unwrap(), Sent::Replayed(first));
}

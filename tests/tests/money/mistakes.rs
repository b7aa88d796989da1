//! Mistakes that others made with red packets. Each is a test here.

use std::sync::Arc;

use futures::future::join_all;
use hongbao_host::domain::{
    Grabbed, Opened, PacketId, PacketKey, Policy, Request, SendError, Sent, Strategy, TenantId,
};
use hongbao_host::imports::ManualClock;
use hongbao_host::runtime::{Host, Tenant};
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::sqlite::SqliteLedger;
use hongbao_tests::chat::{Chat, alone, amount, everything, request, user};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn reason(refused: Result<Sent, SendError>) -> String {
    match refused {
        Err(SendError::InvalidArgument(why)) => why,
        other => panic!("refused as invalid, but: {other:?}"),
    }
}

/// Rounding gave the last of 18 people -0.02.
#[tokio::test]
async fn one_yuan_is_not_split_equally_in_eighteen() {
    let chat = Chat::default();
    chat.tenant.fund(&user("alice"), amount(100)).await.unwrap();
    let equal = Request { strategy: Some(Strategy::EQUAL), ..request(100, 18) };
    assert_eq!(
        reason(chat.try_send(equal).await),
        "a total of ¥1.00 cannot be divided equally into 18 shares"
    );
    assert_eq!(chat.balance("alice").await, 100);
    let packet = match chat.try_send(request(100, 18)).await {
        Ok(Sent::Sent(packet)) => packet,
        other => panic!("{other:?}"),
    };
    let mut sum = 0;
    for number in 0..18 {
        let share = chat.take(packet, &format!("user-{number}")).await;
        assert!(share.amount.get() >= 1);
        sum += share.amount.get();
    }
    assert_eq!(sum, 100);
}

/// A packet's balance was inherited by the next packet with the same key.
#[tokio::test]
async fn a_packet_inherits_nothing_from_an_expired_one() {
    let chat = Chat::default();
    let first = request(1_000, 2);
    let packet = chat.send(first.clone()).await;
    let taken = chat.take(packet, "bob").await.amount.get();
    chat.clock.advance(DAY_MS);
    assert_eq!(chat.tenant.expire_due().await.unwrap().refunded, [(key(packet), amount(1_000 - taken))]);
    assert_eq!(chat.try_send(first.clone()).await, Ok(Sent::Replayed(packet)));
    let other = Request { total: 900, ..first };
    assert_eq!(chat.try_send(other).await, Err(SendError::KeyReused));
    let next = chat.lucky(500, 2).await;
    let packet = chat.details(next).await.packet;
    assert_eq!((packet.order.total.get(), packet.claimed_shares, packet.refunded.get()), (500, 0, 0));
    chat.assert_conserved().await;
}

/// Two runs of a refund job refunded twice, because affected rows were not checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_of_the_refund_job_refund_once() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Arc::new(SqliteLedger::open(directory.path()).unwrap());
    let chat = Chat::new(Arc::new(MemoryCounter::new()), ledger, Policy::default());
    let packet = chat.lucky(1_000, 10).await;
    let taken = chat.take(packet, "bob").await.amount.get();
    chat.clock.advance(DAY_MS);
    let jobs = (0..16).map(|_| {
        let tenant = chat.neighbour();
        tokio::spawn(async move { tenant.expire_due().await.unwrap().refunded })
    });
    let refunds: Vec<_> = join_all(jobs).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(refunds, [(key(packet), amount(1_000 - taken))]);
    assert_eq!(chat.balance("alice").await, 1_000 - taken);
    chat.assert_conserved().await;
}

/// The cache committed, the process died before the queue, and the claim was lost.
#[tokio::test]
async fn a_claim_outlives_the_process_that_made_it() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Arc::new(SqliteLedger::open(directory.path()).unwrap());
    let (packet, share) = {
        let chat = Chat::new(Arc::new(MemoryCounter::new()), open(), Policy::default());
        let packet = chat.lucky(1_000, 3).await;
        (packet, chat.take(packet, "bob").await)
    };
    let chat = Chat::new(Arc::new(MemoryCounter::new()), open(), Policy::default());
    assert_eq!(chat.open(packet, "bob").await, Opened::AlreadyOpened(share));
    assert_eq!(chat.balance("bob").await, 0, "not settled yet");
    chat.settle_all().await;
    assert_eq!(chat.balance("bob").await, share.amount.get());
    chat.assert_conserved().await;
}

/// `rand() % max` moved the average of the first of two shares to 85.9 of 200.
#[tokio::test]
async fn the_first_of_two_shares_has_the_mean_of_its_rule() {
    const PACKETS: u64 = 20_000;
    let chat = Chat::default();
    for strategy in [Strategy::DOUBLE_AVERAGE, Strategy::WECHAT_OBSERVED, Strategy::LINE_CUT] {
        let mut sum = 0;
        for _ in 0..PACKETS {
            sum += chat.tenant.preview(strategy.clone(), 200, 2).await.unwrap().unwrap()[0];
        }
        // Uniform on 1..=199 has a standard deviation of 57.4; 5 standard errors are 2.03.
        let mean = sum as f64 / PACKETS as f64;
        assert!((mean - 100.0).abs() < 2.1, "{}: {mean}", strategy.as_str());
    }
}

fn key(packet: PacketId) -> PacketKey {
    PacketKey { tenant: TenantId::default(), packet }
}

/// A random seed from the clock in seconds: whoever started at the same time drew the same.
#[tokio::test]
async fn two_hosts_that_start_at_the_same_time_draw_differently() {
    let tenant = || alone(Host::builder().clock(Arc::new(ManualClock::new(0))), everything()).1;
    let draw =
        async |tenant: Tenant| tenant.preview(Strategy::DOUBLE_AVERAGE, 100_000, 50).await.unwrap().unwrap();
    assert_ne!(draw(tenant()).await, draw(tenant()).await);
}

/// An exclusive packet for someone who could not claim it was lost money.
#[tokio::test]
async fn a_packet_that_nobody_can_claim_whole_is_refused() {
    let chat = Chat::with_policy(Policy { sender_may_grab: false, ..Policy::default() });
    chat.tenant.fund(&user("alice"), amount(10_000)).await.unwrap();
    let to = |names: &[&str]| names.iter().map(|name| user(name)).collect();
    let cases = [
        (2, to(&["bob"]), "2 shares cannot all be claimed by the 1 users in to"),
        (1, to(&["alice"]), "to names the sender, who may not take a share"),
        (2, to(&["bob", "bob"]), "to names bob twice"),
    ];
    for (shares, to, why) in cases {
        assert_eq!(reason(chat.try_send(Request { to, ..request(100, shares) }).await), why);
    }
    assert_eq!(chat.balance("alice").await, 10_000);
}

/// And what nobody claimed goes back, whoever it was for.
#[tokio::test]
async fn an_exclusive_packet_is_for_those_it_names() {
    let chat = Chat::default();
    let packet = chat.send(Request { to: vec![user("bob"), user("carol")], ..request(500, 2) }).await;
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::NotEligible);
    assert_eq!(chat.open(packet, "dave").await, Opened::NotGrabbed);
    let share = chat.take(packet, "carol").await;
    chat.clock.advance(DAY_MS);
    chat.tenant.expire_due().await.unwrap();
    assert_eq!(chat.balance("alice").await, 500 - share.amount.get());
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_sender_who_may_not_grab_is_told_so() {
    let chat = Chat::with_policy(Policy { sender_may_grab: false, ..Policy::default() });
    let packet = chat.lucky(500, 2).await;
    assert_eq!(chat.grab(packet, "alice").await, Grabbed::NotEligible);
    let lenient = Chat::default();
    let packet = lenient.lucky(500, 2).await;
    assert_eq!(lenient.grab(packet, "alice").await, Grabbed::Admitted);
}

/// N people on N minor units, and on N + 1.
#[tokio::test]
async fn as_many_people_as_cents_and_one_cent_more() {
    for strategy in [Strategy::DOUBLE_AVERAGE, Strategy::WECHAT_OBSERVED, Strategy::LINE_CUT] {
        for (total, expected) in [(30, vec![1; 30]), (31, [vec![1; 29], vec![2]].concat())] {
            let chat = Chat::default();
            let packet = chat.send(Request { strategy: Some(strategy.clone()), ..request(total, 30) }).await;
            let mut amounts = Vec::new();
            for number in 0..30 {
                amounts.push(chat.take(packet, &format!("user-{number}")).await.amount.get());
            }
            amounts.sort_unstable();
            assert_eq!(amounts, expected, "{}", strategy.as_str());
            chat.assert_conserved().await;
        }
    }
}

/// Of equal maxima, the best luck went to the later one.
#[tokio::test]
async fn of_equal_shares_the_first_is_the_luckiest() {
    let chat = Chat::default();
    let packet = chat.equal(400, 4).await;
    for name in ["dave", "carol", "bob", "alice"] {
        chat.take(packet, name).await;
    }
    let details = chat.details(packet).await;
    let lucky: Vec<_> = details.claims.iter().map(|claim| (claim.user.as_str(), claim.best_luck)).collect();
    assert_eq!(lucky, [("dave", true), ("carol", false), ("bob", false), ("alice", false)]);
}

/// A double click on the last share told the winner that it was too late.
#[tokio::test]
async fn two_taps_of_one_user_on_the_last_share_are_one_seat() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 1).await;
    let taps = vec![user("bob"), user("bob"), user("carol"), user("bob")];
    let told = chat.tenant.grab_batch(vec![(packet, taps)]).await.unwrap();
    let twin = Grabbed::AlreadyGrabbed;
    assert_eq!(told, [Grabbed::Admitted, twin, Grabbed::Exhausted, twin]);
}

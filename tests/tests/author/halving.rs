//! The example keeps its rule and the contract.

use std::fs;

use hongbao_host::domain::{
    Amount, Expired, Grabbed, Grant, Grants, Message, Opened, Policy, Presser, Reply, Request, SendError,
    Sent, Status, Strategy, TenantId, Theme,
};
use hongbao_host::runtime::{Host, PluginSource, TenantConfig};
use hongbao_tests::chat::{Chat, amount, request, user};

use crate::build::{directory, halving, root};
use crate::rule::amounts;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A chat that this plugin serves.
pub async fn chat_with(policy: Policy) -> Chat {
    let chat = Chat::with_policy(policy);
    chat.tenant.upgrade(halving()).await.unwrap();
    chat
}

async fn chat() -> Chat {
    chat_with(Policy::default()).await
}

fn divide(total: u64, shares: u32, most: u64) -> Vec<u64> {
    amounts(total, shares, 1, most).collect()
}

#[test]
fn a_share_is_half_of_what_remains() {
    assert_eq!(divide(1_000, 5, 20_000), [500, 250, 125, 63, 62]);
    assert_eq!(divide(7, 3, 20_000), [4, 2, 1]);
    assert_eq!(divide(5, 5, 20_000), [1; 5]);
    assert_eq!(divide(9, 1, 20_000), [9]);
    // None is more than the most that a share may be.
    assert_eq!(divide(80_000, 5, 20_000), [20_000, 20_000, 20_000, 10_000, 10_000]);
    assert_eq!(divide(100, 5, 20), [20; 5]);
}

#[test]
fn every_packet_is_divided_to_the_last_cent() {
    for shares in 1..=60 {
        for total in (u64::from(shares)..1_500).chain([99_999, u64::from(u32::MAX), i64::MAX as u64]) {
            for most in [total.div_ceil(shares.into()), total / 3 + total.div_ceil(shares.into()), u64::MAX] {
                let drawn = divide(total, shares, most);
                assert_eq!(drawn.iter().sum::<u64>(), total, "{total} in {shares}");
                assert!(drawn.iter().all(|share| (1..=most).contains(share)), "{drawn:?} of {total}");
                assert!(drawn.is_sorted_by(|one, next| one >= next), "{drawn:?}");
            }
        }
    }
}

#[test]
fn no_share_is_below_the_floor() {
    for (total, shares, floor) in [(100, 5, 20), (1_000, 5, 100), (1_000, 7, 3), (60, 3, 10)] {
        let drawn: Vec<u64> = amounts(total, shares, floor, 20_000).collect();
        assert!(drawn.iter().all(|share| *share >= floor), "{drawn:?} of {total}");
        assert_eq!(drawn.iter().sum::<u64>(), total, "{total} in {shares}");
    }
}

#[test]
fn the_example_imports_no_more_than_it_calls() {
    let manifest = PluginSource::at(directory()).read().unwrap().manifest.unwrap();
    assert_eq!((manifest.id.as_str(), manifest.version.as_str()), ("halving", "0.1.0"));
    let asks: Vec<_> = halving().asks().iter().map(hongbao_host::domain::Grant::name).collect();
    assert_eq!(asks, ["counter", "ledger", "clock", "policy"]);
    let called: Vec<_> =
        halving().imports().iter().map(|name| name.split(['/', '@']).nth(1).unwrap().to_owned()).collect();
    assert_eq!(called, ["clock", "counter", "ledger", "policy", "types"]);
}

#[test]
fn the_example_brings_no_crate_that_the_workspace_has_not() {
    let packages = |file: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let packages = text.split("[[package]]").skip(1).filter(|package| package.contains("checksum = "));
        packages.map(|package| package.lines().take(3).collect::<String>()).collect::<Vec<_>>()
    };
    let ours = packages("Cargo.lock");
    let foreign: Vec<_> = packages("examples/write_a_plugin/Cargo.lock")
        .into_iter()
        .filter(|one| !ours.contains(one))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[tokio::test]
async fn without_its_grants_it_does_not_serve() {
    let plugin = halving();
    let host = Host::builder().engine(plugin.engine().clone()).build().unwrap();
    let asks: Grants = [Grant::Counter, Grant::Ledger, Grant::Clock, Grant::Policy].into_iter().collect();
    for missing in asks.iter() {
        let grants = asks.without([missing].into_iter().collect());
        let error = host
            .add(TenantConfig::new(TenantId::default()).grants(grants), plugin.clone())
            .await
            .err()
            .unwrap();
        let remedy = "which the tenant does not grant; list it in the tenant's grants";
        let said = format!("the plugin asks for {missing}, {remedy}");
        assert_eq!((error.code(), error.to_string()), ("not-granted", said));
    }
    assert!(host.add(TenantConfig::new(TenantId::default()).grants(asks), plugin).await.is_ok());
}

fn named(text: &str) -> Strategy {
    Strategy::new(text).unwrap()
}

#[tokio::test]
async fn a_preview_is_the_rule() {
    let chat = chat().await;
    for (total, shares) in [(1, 1), (10, 10), (1_000, 5), (6_667, 7), (123_456, 100), (2_000_000, 100)] {
        let drawn = chat.tenant.preview(named("halving"), total, shares).await.unwrap().unwrap();
        assert_eq!(drawn, divide(total, shares, 20_000));
    }
    let drawn = chat.tenant.preview(named("halving:floor=150"), 1_000, 5).await.unwrap();
    assert_eq!(drawn, Ok(vec![400, 150, 150, 150, 150]));
    for (strategy, total, shares) in [
        ("halving:floor=6", 10, 2),
        ("halving:floor=0", 10, 2),
        ("halving:roof=1", 10, 2),
        ("equal", 10, 2),
        ("halving", 2, 3),
        ("halving", 1, 0),
        ("halving", 1_000, 101),
        ("halving", 20_001, 1),
        ("halving", u64::MAX, 100),
    ] {
        let drawn = chat.tenant.preview(named(strategy), total, shares).await.unwrap();
        assert!(drawn.is_err(), "{strategy}: {total} in {shares}");
    }
}

#[tokio::test]
async fn a_strategy_of_its_own_is_told_and_kept() {
    let chat = chat().await;
    let manifest = chat.tenant.manifest();
    let [strategy] = manifest.strategies.as_slice() else { panic!("{manifest:?}") };
    assert_eq!((strategy.name.as_str(), strategy.parameters[0].name.as_str()), ("halving", "floor"));
    // The policy's default is another plugin's, so this one's first is taken.
    let packet = chat.lucky(1_000, 5).await;
    assert_eq!(chat.details(packet).await.packet.order.strategy, named("halving"));
    let floor = Request { strategy: Some(named("halving:floor=300")), ..request(1_000, 3) };
    let packet = chat.send(floor).await;
    assert_eq!(chat.details(packet).await.packet.order.strategy, named("halving:floor=300"));
    assert_eq!(chat.take(packet, "bob").await.amount, amount(400));
    assert_eq!(chat.take(packet, "carol").await.amount, amount(300));
    for (strategy, why) in [
        ("equal", "there is no strategy equal; there are halving"),
        ("halving:floor=0", "the parameter floor must be 1 to 10000, not 0"),
        ("halving:roof=1", "the strategy halving has no parameter roof"),
    ] {
        let wrong = Request { strategy: Some(named(strategy)), ..request(10, 2) };
        assert_eq!(chat.try_send(wrong).await, Err(SendError::InvalidArgument(why.into())));
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_lives_from_its_sending_to_its_last_share() {
    let chat = chat().await;
    let order = request(1_000, 5);
    let packet = chat.send(order.clone()).await;
    assert_eq!(chat.try_send(order.clone()).await, Ok(Sent::Replayed(packet)), "sent again, it is the same");
    assert_eq!(chat.try_send(Request { total: 999, ..order }).await, Err(SendError::KeyReused));
    assert!(matches!(chat.try_send(request(1_000, 5)).await, Err(SendError::InsufficientFunds(_))));
    assert_eq!(chat.open(packet, "bob").await, Opened::NotGrabbed);
    for (name, expected) in ["a", "b", "c", "d", "e"].into_iter().zip(divide(1_000, 5, 20_000)) {
        let share = chat.take(packet, name).await;
        assert_eq!(share.amount, amount(expected));
        assert_eq!(
            chat.open(packet, name).await,
            Opened::AlreadyOpened(share),
            "asked again, it is the same"
        );
        assert_eq!(chat.grab(packet, name).await, Grabbed::AlreadyOpened(share.amount));
    }
    assert_eq!(chat.grab(packet, "f").await, Grabbed::Exhausted);
    let details = chat.details(packet).await;
    assert_eq!((details.packet.status, details.claims.len()), (Status::Finished, 5));
    let lucky: Vec<bool> = details.claims.iter().map(|claim| claim.best_luck).collect();
    assert_eq!(lucky, [true, false, false, false, false]);
    chat.clock.advance(2 * DAY_MS);
    assert_eq!(chat.tenant.expire(packet).await.unwrap(), Expired::Finished);
    chat.settle_all().await;
    assert_eq!(chat.balance("a").await, 500);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_batch_is_answered_as_if_one_came_after_the_other() {
    let chat = chat().await;
    let packet = chat.lucky(100, 2).await;
    let users = ["bob", "bob", "carol", "dave"].map(user).to_vec();
    let grabbed = chat.tenant.grab_batch(vec![(packet, users.clone())]).await.unwrap();
    assert_eq!(grabbed, [Grabbed::Admitted, Grabbed::AlreadyGrabbed, Grabbed::Admitted, Grabbed::Exhausted]);
    let opened = chat.tenant.open_batch(vec![(packet, users)]).await.unwrap();
    let Opened::Opened(first) = opened[0] else { panic!("{opened:?}") };
    assert_eq!((first.amount, opened[1]), (amount(50), Opened::AlreadyOpened(first)));
    assert!(matches!(opened[2], Opened::Opened(share) if share.amount == amount(50)), "{opened:?}");
    assert_eq!(opened[3], Opened::NotGrabbed);
    assert_eq!(chat.tenant.grab_batch(vec![(packet, vec![])]).await.unwrap(), []);
    assert_eq!(chat.tenant.open_batch(vec![(packet, vec![])]).await.unwrap(), []);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn what_nobody_takes_goes_back() {
    let chat = chat().await;
    let packet = chat.lucky(1_000, 4).await;
    chat.take(packet, "bob").await;
    assert_eq!(chat.tenant.expire(packet).await.unwrap(), Expired::NotDue);
    chat.clock.advance(DAY_MS);
    assert_eq!(
        (chat.grab(packet, "carol").await, chat.open(packet, "carol").await),
        (Grabbed::Expired, Opened::Expired)
    );
    assert_eq!(chat.tenant.expire(packet).await.unwrap(), Expired::Refunded(amount(500)));
    assert_eq!(chat.tenant.expire(packet).await.unwrap(), Expired::Already(amount(500)));
    assert_eq!(
        (chat.details(packet).await.packet.status, chat.balance("alice").await),
        (Status::Expired, 500)
    );
    let missing = hongbao_host::domain::PacketId::from_halves(7, 7);
    assert_eq!(chat.tenant.expire(missing).await.unwrap(), Expired::NotFound);
    assert_eq!(
        (chat.grab(missing, "bob").await, chat.open(missing, "bob").await),
        (Grabbed::NotFound, Opened::NotFound)
    );
    assert_eq!(chat.tenant.details(missing).await.unwrap(), None);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn who_may_take_a_share_is_kept() {
    let chat = chat_with(Policy { sender_may_grab: false, ..Policy::default() }).await;
    let packet = chat.lucky(10, 2).await;
    assert_eq!(chat.grab(packet, "alice").await, Grabbed::NotEligible);
    let to = |names: &[&str]| names.iter().map(|name| user(name)).collect();
    let packet = chat.send(Request { to: to(&["bob", "carol"]), ..request(10, 2) }).await;
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::NotEligible);
    assert_eq!(chat.take(packet, "bob").await.amount, amount(5));
    for request in [
        Request { to: to(&["bob"]), ..request(10, 2) },
        Request { to: to(&["alice", "bob"]), ..request(10, 2) },
        Request { key: String::new(), ..request(10, 2) },
        Request { room: "a\u{7}".into(), ..request(10, 2) },
        Request { greeting: "字".repeat(201), ..request(10, 2) },
        Request { expires_in_ms: Some(0), ..request(10, 2) },
        Request { expires_in_ms: Some(u64::MAX), ..request(10, 2) },
        request(0, 1),
        request(10, 0),
        request(u64::MAX, 1),
    ] {
        let said = chat.try_send(request.clone()).await;
        assert!(matches!(said, Err(SendError::InvalidArgument(_))), "{request:?}: {said:?}");
    }
    chat.assert_conserved().await;
}

fn message(id: &str, text: &str) -> Message {
    let (id, room, language) = (id.to_owned(), "room".to_owned(), "en".to_owned());
    Message { id, room, sender: user("alice"), text: text.into(), mentions: vec![], language }
}

#[tokio::test]
async fn whatever_is_typed_has_an_answer() {
    let chat = chat().await;
    chat.tenant.fund(&user("alice"), Amount::new(1_000).unwrap()).await.unwrap();
    assert_eq!(chat.tenant.command(message("m", "/hongbao 1 1")).await.unwrap(), []);
    let texts = [
        "/halving",
        "/halving  ",
        "/halving help",
        "/halving 1",
        "/halving 1 x",
        "/halving -1 1",
        "/halving 1.234 1",
        "/halving 1,5 1",
        "/halving . 1",
        "/halving 红 包",
        "/halving 99999999999999999999 1",
        "/halving 1 99999999999",
        "/halving 1 101",
        "/halving 0.01 2",
        "/halving 0 1",
        "/halving 1 1 a\u{7}b",
        "/halving 99 1",
    ];
    for text in texts {
        let said = chat.tenant.command(message("m", text)).await.unwrap();
        assert!(matches!(said.as_slice(), [Reply::Problem(_)]), "{text}: {said:?}");
    }
    let said = chat.tenant.command(message("m", "/halving 10.5 2 新年快乐")).await;
    assert!(
        matches!(said.unwrap().as_slice(), [Reply::Problem(problem)] if problem.code == "insufficient-funds")
    );
    let sent = chat.tenant.command(message("m", "/halving 10 2 新年快乐")).await.unwrap();
    let [Reply::Card(card)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((card.theme, card.body.as_str(), card.private), (Theme::Sealed, "新年快乐", false));
    assert_eq!(
        chat.tenant.command(message("m", "/halving 10 2 新年快乐")).await.unwrap(),
        sent,
        "once and again"
    );
    let press = |action: &str, name: &str| {
        let by = Presser { user: user(name), language: "zh".into() };
        chat.tenant.action(card.packet.unwrap(), action.to_owned(), by)
    };
    assert_eq!(press("show", "bob").await.unwrap(), sent, "the room's card");
    let said = press("open", "bob").await.unwrap();
    let [Reply::Card(own)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((own.title.as_str(), own.private), ("5.00 CNY", true));
    for action in ["grab", "details", "x"] {
        let said = press(action, "bob").await.unwrap();
        assert!(
            matches!(said.as_slice(), [Reply::Problem(problem)] if problem.code == "unknown-action"),
            "{action}: {said:?}"
        );
    }
    let said = press("show", "carol").await.unwrap();
    let [Reply::Card(open)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((open.theme, open.private), (Theme::Sealed, false));
    assert!(!format!("{open:?}").contains("5.00"), "bob's share is bob's until all are taken: {open:?}");
    for _ in 0..2 {
        let said = press("open", "carol").await.unwrap();
        let [Reply::Card(own), Reply::Card(room)] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!((own.title.as_str(), own.private), ("5.00 CNY", true));
        assert_eq!((room.theme, room.private, room.fields.len()), (Theme::Finished, false, 4));
        assert_eq!(press("show", "dave").await.unwrap(), said[1..], "the room's card again");
    }
    let said = press("open", "dave").await.unwrap();
    assert!(matches!(said.as_slice(), [Reply::Problem(problem)] if problem.code == "exhausted"), "{said:?}");
    chat.assert_conserved().await;
}

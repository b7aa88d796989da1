//! Money that leaves the wallet, by the pretended bank.

use std::time::Duration;

use super::stage::{Stage, balance};

#[tokio::test]
async fn a_person_takes_money_out_and_sees_where_it_went() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    assert_eq!(balance(&alice).await, 100_000);
    alice.click("#balance").await;
    assert_eq!(alice.text("#payout-label").await, "Amount to take out (¥)");
    for (typed, why) in [
        ("", "Write an amount like 8.88."),
        ("0", "nothing at all"),
        ("1000.01", "The wallet holds ¥1,000.00."),
        ("1 000", "can be read in two ways"),
    ] {
        alice.fill("#payout-amount", typed).await;
        alice.click("#payout-submit").await;
        alice.says("#payout-problem", why).await;
        alice.reads("#wallet-amount", "¥1,000.00").await;
    }
    alice.fill("#payout-amount", "250.50").await;
    alice.click("#payout-submit").await;
    alice.says("#toasts", "¥250.50 is on its way to your bank.").await;
    alice.reads("#wallet-amount", "¥749.50").await;
    alice.says("#statement [data-kind=withdrawn]", "−¥250.50").await;
    alice.says("#statement [data-kind=withdrawn]", "Money taken out").await;
    alice.picture("wallet-payout").await;
    // The bank pays after a moment.
    let member = stage.member_of(&alice).await;
    let mut tried = 0;
    while member.withdrawals().await[0]["state"] != "completed" {
        tried += 1;
        assert!(tried < 100, "the bank pays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    alice.click("#wallet [data-close]").await;
    alice.reads("#balance-amount", "¥749.50").await;
    alice.click("#language").await;
    alice.click("#balance").await;
    alice.says("#statement [data-kind=withdrawn]", "提现").await;
    assert_eq!(alice.text("#payout-submit").await, "提现");
    // The browser itself complains of the refusal.
    assert!(alice.console().await.iter().all(|one| one.contains("status of 422")));
    stage.end(&[&alice]).await;
}

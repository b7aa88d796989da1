//! Amounts that are typed into the form: exactly, or not at all.

use serde_json::{Value, json};

use super::stage::{Stage, shown};
use super::two::{card, packet};

/// The table that the plugin and the host are tested with.
const TABLE: &str = include_str!("../../vectors/amounts.json");

/// Gives what the page reads or shows differently than the table says.
const COMPARE: &str = r#"
const [table, done] = arguments;
const judge = (money) => {
  const wrong = [];
  let tried = 0;
  const expect = (what, found, expected) => {
    tried += 1;
    if (found !== expected) wrong.push([what, String(found), String(expected)]);
  };
  for (const { currency, digits, accepted, refused } of table.amounts) {
    money.setCurrency(currency, digits);
    for (const [typed, amount] of Object.entries(accepted)) expect([currency, typed], String(money.parse(typed).amount), amount);
    for (const [typed, fault] of Object.entries(refused)) expect([currency, typed], money.parse(typed).fault, fault);
  }
  for (const [typed, count] of Object.entries(table.counts.accepted)) {
    expect(["count", typed], money.parseCount(typed, table.counts.most), count);
  }
  for (const typed of table.counts.refused) expect(["count", typed], money.parseCount(typed, table.counts.most), null);
  for (const { currency, digits, amount, text } of table.shown) {
    money.setCurrency(currency, digits);
    expect([currency, amount], money.shown(BigInt(amount)), text);
  }
  done({ wrong, tried });
};
import("/assets/money.js").then(judge, (problem) => done({ wrong: [String(problem)], tried: 0 }));
"#;

#[tokio::test]
async fn the_page_reads_and_shows_amounts_as_the_table_says() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let judged = alice.later(COMPARE, &[table]).await;
    assert_eq!(judged["wrong"], json!([]), "{judged:#}");
    assert!(judged["tried"].as_u64().unwrap() > 250, "{judged}");
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn an_amount_that_can_be_read_in_two_ways_is_refused_with_a_sentence() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.click("#send-packet").await;
    alice.fill("#send-shares", "2").await;
    alice.fill("#send-greeting", "Exactly").await;
    for (typed, said) in [
        ("8,88", "“8,88” can be read in two ways"),
        ("8,8", "“8,8” can be read in two ways"),
        ("8 8", "“8 8” can be read in two ways"),
        ("1.000,50", "“1.000,50” can be read in two ways"),
        ("1,000", "“1,000” can be read in two ways"),
        ("8.888", "too many digits after the point"),
        ("$5", "“$5” is in another currency: amounts are in ¥ here"),
        ("0", "nothing at all"),
        ("", "Write an amount like 8.88."),
        ("five", "“five” is not an amount"),
    ] {
        alice.fill("#send-amount", typed).await;
        assert_eq!(alice.text("#send-total").await, "¥0.00", "{typed}");
        alice.click("#send-submit").await;
        alice.says("#send-problem", said).await;
        alice.has("#send-amount[aria-invalid=true]").await;
        alice.is_at("#send-amount").await;
    }
    alice.fill("#send-amount", "8,88").await;
    alice.click("#send-submit").await;
    alice.picture("amount-two-ways").await;
    // What was refused sent nothing.
    alice.reads("#balance-amount", &shown(100_000)).await;
    assert_eq!(alice.count("[data-packet]").await, 0);
    for count in ["2,5", "1 0", "02", "-1"] {
        alice.fill("#send-amount", "8.88").await;
        alice.fill("#send-shares", count).await;
        alice.click("#send-submit").await;
        alice.says("#send-problem", "Write a number of shares").await;
    }
    alice.fill("#send-amount", "￥８．８８").await;
    alice.fill("#send-shares", "2个").await;
    assert_eq!(alice.text("#send-total").await, "¥8.88");
    alice.click("#send-submit").await;
    alice.misses("#send-dialog").await;
    let id = packet(&alice, "Exactly").await;
    alice.has(&card(&id, " [data-progress=\"0/2\"]")).await;
    alice.reads("#balance-amount", &shown(100_000 - 888)).await;
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn the_sentence_is_in_the_readers_language() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.click("#language").await;
    alice.click("#send-packet").await;
    alice.fill("#send-shares", "2").await;
    alice.fill("#send-amount", "8,88").await;
    alice.click("#send-submit").await;
    alice.reads("#send-problem", "“8,88”有不止一种读法，请只写数字和小数点，写成 8.88 这样。").await;
    stage.end(&[&alice]).await;
}

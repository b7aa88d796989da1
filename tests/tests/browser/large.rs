//! Amounts past 2^53, which JavaScript's numbers cannot hold: not a cent is lost on the way to the eye.

use serde_json::{Value, json};

use super::stage::{Stage, is_in};
use super::two::{card, packet};

/// The first integer that a number of JavaScript cannot hold, and the largest amount of all.
const ODD: u64 = (1 << 53) + 1;
const MOST: u64 = i64::MAX as u64;
const WELCOME: u64 = 100_000;

#[tokio::test]
async fn not_a_cent_is_lost_of_the_largest_amounts() {
    let stage = Stage::with_bank();
    stage.policy(json!({"max_share": MOST, "max_shares": 100})).await;
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    assert_eq!(stage.fund("alice", ODD - WELCOME).await, ODD);
    alice.reload().await;
    is_in(&alice).await;
    alice.reads("#balance-amount", "¥90,071,992,547,409.93").await;
    assert_eq!(stage.fund("alice", MOST - ODD).await, MOST);
    alice.reload().await;
    is_in(&alice).await;
    alice.reads("#balance-amount", "¥92,233,720,368,547,758.07").await;

    alice.click("#send-packet").await;
    alice.fill("#send-amount", "90071992547409.93").await;
    alice.fill("#send-shares", "1").await;
    alice.fill("#send-greeting", "Odd").await;
    assert_eq!(alice.text("#send-total").await, "¥90,071,992,547,409.93");
    alice.click("#send-submit").await;
    alice.misses("#send-dialog").await;
    alice.reads("#balance-amount", "¥92,143,648,376,000,348.14").await;
    let id = packet(&bob, "Odd").await;
    bob.click(&card(&id, " [data-action=grab]")).await;
    bob.click("#packet-dialog .coin[data-action=open]").await;
    bob.reads("#packet-dialog .amount", "¥90,071,992,547,409.93").await;
    bob.click("#packet-dialog [data-action=details]").await;
    bob.says("#packet-dialog .field[data-user=bob]", "¥90,071,992,547,409.93").await;
    bob.says("#packet-dialog .opened-head", "¥90,071,992,547,409.93/¥90,071,992,547,409.93").await;
    bob.picture("large-details").await;
    bob.click("#packet-dialog [data-close]").await;
    bob.reads("#balance-amount", "¥90,071,992,548,409.93").await;

    bob.click("#balance").await;
    bob.reads("#wallet-amount", "¥90,071,992,548,409.93").await;
    bob.says("#statement [data-kind=received]", "+¥90,071,992,547,409.93").await;
    bob.picture("large-statement").await;
    bob.click("#wallet [data-close]").await;
    bob.click("#history-open").await;
    bob.says("#history-list", "+¥90,071,992,547,409.93").await;
    alice.click("#balance").await;
    alice.says("#statement [data-kind=sent]", "−¥90,071,992,547,409.93").await;
    alice.click("#wallet [data-close]").await;
    alice.click("#history-open").await;
    alice.click("#tab-sent").await;
    alice.says("#history-list", "¥90,071,992,547,409.93").await;
    stage.end(&[&alice, &bob]).await;
}

#[tokio::test]
async fn more_than_the_books_hold_is_refused_and_the_sum_is_exact() {
    let stage = Stage::with_bank();
    stage.policy(json!({"max_share": MOST})).await;
    let alice = stage.person("alice").await;
    alice.click("#send-packet").await;
    alice.click("[name=kind][value=equal]").await;
    alice.fill("#send-amount", "900719925474099.33").await;
    alice.fill("#send-shares", "100").await;
    assert_eq!(alice.text("#send-total").await, "¥90,071,992,547,409,933.00");
    alice.click("#send-submit").await;
    alice.says("#send-problem", "The wallet holds ¥1,000.00.").await;
    alice.fill("#send-amount", "922337203685477.59").await;
    alice.click("#send-submit").await;
    alice.says("#send-problem", "more than anybody can send").await;
    // The browser itself complains of the refusal.
    assert!(alice.console().await.iter().all(|one| one.contains("status of 422")));
    stage.end(&[&alice]).await;
}

/// The reader and the writer of JSON, with what is hardest for them.
#[tokio::test]
async fn json_is_read_and_written_exactly() {
    const TRY: &str = r#"
const [text, done] = arguments;
import("/assets/json.js").then(({ parse, stringify }) => {
  const read = parse(text);
  const kinds = Object.fromEntries(Object.entries(read).map(([key, value]) => [key, typeof value]));
  done([kinds, stringify(read), String(read.amount), read.words]);
}, (problem) => done(String(problem)));
"#;
    let text = r#"{"amount":9007199254740993,"total":5,"shares":7,"most":-9223372036854775808,"half":0.5,"words":"9007199254740993 \\\"9007199254740993","none":null,"9007199254740993":1}"#;
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let tried = alice.later(TRY, &[text.into()]).await;
    let kinds = json!({
        "amount": "bigint", "total": "bigint", "shares": "number", "most": "bigint", "half": "number", "words": "string",
        "none": "object", "9007199254740993": "number",
    });
    assert_eq!(tried[0], kinds, "{tried}");
    let [written, read]: [Value; 2] =
        [tried[1].as_str().unwrap(), text].map(|text| serde_json::from_str(text).unwrap());
    assert_eq!(written, read);
    assert_eq!((&tried[2], &tried[3]), (&json!("9007199254740993"), &read["words"]));
    stage.end(&[&alice]).await;
}

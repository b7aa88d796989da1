//! Servers that fail in the middle: an event waits until it can be done, and is done once.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, command, event, tap, until};

const LIMITED: &str = "M_LIMIT_EXCEEDED";

/// More than the attempts that are made at once.
const MANY: usize = 4;

fn error(code: &str) -> Value {
    json!({"errcode": code, "error": "because", "retry_after_ms": 1})
}

fn problem(code: &str) -> Value {
    json!({"type": format!("urn:hongbao:problem:{code}"), "code": code, "detail": "because"})
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_homeserver_fails_a_command_is_one_packet_and_one_card() {
    // The steps of a command, by what their requests have in them.
    let steps = [
        "send/m.room.message",
        "GET _matrix/client/v3/user",
        "PUT _matrix/client/v3/user",
        "send/m.reaction",
        "relations",
        "power_levels",
    ];
    let faults = [(429, error(LIMITED)), (502, Value::Null), (401, error("M_UNKNOWN_TOKEN"))];
    let cases = steps.iter().flat_map(|step| faults.iter().map(move |(status, body)| (*step, *status, body)));
    futures::future::join_all(cases.map(|(step, status, body)| dies_at(step, status, body))).await;
}

/// The homeserver fails at a step until the transaction is refused, then forgets what it was sent, as the bridge does.
async fn dies_at(step: &str, status: u16, body: &Value) {
    let mut stage = Stage::start().await;
    stage.homeserver.fail(MANY, step, status, body);
    let events = [command("$e", "!hongbao 9 3")];
    assert_eq!(stage.deliver(&events).await, 500, "{step} {status}");
    stage.homeserver.world().transactions.clear();
    stage.begin_anew().await;
    assert_eq!(stage.deliver(&events).await, 200, "{step} {status}");
    assert_eq!(stage.homeserver.world().cards().len(), 1, "{step} {status}");
    assert_eq!(stage.hongbao.world().packets.len(), 1, "{step} {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_within_a_moment_is_not_noticed() {
    let stage = Stage::start().await;
    stage.homeserver.fail(2, "send/m.room.message", 503, &Value::Null);
    stage.hongbao.fail(1, "messages", 503, &problem("busy"));
    assert_eq!(stage.deliver(&[command("$e", "!hongbao 9 3")]).await, 200);
    assert_eq!(stage.homeserver.world().cards().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_homeserver_does_not_hold_up_others() {
    let stage = Stage::start().await;
    stage.homeserver.fail(1, "send/m.room.message", 403, &error("M_FORBIDDEN"));
    stage.homeserver.fail(1, "send/m.reaction", 400, &error("M_DUPLICATE_ANNOTATION"));
    assert_eq!(stage.deliver(&[command("$1", "!hongbao 9 3"), command("$2", "!hongbao 9 3")]).await, 200);
    assert_eq!(stage.homeserver.world().cards().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn taps_wait_for_hongbao_and_those_that_were_done_are_not_done_again() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    let [bob, carol] = [tap("$1", "@bob:a.org", &card), tap("$2", "@carol:a.org", &card)];
    stage.hongbao.fail(2 * MANY, "grab-and-open", 503, &problem("unavailable"));
    assert_eq!(stage.deliver(&[bob.clone(), carol.clone()]).await, 500);
    assert_eq!(stage.hongbao.world().taps, 0);
    assert_eq!(stage.deliver(std::slice::from_ref(&bob)).await, 200);
    stage.hongbao.fail(MANY, "grab-and-open", 503, &problem("unavailable"));
    assert_eq!(stage.deliver(&[bob.clone(), carol.clone()]).await, 500, "carol waits");
    assert_eq!(stage.deliver(&[bob, carol]).await, 200);
    let world = stage.hongbao.world();
    assert_eq!((world.packets["$cmd"].len(), world.taps), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_hongbaos_own_refusal_is_waited_for() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    for (number, (status, body)) in [
        (503, problem("suspended")),
        (429, problem("rate-limited")),
        (401, problem("unauthenticated")),
        (404, json!({"message": "no route"})),
        (200, json!({"hello": "world"})),
        (502, Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let events = [tap(&format!("$t{number}"), "@bob:a.org", &card)];
        stage.hongbao.fail(MANY, "grab-and-open", status, &body);
        assert_eq!(stage.deliver(&events).await, 500, "{status} {body}");
        assert_eq!(stage.deliver(&events).await, 200, "{status} {body}");
    }
    assert_eq!(stage.hongbao.world().packets["$cmd"], ["@bob:a.org"]);
    // Its own refusal ends it.
    stage.hongbao.fail(1, "grab-and-open", 404, &problem("not-found"));
    assert_eq!(stage.deliver(&[tap("$gone", "@carol:a.org", &card)]).await, 200);
    assert_eq!(stage.hongbao.world().packets["$cmd"], ["@bob:a.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_outcome_is_unknown_is_asked_again() {
    let stage = Stage::start().await;
    assert_eq!(stage.deliver(&[command("$e", "!hongbao away")]).await, 500);
    assert_eq!(stage.homeserver.world().notices(), [""; 0]);
    assert_eq!(stage.deliver(&[command("$f", "!hongbao poor"), command("$g", "!hongbao what")]).await, 200);
    let notices = stage.homeserver.world().notices();
    assert_eq!(notices, ["@alice:a.org: type !hongbao help", "@alice:a.org: There is no such command."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_at_which_a_plugin_breaks_does_not_hold_up_everybody_for_ever() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    stage.hongbao.fail(1_000, "messages", 502, &problem("plugin-failed"));
    let events = [command("$bad", "!hongbao 9 3"), tap("$after", "@bob:a.org", &card)];
    for _ in 0..6 {
        assert_eq!(stage.deliver(&events).await, 500);
    }
    assert_eq!(stage.hongbao.world().taps, 0, "what follows waits");
    assert_eq!(stage.deliver(&events).await, 200);
    assert_eq!(stage.hongbao.world().taps, 1);
    let notices = stage.homeserver.world().notices();
    assert!(notices.iter().any(|notice| notice.contains("could not be carried out")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_transaction_twice_at_once_is_done_once() {
    let stage = Stage::start().await;
    let events = [command("$1", "!hongbao 9 3"), command("$2", "!hongbao 9 3")];
    let (one, other) = tokio::join!(stage.deliver(&events), stage.deliver(&events));
    assert_eq!((one, other), (200, 200));
    assert_eq!(stage.hongbao.world().texts.len(), 2);
    assert_eq!(stage.homeserver.world().cards().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_drawn_once_a_second_at_most_and_to_its_end() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    for (number, user) in ["@bob:a.org", "@carol:a.org", "@dave:a.org"].into_iter().enumerate() {
        assert_eq!(stage.deliver(&[tap(&format!("$t{number}"), user, &card)]).await, 200);
    }
    let last =
        || stage.homeserver.world().edits().last().map(|edit| edit[crate::card::FIELD]["state"].clone());
    until("the end", || last() == Some("finished".into())).await;
    let edits = stage.homeserver.world().edits();
    assert!(edits.len() <= 2, "{edits:?}");
    let body = edits[edits.len() - 1]["body"].as_str().unwrap().to_owned();
    assert!(
        ["@bob:a.org: ¥3.00", "@carol:a.org: ¥3.00", "@dave:a.org: ¥3.00"]
            .iter()
            .all(|line| body.contains(line)),
        "{body}"
    );
    // It is over, and nothing is drawn any more.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(stage.homeserver.world().edits().len(), edits.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawing_that_fails_is_done_later() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    stage.homeserver.fail(1, "hongbao.edit", 500, &Value::Null);
    stage.hongbao.fail(1, "actions/show", 503, &problem("busy"));
    assert_eq!(stage.deliver(&[tap("$t", "@bob:a.org", &card)]).await, 200);
    assert_eq!(stage.homeserver.world().notices(), ["@bob:a.org: ¥3.00"]);
    until("an edit", || stage.homeserver.world().edits().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_is_told_once_also_if_the_first_time_fails() {
    let mut stage = Stage::start().await;
    stage.homeserver.world().is_encrypted = true;
    stage.homeserver.fail(MANY, "account_data", 500, &Value::Null);
    let unreadable = |id: &str| event(id, "m.room.encrypted", json!({"algorithm": "m.megolm.v1.aes-sha2"}));
    assert_eq!(stage.deliver(&[unreadable("$1")]).await, 500);
    assert_eq!(stage.deliver(&[unreadable("$1"), unreadable("$2")]).await, 200);
    stage.begin_anew().await;
    assert_eq!(stage.deliver(&[unreadable("$3")]).await, 200);
    let sent = stage.homeserver.world().sent.len();
    assert_eq!(sent, 1);
}

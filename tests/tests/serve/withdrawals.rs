//! Money that leaves, over HTTP.

use std::sync::Arc;

use hongbao_host::store::Ledger;
use hongbao_testkit::{Fault, Faulty};
use serde_json::{Value, json};

use crate::stage::{Answer, Keys, Stage, Stores, unhurried};

const OF_ALICE: &str = "/v1/users/alice/wallet/withdrawals";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

async fn funded() -> (Stage, Keys) {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    (stage, keys)
}

async fn try_withdraw(stage: &Stage, keys: &Keys, key: &str, amount: u64) -> Answer {
    stage.once(OF_ALICE, &keys["withdraw"], key, json!({"amount": amount, "reference": "payout 7"})).await
}

/// Takes money out of alice's wallet; gives the withdrawal's id.
async fn withdraw(stage: &Stage, keys: &Keys, key: &str, amount: u64) -> String {
    let taken = try_withdraw(stage, keys, key, amount).await;
    assert_eq!(taken.status.as_u16(), 201, "{taken:?}");
    taken.ok()["withdrawal"]["id"].as_str().unwrap().to_owned()
}

async fn end(stage: &Stage, keys: &Keys, id: &str, how: &str) -> Answer {
    stage.post(&format!("{OF_ALICE}/{id}/{how}"), &keys["withdraw"], json!({})).await
}

async fn audit(stage: &Stage, keys: &Keys) -> Value {
    stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_taken_out_at_once_and_ended_by_the_platform() {
    let (stage, keys) = funded().await;
    let taken = try_withdraw(&stage, &keys, "k1", 400).await;
    let told = taken.ok();
    let id = told["withdrawal"]["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": id, "user": "alice", "amount": 400, "reference": "payout 7", "state": "held", "hanging": false,
        "requested_at_ms": told["withdrawal"]["requested_at_ms"],
    });
    assert_eq!((&told["withdrawal"], &told["wallet"]["balance"]), (&expected, &json!(600)));
    let looked = stage.get(&format!("{OF_ALICE}/{id}"), &keys["member"]).await.ok();
    assert_eq!(looked, expected, "a member sees it");
    let done = end(&stage, &keys, &id, "complete").await.ok();
    assert_eq!((&done["state"], done["ended_at_ms"].is_u64()), (&json!("completed"), true));
    assert_eq!(end(&stage, &keys, &id, "complete").await.ok(), done, "said again, the answer is the same");
    let other = end(&stage, &keys, &id, "cancel").await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (409, "withdrawal-completed"));
    let back = withdraw(&stage, &keys, "k2", 100).await;
    assert_eq!(end(&stage, &keys, &back, "cancel").await.ok()["state"], "cancelled");
    let other = end(&stage, &keys, &back, "complete").await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (409, "withdrawal-cancelled"));
    let statement = stage.get("/v1/users/alice/wallet/statement", &keys["member"]).await.ok();
    let lines: Vec<_> = statement["items"].as_array().unwrap().iter().collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| (line["kind"].as_str().unwrap(), line["amount"].as_i64().unwrap(), &line["withdrawal"]))
        .collect();
    let (first, second, none) = (json!(id), json!(back), Value::Null);
    let expected = [
        ("cancelled", 100, &second),
        ("withdrawn", -100, &second),
        ("withdrawn", -400, &first),
        ("funded", 1_000, &none),
    ];
    assert_eq!(lines, expected);
    let audit = audit(&stage, &keys).await;
    let sums = ["funded", "wallets", "held", "withdrawn"].map(|sum| audit[sum].as_i64().unwrap());
    assert_eq!((sums, &audit["is_conserved"]), ([1_000, 600, 0, 400], &json!(true)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_keeps_to_its_key_also_where_nobody_remembers_the_request() {
    let (stage, keys) = funded().await;
    let id = withdraw(&stage, &keys, "k1", 400).await;
    let again = try_withdraw(&stage, &keys, "k1", 400).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.ok()["withdrawal"]["id"], json!(id));
    assert_eq!(try_withdraw(&stage, &keys, "k1", 401).await.problem(), "key-reused");
    end(&stage, &keys, &id, "complete").await.ok();
    // What was kept of the request is forgotten; the ledger knows the key for ever, and how it ended.
    stage.clock.advance(2 * DAY_MS);
    stage.stores.registry.forget_answers(u64::MAX).await.unwrap();
    let later = try_withdraw(&stage, &keys, "k1", 400).await;
    assert_eq!(later.header("idempotency-replayed"), None);
    let told = later.ok();
    assert_eq!((&told["withdrawal"]["id"], &told["withdrawal"]["state"]), (&json!(id), &json!("completed")));
    stage.stores.registry.forget_answers(u64::MAX).await.unwrap();
    let other = try_withdraw(&stage, &keys, "k1", 401).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key-reused"));
    assert_eq!(audit(&stage, &keys).await["withdrawn"], 400);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_out_is_refused_with_a_code() {
    let (stage, keys) = funded().await;
    let poor = try_withdraw(&stage, &keys, "k1", 1_001).await;
    assert_eq!((poor.status.as_u16(), poor.problem().as_str()), (422, "insufficient-funds"));
    assert!(poor.text.contains("the wallet holds ¥10.00"), "{poor:?}");
    let post = async |key: &str, body: Value| stage.once(OF_ALICE, &keys["withdraw"], key, body).await;
    for (key, body, status, code) in [
        ("k2", json!({"amount": 0}), 400, "invalid-argument"),
        ("k3", json!({"amount": u64::MAX}), 400, "invalid-argument"),
        ("k4", json!({"amount": 1, "reference": "x".repeat(257)}), 400, "invalid-argument"),
        ("k5", json!({"amount": 1, "reference": "a\u{7}b"}), 400, "invalid-argument"),
        ("k6", json!({"amount": -1}), 400, "malformed"),
        ("k7", json!({"amount": "1"}), 400, "malformed"),
        ("k8", json!({"amount": 1, "to": "bank"}), 400, "malformed"),
    ] {
        let refused = post(key, body).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (status, code), "{key}");
    }
    let keyless = stage.post(OF_ALICE, &keys["withdraw"], json!({"amount": 1})).await;
    assert_eq!(keyless.problem(), "idempotency-key-missing");
    let id = withdraw(&stage, &keys, "k1", 1_000).await;
    let unknown = ["none", "00000000-0000-7000-8000-000000000000"];
    for how in ["complete", "cancel"] {
        for id in unknown {
            assert_eq!(end(&stage, &keys, id, how).await.problem(), "not-found");
        }
        let of_bob = format!("/v1/users/bob/wallet/withdrawals/{id}/{how}");
        assert_eq!(stage.post(&of_bob, &keys["withdraw"], json!({})).await.problem(), "not-found");
        let path = format!("{OF_ALICE}/{id}/{how}");
        for scope in ["member", "fund", "admin"] {
            assert_eq!(stage.post(&path, &keys[scope], json!({})).await.problem(), "forbidden", "{scope}");
        }
    }
    assert_eq!(audit(&stage, &keys).await["held"], 1_000, "it is still held");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_pages_and_what_hangs_says_so() {
    let (stage, keys) = funded().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(withdraw(&stage, &keys, &format!("k{number}"), 10).await);
        stage.clock.advance(1_000);
    }
    end(&stage, &keys, &ids[2], "complete").await.ok();
    let ids_of = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = stage.get(&format!("{OF_ALICE}?limit=3"), &keys["member"]).await.ok();
    assert_eq!(ids_of(&first), [&*ids[4], &ids[3], &ids[2]], "of a user the latest first");
    let next = first["next"].as_str().unwrap();
    let second = stage.get(&format!("{OF_ALICE}?limit=3&before={next}"), &keys["withdraw"]).await.ok();
    assert_eq!(ids_of(&second), [&*ids[1], &ids[0]]);
    let held = stage.get("/v1/withdrawals?state=held&limit=2", &keys["withdraw"]).await.ok();
    assert_eq!(ids_of(&held), [&*ids[0], &ids[1]], "of the tenant the oldest first");
    let next = held["next"].as_str().unwrap();
    let rest = stage.get(&format!("/v1/withdrawals?before={next}"), &keys["withdraw"]).await.ok();
    assert_eq!((ids_of(&rest), &rest["next"]), (vec![ids[3].clone(), ids[4].clone()], &Value::Null));
    assert_eq!(
        stage.get("/v1/withdrawals?state=completed", &keys["withdraw"]).await.problem(),
        "invalid-argument"
    );
    assert_eq!(stage.get("/v1/withdrawals", &keys["member"]).await.problem(), "forbidden");

    stage.clock.advance(DAY_MS - 3_000);
    let held = stage.get("/v1/withdrawals", &keys["withdraw"]).await.ok();
    let hanging: Vec<_> =
        held["items"].as_array().unwrap().iter().map(|item| item["hanging"] == true).collect();
    assert_eq!(hanging, [true, true, false, false]);
    let found = stage.post("/v1/tenants/acme/reconcile", &keys["admin"], json!({})).await.ok();
    let told: Vec<_> =
        found["hanging"].as_array().unwrap().iter().map(|one| one["withdrawal"].clone()).collect();
    assert_eq!((told, &found["is_clean"]), (vec![json!(ids[0]), json!(ids[1])], &json!(false)));
    // The limit is a setting of the tenant.
    let limits = json!({"limits": {"withdrawal_ms": 2 * DAY_MS}});
    stage.put("/v1/tenants/acme/settings", &stage.operator, limits).await.ok();
    let found = stage.post("/v1/tenants/acme/reconcile", &keys["admin"], json!({})).await.ok();
    assert_eq!((&found["hanging"], &found["is_clean"]), (&json!([]), &json!(true)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_can_be_ended_while_the_tenant_is_suspended() {
    let (stage, keys) = funded().await;
    let (one, other) = (withdraw(&stage, &keys, "k1", 10).await, withdraw(&stage, &keys, "k2", 20).await);
    stage.post("/v1/tenants/acme/suspend", &stage.operator, json!({})).await.ok();
    let more = try_withdraw(&stage, &keys, "k3", 10).await;
    assert_eq!((more.status.as_u16(), more.problem().as_str()), (503, "suspended"));
    let held = stage.get("/v1/withdrawals", &keys["withdraw"]).await.ok();
    assert_eq!(held["items"].as_array().unwrap().len(), 2, "it can be seen what is to be ended");
    assert_eq!(end(&stage, &keys, &one, "complete").await.ok()["state"], "completed");
    assert_eq!(end(&stage, &keys, &other, "cancel").await.ok()["state"], "cancelled");
    let audit = stage.get("/v1/tenants/acme/audit", &stage.operator).await.ok();
    assert_eq!(
        (&audit["held"], &audit["withdrawn"], &audit["wallets"]),
        (&json!(0), &json!(10), &json!(990))
    );
    stage.stop().await;
}

/// The ledger takes effect and its answer is lost, in each of the phases: asked again, nothing moves twice.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_between_the_phases_lose_and_make_no_money() {
    let mut stores = Stores::default();
    let ledger = Faulty::<dyn Ledger>::new(stores.ledger);
    stores.ledger = Arc::<Faulty<dyn Ledger>>::clone(&ledger);
    let stage = Stage::with(stores, unhurried(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    for (number, how) in ["complete", "cancel"].into_iter().enumerate() {
        let key = format!("k{number}");
        for fault in [Fault::Down, Fault::ReplyLost] {
            ledger.set(fault);
            let lost = try_withdraw(&stage, &keys, &key, 300).await;
            assert_eq!((lost.status.as_u16(), lost.problem().as_str()), (503, "unavailable"), "{fault:?}");
        }
        ledger.set(Fault::None);
        let id = withdraw(&stage, &keys, &key, 300).await;
        for fault in [Fault::Down, Fault::ReplyLost] {
            ledger.set(fault);
            let lost = end(&stage, &keys, &id, how).await;
            assert_eq!((lost.status.as_u16(), lost.problem().as_str()), (503, "unavailable"), "{fault:?}");
        }
        ledger.set(Fault::None);
        end(&stage, &keys, &id, how).await.ok();
    }
    let audit = audit(&stage, &keys).await;
    let sums = ["funded", "wallets", "held", "withdrawn"].map(|sum| audit[sum].as_i64().unwrap());
    assert_eq!((sums, &audit["is_conserved"]), ([1_000, 700, 0, 300], &json!(true)));
    stage.stop().await;
}

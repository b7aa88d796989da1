//! What happened to a tenant's money: pages and the stream of `GET /v1/events`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Name, Scope, TenantId};
use hongbao_host::server::{NewKey, Seal};
use hongbao_host::store::sqlite::SqliteLedger;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::events::{Stream, Told};
use crate::stage::{Keys, NOW_MS, Stage, Stores, unhurried, until};

const EVENTS: &str = "/v1/events";

fn following(stage: &Stage, key: &str, query: &str) -> RequestBuilder {
    stage.request(Method::GET, &format!("{EVENTS}{query}"), key).header("accept", "text/event-stream")
}

async fn stream(stage: &Stage, keys: &Keys, query: &str) -> Stream {
    Stream::of(following(stage, &keys["member"], query)).await
}

async fn page(stage: &Stage, keys: &Keys, query: &str) -> Value {
    stage.get(&format!("{EVENTS}{query}"), &keys["member"]).await.ok()
}

fn kinds(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect()
}

/// A packet of 300 in 3 shares: two are claimed and settled, the rest is refunded.
async fn packet(stage: &Stage, keys: &Keys) -> String {
    stage.fund(keys, "alice", 1_000).await;
    let packet = stage.packet(keys, "p", 300, 3).await;
    for user in ["bob", "carol"] {
        stage.tap(keys, &packet, "grab-and-open", user).await.ok();
    }
    until("settled", || async { stage.stores.ledger.backlog().await.unwrap().normal.claims == 0 }).await;
    stage.clock.advance(24 * 60 * 60 * 1000);
    until("refunded", || async { page(stage, keys, "").await["items"].as_array().unwrap().len() == 7 }).await;
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_tell_everything_in_order_and_go_on_after_each() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    assert_eq!(page(&stage, &keys, "").await, json!({"items": [], "more": false}));
    let packet = packet(&stage, &keys).await;
    let all = page(&stage, &keys, "").await;
    let items = all["items"].as_array().unwrap();
    assert_eq!(kinds(&all["items"])[..2], ["wallet.funded", "packet.sent"]);
    assert_eq!(kinds(&all["items"])[6], "packet.refunded");
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    assert_eq!(
        items[0],
        json!({"id": items[0]["id"], "kind": "wallet.funded", "at_ms": items[0]["at_ms"], "user": "alice", "amount": 1_000})
    );
    let sent = json!({
        "id": items[1]["id"], "kind": "packet.sent", "at_ms": items[1]["at_ms"], "user": "alice", "amount": 300,
        "packet": packet, "room": "family", "shares": 3, "greeting": "hi",
        "expires_at_ms": items[1]["at_ms"].as_u64().unwrap() + 24 * 60 * 60 * 1000,
    });
    assert_eq!(items[1], sent);
    let claims: Vec<_> = items.iter().filter(|item| item["kind"] == "share.claimed").collect();
    assert_eq!([&claims[0]["sequence"], &claims[1]["sequence"]], [1, 2]);
    for claim in &claims {
        let is_settled = |item: &&Value| item["kind"] == "share.settled" && item["user"] == claim["user"];
        assert_eq!(items.iter().find(is_settled).unwrap()["amount"], claim["amount"]);
    }
    let claimed: u64 = claims.iter().map(|claim| claim["amount"].as_u64().unwrap()).sum();
    assert_eq!((&items[6]["user"], &items[6]["amount"]), (&json!("alice"), &json!(300 - claimed)));
    assert_eq!((&all["next"], &all["more"]), (&items[6]["id"], &json!(false)));
    for (index, item) in items.iter().enumerate() {
        let rest = page(&stage, &keys, &format!("?after={}", id(item))).await;
        assert_eq!(rest["items"].as_array().unwrap()[..], items[index + 1..]);
    }
    // By two at a time, an empty `after` being that of the beginning.
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let part = page(&stage, &keys, &format!("?limit=2&after={after}")).await;
        read.extend(part["items"].as_array().unwrap().clone());
        after = part["next"].as_str().unwrap().to_owned();
        if part["more"] == false {
            break;
        }
    }
    assert_eq!(read, *items);
    // Of some kinds: what is left out is read over, and not read again.
    let some = page(&stage, &keys, "?kinds=packet.sent,packet.refunded&limit=3").await;
    assert_eq!((kinds(&some["items"]), &some["more"]), (vec!["packet.sent"], &json!(true)));
    assert_eq!(some["next"], items[2]["id"]);
    let none = page(&stage, &keys, &format!("?kinds=wallet.funded&after={}", id(&items[0]))).await;
    assert_eq!((none["items"].as_array().unwrap().len(), &none["next"]), (0, &items[6]["id"]));
    let at_the_end = page(&stage, &keys, &format!("?after={}", id(&items[6]))).await;
    assert_eq!(at_the_end, json!({"items": [], "next": items[6]["id"], "more": false}));
    stage.stop().await;
}

fn ids(told: &[Told]) -> Vec<Option<String>> {
    told.iter().map(|told| told.id.clone()).collect()
}

async fn take(stream: &mut Stream, count: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(stream.next().await.expect("the stream goes on"));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_what_happens_and_goes_on_after_what_was_told() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "early", 1).await;
    let mut now = stream(&stage, &keys, "").await;
    let mut some = stream(&stage, &keys, "?kinds=packet.refunded&after=").await;
    packet_after_early(&stage, &keys).await;
    let told = take(&mut now, 7).await;
    assert_eq!(
        (told[0].name.as_str(), &told[0].data["user"]),
        ("wallet.funded", &json!("alice")),
        "from now on"
    );
    let all = page(&stage, &keys, "").await;
    let items = all["items"].as_array().unwrap();
    let data: Vec<_> = told.iter().map(|told| told.data.clone()).collect();
    assert_eq!(data, items[1..], "as pages tell it");
    assert!(told.iter().all(|told| told.data["id"] == json!(told.id) && told.data["kind"] == told.name));
    assert_eq!(some.next().await.unwrap().data, items[7]);
    // From the beginning, and after every event, by the header or by the query; the header counts more.
    let mut whole = stream(&stage, &keys, "?after=").await;
    assert_eq!(ids(&take(&mut whole, 8).await)[1..], ids(&told)[..]);
    for index in 0..6 {
        let id = told[index].id.clone().unwrap();
        let by_header = following(&stage, &keys["member"], "?after=").header("last-event-id", &id);
        for mut stream in [Stream::of(by_header).await, stream(&stage, &keys, &format!("?after={id}")).await]
        {
            assert_eq!(ids(&take(&mut stream, 6 - index).await), ids(&told)[index + 1..]);
        }
    }
    stage.stop().await;
}

async fn packet_after_early(stage: &Stage, keys: &Keys) {
    stage.fund(keys, "alice", 1_000).await;
    let packet = stage.packet(keys, "p", 300, 3).await;
    for user in ["bob", "carol"] {
        stage.tap(keys, &packet, "grab-and-open", user).await.ok();
    }
    until("settled", || async { stage.stores.ledger.backlog().await.unwrap().normal.claims == 0 }).await;
    stage.clock.advance(24 * 60 * 60 * 1000);
    until("refunded", || async { page(stage, keys, "").await["items"].as_array().unwrap().len() == 8 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_host_moves_is_told_at_once_and_what_others_move_within_seconds() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let mut stream = stream(&stage, &keys, "").await;
    // Until it looks once a second only.
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    let mut quickest = Duration::MAX;
    for turn in 1..=3 {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let begun = Instant::now();
        stage.fund(&keys, "alice", turn).await;
        stream.next().await.unwrap();
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_millis(300), "a call wakes it: {quickest:?}");
    let (tenant, bob) = (TenantId::new("acme").unwrap(), hongbao_tests::chat::user("bob"));
    let amount = hongbao_tests::chat::amount(5);
    // As another host does it.
    stage.stores.ledger.fund(&tenant, &bob, amount, None, 1).await.unwrap();
    let told = timeout(Duration::from_secs(5), stream.next()).await.expect("it looks by itself").unwrap();
    assert_eq!(told.data["user"], "bob");
    stage.stop().await;
}

/// A key that acts for bob alone, as demo sessions have it.
async fn bound_to_bob(stage: &Stage) -> String {
    let registry = &stage.stores.registry;
    let new = NewKey {
        tenant: Some(TenantId::new("acme").unwrap()),
        user: Some(hongbao_tests::chat::user("bob")),
        label: Name::new("bob").unwrap(),
        scopes: [Scope::Member].into_iter().collect(),
        expires_at_ms: None,
    };
    let (key, text) = new.make(&Seal::of(&**registry).await.unwrap(), NOW_MS).unwrap();
    registry.add_key(key).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_in_a_wrong_way_is_refused() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let other = stage.tenant("other").await;
    stage.fund(&other, "alice", 2_000).await;
    let foreign = page(&stage, &other, "").await["items"][0]["id"].as_str().unwrap().to_owned();
    let own = page(&stage, &keys, "").await["items"][0]["id"].as_str().unwrap().to_owned();
    let (place, check) = own.rsplit_once('-').unwrap();
    let changed = format!("{place}-{:08x}", u32::from_str_radix(check, 16).unwrap() ^ 1);
    for (query, status, code) in [
        ("?after=x", 400, "invalid-argument"),
        ("?after=1-0", 400, "invalid-argument"),
        ("?limit=0", 400, "invalid-argument"),
        ("?limit=1001", 400, "invalid-argument"),
        ("?limit=-1", 400, "invalid-argument"),
        ("?kinds=packet", 400, "invalid-argument"),
        ("?kinds=packet.sent,", 400, "invalid-argument"),
        ("?aftr=", 400, "invalid-argument"),
        (&format!("?after={foreign}"), 410, "cursor-gone"),
        (&format!("?after={changed}"), 410, "cursor-gone"),
        ("?after=77-a77-00000000", 410, "cursor-gone"),
    ] {
        for request in [
            stage.request(Method::GET, &format!("{EVENTS}{query}"), &keys["member"]),
            following(&stage, &keys["member"], query),
        ] {
            let answer = stage.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, code), "{query}");
        }
    }
    for (id, code) in [("x", "invalid-argument"), (foreign.as_str(), "cursor-gone")] {
        let request = following(&stage, &keys["member"], "").header("last-event-id", id);
        assert_eq!(stage.send(request).await.problem(), code);
    }
    let bound = bound_to_bob(&stage).await;
    for (key, status, code) in [
        (bound.as_str(), 403, "forbidden"),
        (&keys["fund"], 403, "forbidden"),
        (&keys["admin"], 403, "forbidden"),
        (&stage.operator, 403, "forbidden"),
        ("hb_nothing", 401, "unauthenticated"),
    ] {
        let answer = stage.get(EVENTS, key).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, code));
    }
    stage.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    assert_eq!(stage.get(EVENTS, &keys["member"]).await.problem(), "suspended");
    assert_eq!(stage.send(following(&stage, &keys["member"], "")).await.problem(), "suspended");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_counts_as_one_and_ends_with_its_tenant_its_key_and_the_host() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let grants = ["counter", "ledger", "entropy", "clock", "log", "policy"];
    let settings = json!({"limits": {"streams": 1}, "grants": grants});
    stage.put("/v1/tenants/acme/settings", &stage.operator, settings).await.ok();
    let mut suspended = stream(&stage, &keys, "").await;
    let full = stage.send(following(&stage, &keys["member"], "")).await;
    assert_eq!(full.problem(), "quota-reached");
    stage.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    assert!(timeout(Duration::from_secs(5), suspended.next()).await.expect("it ends").is_none());

    let revoked = stage.tenant("revoked").await;
    let mut stream_of_revoked = stream(&stage, &revoked, "").await;
    let id = &revoked["member"][3..19];
    stage.delete(&format!("/v1/tenants/revoked/keys/{id}"), &revoked["admin"]).await.ok();
    assert!(timeout(Duration::from_secs(12), stream_of_revoked.next()).await.expect("it ends").is_none());

    let last = stage.tenant("last").await;
    let mut stream_of_last = stream(&stage, &last, "").await;
    let stopped = tokio::spawn(stage.stop());
    assert!(timeout(Duration::from_secs(5), stream_of_last.next()).await.expect("it ends").is_none());
    timeout(Duration::from_secs(5), stopped).await.expect("nobody holds it up").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_between_writing_and_reading_loses_no_event() {
    let stores = Stores::default();
    let stage = Stage::with(stores.clone(), unhurried(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1).await;
    let first = page(&stage, &keys, "").await["next"].as_str().unwrap().to_owned();
    // Nobody listens while it happens, and whoever answered for it is gone.
    stage.fund(&keys, "alice", 2).await;
    stage.stop().await;
    let stage = Stage::with(stores, unhurried(), None).await;
    let mut stream = stream(&stage, &keys, &format!("?after={first}")).await;
    let told = stream.next().await.unwrap();
    assert_eq!((told.name.as_str(), &told.data["amount"]), ("wallet.funded", &json!(2)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_lost_its_last_moments_is_told_of_by_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let stores =
        Stores { ledger: Arc::new(SqliteLedger::open(directory.path()).unwrap()), ..Stores::default() };
    let stage = Stage::with(stores, unhurried(), None).await;
    let keys = stage.tenant("acme").await;
    let mut stream = stream(&stage, &keys, "").await;
    stage.fund(&keys, "alice", 5).await;
    let lost = stream.next().await.unwrap().id.unwrap();
    // As if the file were an older copy of itself.
    let file = rusqlite::Connection::open(directory.path().join("hongbao.db")).unwrap();
    file.execute_batch("DROP TRIGGER movements_are_kept; DELETE FROM movements").unwrap();
    let gap = stream.next().await.unwrap();
    assert_eq!((gap.name.as_str(), &gap.data, gap.id), ("gap", &json!({"after": lost}), None));
    assert!(stream.next().await.is_none(), "the stream ends with it");
    let again = following(&stage, &keys["member"], "").header("last-event-id", &lost);
    assert_eq!(stage.send(again).await.problem(), "cursor-gone");
    stage.stop().await;
}

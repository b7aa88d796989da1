//! The books of the database, read by plain statements, and what the hosts tell, compared with everything
//! that was answered.

use std::collections::BTreeMap;

use hongbao_tests::chaos::{Books, Claim, Movement, compare};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::caller::{get, post};
use crate::load::Record;
use crate::stage::{Stage, TENANT, until};

/// Everything that was answered is so, and nothing else moved.
pub async fn all_is_sound(stage: &Stage, record: &Record) {
    let books = settled(stage).await;
    let found = wrongs(record, &books);
    assert!(found.is_empty(), "{} wrongs: {:#?}", found.len(), &found[..found.len().min(20)]);
    finds_what_is_spoiled(record, &books);
    packets_are_told_as_they_were_sent(stage, record).await;
    let audit = stage.caller.ok(get("admin", format!("/v1/tenants/{TENANT}/audit"))).await;
    assert_eq!((&audit["is_conserved"], &audit["discrepancies"]), (&json!(true), &json!([])), "{audit}");
    assert_eq!((&audit["unsettled"], &audit["packets"]), (&json!(0), &json!(record.orders.len())), "{audit}");
    let reconcile = |repair: bool| {
        stage.caller.ok(post("admin", format!("/v1/tenants/{TENANT}/reconcile"), json!({"repair": repair})))
    };
    let found = reconcile(true).await;
    assert_eq!((&found["discrepancies"], &found["overdue"]), (&json!([]), &json!([])), "{found}");
    let mismatches = found["mismatches"].as_array().unwrap();
    assert!(mismatches.iter().all(|one| one["repaired"] == true), "{found}");
    let found = reconcile(false).await;
    assert_eq!(found["is_clean"], true, "{found}");
}

/// The books once settlement and expiry have caught up.
async fn settled(stage: &Stage) -> Books {
    until("settlement and refunds", || async {
        let now = "extract(epoch FROM now()) * 1000";
        let due =
            format!("SELECT count(*) FROM hongbao.packets WHERE status = 'open' AND expires_at_ms < {now}");
        let books = Books::read(&stage.ledger).await.unwrap();
        books.outbox == 0 && count(&stage.ledger, &due).await == 0
    })
    .await;
    Books::read(&stage.ledger).await.unwrap()
}

async fn count(url: &str, sql: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Everything that is wrong.
fn wrongs(record: &Record, books: &Books) -> Vec<String> {
    let mut found: Vec<_> = compare(&record.told, books).into_iter().map(|wrong| wrong.what).collect();
    for (packet, (key, order)) in &record.orders {
        let kept =
            books.packets.get(packet).map(|kept| json!([kept.key, kept.sender, kept.total, kept.shares]));
        if kept != Some(json!([key, order["sender"], order["total"], order["shares"]])) {
            found.push(format!("{packet} was sent as {key}, {order}, and is kept as {kept:?}"));
        }
    }
    if books.packets.len() != record.orders.len() {
        found.push(format!(
            "{} packets were acknowledged, {} are kept",
            record.orders.len(),
            books.packets.len()
        ));
    }
    found.extend(unfinished(books));
    let mut funded = BTreeMap::<_, Vec<_>>::new();
    for movement in books.movements.iter().filter(|movement| movement.kind == "fund") {
        funded.entry(movement.user.clone()).or_default().push(movement.amount.cast_unsigned());
    }
    if funded != record.funded {
        found.push(format!("fundings were acknowledged as {:?} and are kept as {funded:?}", record.funded));
    }
    found
}

/// Packets that are finished and not all given away, or the other way round.
fn unfinished(books: &Books) -> Vec<String> {
    let mut claimed = BTreeMap::<&str, (i64, i64)>::new();
    for claim in &books.claims {
        let sums = claimed.entry(&claim.packet).or_default();
        *sums = (sums.0 + 1, sums.1 + claim.amount);
    }
    let wrong = books.packets.iter().filter(|(id, packet)| {
        let sums = claimed.get(id.as_str()).copied().unwrap_or_default();
        let is_given_away = sums == (packet.shares, packet.total);
        (packet.status == "finished") != is_given_away
    });
    wrong
        .map(|(id, packet)| format!("{id}: {packet:?} has claims of {:?}", claimed.get(id.as_str())))
        .collect()
}

/// A check that finds nothing in spoiled books would be none.
fn finds_what_is_spoiled(record: &Record, books: &Books) {
    let finds = |what: &str, spoil: &dyn Fn(&mut Books)| {
        let mut books = books.clone();
        spoil(&mut books);
        assert!(!wrongs(record, &books).is_empty(), "not found: {what}");
    };
    let claim = books.claims.first().expect("somebody has opened something");
    finds("a claim more", &|books| {
        books.claims.push(Claim { user: "nobody".into(), ..claim.clone() });
    });
    finds("a claim less", &|books| _ = books.claims.pop());
    finds("another amount", &|books| books.claims[0].amount += 1);
    finds("a packet more", &|books| {
        let (_, packet) = books.packets.first_key_value().unwrap();
        let packet = packet.clone();
        books.packets.insert("other".into(), packet);
    });
    finds("a funding twice", &|books| {
        let funding = books.movements.iter().find(|movement| movement.kind == "fund").unwrap();
        let funding: Movement = funding.clone();
        books.movements.push(funding);
    });
}

/// Every packet, asked of one host or the other.
async fn packets_are_told_as_they_were_sent(stage: &Stage, record: &Record) {
    const AT_ONCE: usize = 16;
    let mut asked = JoinSet::new();
    for (number, (packet, (_, order))) in record.orders.iter().enumerate() {
        if asked.len() >= AT_ONCE {
            asked.join_next().await.unwrap().unwrap();
        }
        let (caller, packet, order) = (stage.directly(number % 2), packet.clone(), order.clone());
        asked.spawn(async move {
            let told = caller.ok(get("member", format!("/v1/packets/{packet}"))).await;
            is_as_sent(&packet, &order, &told);
        });
    }
    while let Some(one) = asked.join_next().await {
        one.unwrap();
    }
}

fn is_as_sent(packet: &str, order: &Value, told: &Value) {
    for name in ["room", "sender", "total", "shares", "strategy", "greeting"] {
        assert_eq!(told[name], order[name], "{name} of {packet}: {told}");
    }
    let ms = |name: &str| told[name].as_u64().unwrap();
    let life = order["expires_in_ms"].as_u64().unwrap();
    assert_eq!(ms("expires_at_ms") - ms("sent_at_ms"), life, "{told}");
    let claims = told["claims"].as_array().unwrap();
    let sum: u64 = claims.iter().map(|claim| claim["amount"].as_u64().unwrap()).sum();
    assert_eq!((sum, claims.len() as u64), (ms("claimed_amount"), ms("claimed_shares")), "{told}");
}

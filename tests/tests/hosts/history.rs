//! Hosts whose ledger is put back to what it was before.

use serde_json::{Value, json};

use crate::caller::{Caller, get, post};
use crate::stage::{Stage, psql, until};

async fn send(caller: &Caller, key: &str) -> String {
    let body = json!({"room": "family", "sender": "alice", "total": 1_000, "shares": 3});
    caller.ok(post("member", "/v1/packets", body).once(key)).await["packet"].as_str().unwrap().to_owned()
}

async fn tap(caller: &Caller, packet: &str, how: &str, user: &str) -> Value {
    caller.ok(post("member", format!("/v1/packets/{packet}/{how}"), json!({"user": user}))).await
}

async fn is_ready(host: &Caller) -> bool {
    let ready = host.client.get(format!("{}/readyz", host.url)).send().await;
    ready.is_ok_and(|answer| answer.status().is_success())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_ledger_is_not_held_against_what_a_newer_cache_knows() {
    let mut stage = Stage::start().await;
    let database = stage.ledger.rsplit('/').next().unwrap().to_owned();
    let fund = post("fund", "/v1/users/alice/wallet/funds", json!({"amount": 10_000}));
    stage.caller.ok(fund.once("money")).await;
    let packet = send(&stage.caller, "before").await;
    for host in &mut stage.hosts {
        host.end("KILL").await;
    }
    psql(&format!("CREATE DATABASE {database}_backup TEMPLATE {database}"));
    for host in &mut stage.hosts {
        host.start().await;
    }
    let hosts = [stage.directly(0), stage.directly(1)];
    for user in ["bob", "carol", "dave"] {
        assert_eq!(tap(&hosts[0], &packet, "grab-and-open", user).await["outcome"], "opened");
    }
    for host in &hosts {
        assert_eq!(tap(host, &packet, "grab", "erin").await["outcome"], "exhausted");
    }
    let later = send(&hosts[0], "after").await;
    assert_eq!(tap(&hosts[1], &later, "grab", "bob").await["outcome"], "admitted");

    psql(&format!("DROP DATABASE {database} WITH (FORCE)"));
    psql(&format!("ALTER DATABASE {database}_backup RENAME TO {database}"));
    for (number, host) in hosts.iter().enumerate() {
        until("a host on the restored ledger", || is_ready(host)).await;
        until("a host that noticed", || async {
            !stage.hosts[number].log("the ledger goes on in another history").is_empty()
        })
        .await;
    }
    // Nobody is told of a share that the ledger does not have.
    let again = tap(&hosts[0], &packet, "grab", "bob").await;
    assert_eq!(again, json!({"outcome": "admitted", "may_open": true}));
    let opened = tap(&hosts[1], &packet, "open", "bob").await;
    assert_eq!(opened["outcome"], "opened");
    for host in &hosts {
        let told = tap(host, &packet, "grab", "bob").await;
        assert_eq!((&told["outcome"], &told["amount"]), (&json!("already-opened"), &opened["amount"]));
        let unknown = post("member", format!("/v1/packets/{later}/grab"), json!({"user": "carol"}));
        let told = host.ask(&unknown).await.unwrap();
        assert_eq!(told.status.as_u16(), 404, "the ledger knows no such packet");
    }
    let audit = stage.caller.ok(get("admin", "/v1/tenants/acme/audit")).await;
    assert_eq!(audit["is_conserved"], true, "{audit}");
}

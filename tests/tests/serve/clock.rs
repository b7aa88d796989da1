//! A host whose clock jumps while it serves.

use std::sync::Arc;

use hongbao_host::imports::{Clock, ManualClock, SteadyClock, Uptime};
use serde_json::json;

use crate::stage::{Keys, NOW_MS, Stage, Stores, unhurried, until};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// A stage, the clock of its machine, and the time that it really is.
struct Jumping {
    stage: Stage,
    wall: Arc<ManualClock>,
    uptime: Arc<ManualClock>,
}

impl Jumping {
    async fn start() -> Self {
        let (wall, uptime) = (Arc::new(ManualClock::new(NOW_MS)), Arc::new(ManualClock::new(0)));
        let steady = SteadyClock::new(wall.clone(), uptime.clone() as Arc<dyn Uptime>);
        let steady: Arc<dyn Clock> = Arc::new(steady);
        let stage = Stage::by(steady, wall.clone(), Stores::default(), unhurried(), None).await;
        Self { stage, wall, uptime }
    }

    /// Time goes on, and everybody's clock with it.
    fn pass(&self, ms: u64) {
        self.wall.advance(ms);
        self.uptime.advance(ms);
    }

    /// Whether a packet can be taken from, and what its sender has back.
    async fn standing(&self, keys: &Keys, packet: &str) -> (String, u64) {
        let told = self.stage.get(&format!("/v1/packets/{packet}"), &keys["member"]).await.ok();
        (told["state"].as_str().unwrap().to_owned(), told["refunded"].as_u64().unwrap())
    }

    async fn five_minutes(&self, keys: &Keys, id: &str) -> String {
        let body = json!({"room": "family", "sender": "alice", "total": 100, "shares": 2,
                          "expires_in_ms": 5 * MINUTE});
        let sent = self.stage.once("/v1/packets", &keys["member"], id, body).await.ok();
        sent["packet"].as_str().unwrap().to_owned()
    }
}

/// Some sweeps, which come every 20 ms.
async fn sweeps() {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_ends_no_packet_and_no_seat_and_heals_by_itself() {
    let jumping = Jumping::start().await;
    let stage = &jumping.stage;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = jumping.five_minutes(&keys, "k1").await;
    assert_eq!(stage.tap(&keys, &packet, "grab", "bob").await.ok()["outcome"], "admitted");

    jumping.wall.advance(10 * MINUTE);
    until("the host says so", || async { stage.get("/readyz", "").await.status.as_u16() == 503 }).await;
    let ready: serde_json::Value = serde_json::from_str(&stage.get("/readyz", "").await.text).unwrap();
    assert_eq!((&ready["clock"], &ready["ledger"]), (&json!("off"), &json!("ok")));
    assert_eq!(ready["reasons"], json!({"clock": "this machine's clock is 600 s ahead"}));
    let metrics = stage.get("/metrics", "").await.text;
    assert!(metrics.contains("\nhongbao_clock_offset_seconds 600.0\n"), "{metrics}");
    sweeps().await;
    let open = ("open".to_owned(), 0);
    assert_eq!(jumping.standing(&keys, &packet).await, open, "it has five minutes to live");
    let refused = stage
        .once(
            "/v1/packets",
            &keys["member"],
            "k2",
            json!({"room": "r", "sender": "alice", "total": 1, "shares": 1}),
        )
        .await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "clock"));
    assert!(refused.header("retry-after").is_some());
    // Seats are as they were, and who has one opens.
    assert_eq!(stage.tap(&keys, &packet, "grab", "bob").await.ok()["outcome"], "already-grabbed");
    assert_eq!(stage.tap(&keys, &packet, "open", "bob").await.ok()["outcome"], "opened");
    let typed = json!({"id": "m1", "sender": "alice", "text": "/hongbao 1 2"});
    assert_eq!(stage.post("/v1/rooms/family/messages", &keys["member"], typed).await.problem(), "clock");

    jumping.wall.set(NOW_MS);
    jumping.pass(MINUTE);
    let ready = stage.get("/readyz", "").await.ok();
    assert_eq!((&ready["clock"], &ready["reasons"]), (&json!("ok"), &json!({})));
    jumping.five_minutes(&keys, "k3").await;
    assert_eq!(jumping.standing(&keys, &packet).await, open);
    jumping.pass(5 * MINUTE);
    until("the refund", || async { jumping.standing(&keys, &packet).await.1 > 0 }).await;
    jumping.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_makes_nothing_twice_and_takes_no_key_that_is_over() {
    let jumping = Jumping::start().await;
    let stage = &jumping.stage;
    let keys = stage.tenant("acme").await;
    let path = "/v1/tenants/acme/keys";
    let body = json!({"label": "backend", "scopes": ["member"]});
    let ends = json!({"label": "short", "scopes": ["member"], "expires_at_ms": NOW_MS + MINUTE});
    let made = stage.once(path, &keys["admin"], "make", body.clone()).await.ok();
    let short = stage.once(path, &keys["admin"], "short", ends).await.ok();
    let short = short["key"].as_str().unwrap();
    stage.get("/v1/users/bob/wallet", short).await.ok();
    jumping.pass(2 * MINUTE);
    for jump in [NOW_MS + 12 * MINUTE, NOW_MS + 3 * DAY, NOW_MS - 3 * DAY] {
        jumping.wall.set(jump);
        for _ in 0..4 {
            let asked = stage.once(path, &keys["admin"], "make", body.clone()).await;
            assert_eq!((asked.status.as_u16(), asked.problem().as_str()), (503, "clock"));
        }
        assert_eq!(stage.get("/v1/users/bob/wallet", short).await.problem(), "unauthenticated", "{jump}");
        stage.get("/v1/users/bob/wallet", &keys["member"]).await.ok();
    }
    jumping.wall.set(NOW_MS + 2 * MINUTE);
    let again = stage.once(path, &keys["admin"], "make", body).await;
    assert_eq!((again.header("idempotency-replayed"), &again.ok()["id"]), (Some("true"), &made["id"]));
    let all = stage.get(path, &keys["admin"]).await.ok();
    let called = |key: &&serde_json::Value| key["label"] == "backend";
    assert_eq!(all["items"].as_array().unwrap().iter().filter(called).count(), 1, "{all}");
    jumping.stage.stop().await;
}

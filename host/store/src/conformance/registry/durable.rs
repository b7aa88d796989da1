//! What a registry does that outlives its process: it is the same for all who have it open, and when it
//! is opened again.

use super::*;
use crate::WebhookState;

/// Everything that a registry says of the tenants and requests that are named here.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    seal: [u8; 32],
    keys: Vec<Vec<ApiKey>>,
    begun: Vec<Begun>,
    notes: Vec<(u64, AdminEntry)>,
    revision: u64,
    tenants: Vec<TenantRecord>,
    plugins: Vec<(PluginRecord, Option<Vec<u8>>)>,
    webhooks: Vec<WebhookState>,
}

fn requests() -> [RequestKey; 2] {
    [request(Some(HERE), "answered"), request(None, "under way")]
}

async fn whole(bench: &Bench) -> Whole {
    let (mut keys, mut begun, mut plugins) = (Vec::new(), Vec::new(), Vec::new());
    for owner in [Some(HERE), Some(ELSEWHERE), None].map(|owner| owner.map(tenant)) {
        keys.push(bench.registry.keys(owner.as_ref(), None, u32::MAX).await.expect("keys answers"));
    }
    for request in &requests() {
        begun.push(bench.begin(request, 1, 1).await);
    }
    for plugin in bench.plugins(HERE).await {
        let code = bench.code(HERE, &plugin.digest).await;
        plugins.push((plugin, code));
    }
    let notes = bench.notes(None, None, u32::MAX).await;
    let (seal, revision, tenants) = (bench.seal(0xff).await, bench.revision().await, bench.tenants().await);
    let webhooks = bench.registry.webhooks(&tenant(HERE)).await.expect("webhooks answers");
    Whole { seal, keys, begun, notes, revision, tenants, plugins, webhooks }
}

/// Writes something of each kind with one handle and finds it with the other.
async fn write(one: &Bench, other: &Bench) {
    assert_eq!((one.seal(5).await, other.seal(6).await), ([5; 32], [5; 32]));
    let expiring = ApiKey { expires_at_ms: Some(START + 5), ..key(Some(HERE), 1) };
    one.add(&expiring).await;
    one.add(&key(None, 2)).await;
    assert_eq!(other.key(1).await, Some(expiring));
    assert!(other.revoke(None, 2, 7).await.is_some());
    assert_eq!(one.key(2).await.and_then(|key| key.revoked_at_ms), Some(START + 7));

    let [answered, running] = requests();
    for request in [&answered, &running] {
        assert_eq!(one.begin(request, 1, 0).await, Begun::New);
        assert_eq!(other.begin(request, 1, 0).await, Begun::Running);
    }
    other.answer(&answered, 1, answer_of(201), 1).await;
    assert_eq!(one.begin(&answered, 1, 1).await, Begun::Answered(answer_of(201)));

    one.note(&entry(Some(HERE), 1)).await;
    other.note(&entry(None, 3)).await;
    assert_eq!(one.notes(None, None, 9).await, other.notes(None, None, 9).await);

    let made = one.written(record(HERE)).await;
    assert_eq!(other.revision().await, made.revision);
    assert_eq!(other.put(&record(HERE)).await, None);
    let changed = TenantRecord { plugin: Some("a".into()), former: Some(None), ..made.clone() };
    let changed = other.written(changed).await;
    assert_eq!((one.put(&made).await, one.tenants().await), (None, vec![changed]));

    assert!(one.install(HERE, &plugin("a"), b"abc").await);
    assert!(!other.install(HERE, &plugin("a"), b"xyz").await);
    assert!(other.install(HERE, &plugin("0"), b"xyz").await);

    webhooks::shared(one, other).await;
}

/// Opens the same records again and again.
pub(in crate::conformance) async fn run(open: impl AsyncFn() -> Arc<dyn Registry>) {
    let open = async || Bench { registry: open().await };
    let (one, other) = (open().await, open().await);
    write(&one, &other).await;
    let handles = [one, other];
    races::begins(&handles).await;
    races::writes(&handles).await;
    races::many_tenants(&handles).await;
    races::keys_and_plugins(&handles).await;
    races::notes(&handles).await;
    webhooks::leases(&handles).await;
    let [one, other] = handles;
    let before = whole(&one).await;
    assert_eq!(whole(&other).await, before, "both say the same");
    assert_eq!(before.begun, [Begun::Answered(answer_of(201)), Begun::Running]);
    drop((one, other));
    let again = open().await;
    assert_eq!(whole(&again).await, before, "opened again it says the same");
    assert_eq!(again.put(&record("new")).await, Some(before.revision + 1), "and goes on from there");
    again.note(&entry(None, 1)).await;
    let (last, next) = (before.notes.first(), again.notes(None, None, 1).await);
    assert!(next.first().map(|(place, _)| place) > last.map(|(place, _)| place));
}

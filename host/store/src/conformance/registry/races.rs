//! Many callers at once, through one handle; [`durable`](super::durable) runs the same through two.

use super::*;

checks! { Bench of Registry:
    of_many_who_begin_one_carries_it_out,
    of_many_who_write_a_tenant_one_was_first,
    many_who_write_and_look_again_all_get_there,
    many_tenants_at_once_have_revisions_of_their_own,
    of_many_who_keep_a_key_or_install_a_plugin_one_does,
    whatever_many_write_down_is_there,
}

/// Once would seldom meet the moment that matters.
const ROUNDS: u64 = 20;

/// Races each with the handle that is its turn.
pub(super) async fn race_with<T, F>(handles: &[Bench], racer: impl Fn(Bench, u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let handle = |turn: u32| handles.iter().cycle().nth(turn as usize).expect("there is a handle").clone();
    race(|turn| racer(handle(turn), turn)).await
}

/// Lets racers begin a request, each with the fingerprint that is given for it: one carries it out, and
/// the others are told the same.
async fn begin_at_once(
    handles: &[Bench],
    request: &RequestKey,
    now: u64,
    print: fn(u32) -> u8,
    others: Begun,
) {
    let told = race_with(handles, |bench, turn| {
        let request = request.clone();
        async move { bench.begin(&request, print(turn), now).await }
    });
    let told = told.await;
    let first = told.iter().filter(|begun| **begun == Begun::New).count();
    assert_eq!(first, 1, "one carries {request:?} out at {now}: {told:?}");
    assert!(told.iter().all(|begun| *begun == Begun::New || *begun == others), "{told:?}");
}

pub(super) async fn begins(handles: &[Bench]) {
    let [bench, ..] = handles else { return };
    for round in 0..ROUNDS {
        let [same, dead, old, many] =
            ["same", "dead", "old", "many"].map(|what| request(Some(HERE), &format!("{what} {round}")));
        begin_at_once(handles, &same, 0, |_| 1, Begun::Running).await;
        bench.begin(&dead, 1, 0).await;
        begin_at_once(handles, &dead, RUNNING_MS, |_| 1, Begun::Running).await;
        bench.begin(&old, 99, 0).await;
        bench.answer(&old, 99, answer_of(200), 0).await;
        begin_at_once(handles, &old, ANSWER_KEPT_MS, |_| 1, Begun::Running).await;
        begin_at_once(handles, &many, 0, |turn| turn as u8, Begun::Other).await;
    }
}

async fn of_many_who_begin_one_carries_it_out(bench: Bench) {
    begins(&[bench]).await;
}

/// Racers that know the same revision.
pub(super) async fn writes(handles: &[Bench]) {
    let [bench, ..] = handles else { return };
    for _ in 0..ROUNDS {
        let present = bench.tenants().await.into_iter().find(|present| present.id == tenant("raced for"));
        let present = present.unwrap_or_else(|| record("raced for"));
        let before = bench.revision().await;
        let written = race_with(handles, |bench, turn| {
            let next = TenantRecord { settings: turn.to_string(), ..present.clone() };
            async move { bench.put(&next).await.map(|revision| (revision, next)) }
        });
        let written: Vec<_> = written.await.into_iter().flatten().collect();
        let [(revision, next)] = written.as_slice() else {
            panic!("one was first: {written:?}");
        };
        assert_eq!((*revision, bench.revision().await), (before + 1, before + 1));
        let expected = TenantRecord { revision: *revision, ..next.clone() };
        assert!(bench.tenants().await.contains(&expected), "what the first has written stands");
    }
}

async fn of_many_who_write_a_tenant_one_was_first(bench: Bench) {
    writes(&[bench]).await;
}

async fn many_who_write_and_look_again_all_get_there(bench: Bench) {
    const TIMES: u64 = 3;
    bench.written(TenantRecord { settings: String::new(), ..record(HERE) }).await;
    let racer = |turn: u32| {
        let bench = bench.clone();
        async move {
            let mut written = 0;
            while written < TIMES {
                let present = bench.tenants().await.into_iter().next().expect("the tenant is there");
                let settings = format!("{}{turn},", present.settings);
                written += u64::from(bench.put(&TenantRecord { settings, ..present }).await.is_some());
            }
        }
    };
    race(racer).await;
    let present = bench.tenants().await.into_iter().next().expect("the tenant is there");
    assert_eq!(present.settings.matches(',').count() as u64, u64::from(RACERS) * TIMES, "no change is lost");
    assert_eq!(present.revision, u64::from(RACERS) * TIMES + 1);
}

/// Racers that each write a tenant of their own, and then look.
pub(super) async fn many_tenants(handles: &[Bench]) {
    let [bench, ..] = handles else { return };
    let before = bench.revision().await;
    let revisions = race_with(handles, |bench, turn| async move {
        let written = bench.written(record(&format!("racer {turn}"))).await;
        // Whoever has seen a revision sees every change up to it.
        let seen = bench.revision().await;
        let tenants = bench.tenants().await;
        let there = tenants.iter().filter(|tenant| tenant.revision > before && tenant.revision <= seen);
        (written.revision, seen, there.count() as u64)
    });
    let revisions = revisions.await;
    for (_, seen, there) in &revisions {
        assert_eq!(seen - before, *there, "of those up to revision {seen}, after {before}");
    }
    let mut own: Vec<_> = revisions.into_iter().map(|(revision, ..)| revision).collect();
    own.sort_unstable();
    assert_eq!(own, (before + 1..=before + u64::from(RACERS)).collect::<Vec<_>>());
    assert_eq!(bench.revision().await, before + u64::from(RACERS));
}

async fn many_tenants_at_once_have_revisions_of_their_own(bench: Bench) {
    many_tenants(&[bench]).await;
}

pub(super) async fn keys_and_plugins(handles: &[Bench]) {
    let [bench, ..] = handles else { return };
    for round in 0..ROUNDS {
        let kept = race_with(handles, |bench, turn| async move {
            let own = ApiKey { hash: [turn as u8; 32], ..key(Some(HERE), 1000 + round) };
            bench.registry.add_key(own.clone()).await.is_ok().then_some(own)
        });
        let kept: Vec<_> = kept.await.into_iter().flatten().collect();
        assert_eq!(kept.len(), 1, "one key has the id: {kept:?}");
        assert_eq!(bench.key(1000 + round).await.as_ref(), kept.first());
        let revoked = race_with(handles, |bench, turn| async move {
            bench.revoke(Some(HERE), 1000 + round, turn.into()).await
        });
        let revoked = revoked.await;
        let first = bench.key(1000 + round).await;
        assert!(revoked.iter().all(|told| *told == first), "all are told of the first: {revoked:?}");

        let digest = format!("raced for {round}");
        let installed = race_with(handles, |bench, turn| {
            let plugin = plugin(&digest);
            async move { bench.install(HERE, &plugin, &[turn as u8]).await.then_some(vec![turn as u8]) }
        });
        let installed: Vec<_> = installed.await.into_iter().flatten().collect();
        assert_eq!(installed.len(), 1, "one has installed it: {installed:?}");
        assert_eq!(bench.code(HERE, &digest).await.as_ref(), installed.first());
    }
}

async fn of_many_who_keep_a_key_or_install_a_plugin_one_does(bench: Bench) {
    keys_and_plugins(&[bench]).await;
}

/// Racers that write, and each time look from the latest place that they saw.
pub(super) async fn notes(handles: &[Bench]) {
    const TIMES: u64 = 10;
    let [bench, ..] = handles else { return };
    let before = bench.notes(None, None, 1).await.first().map_or(0, |(place, _)| *place);
    let seen = race_with(handles, |bench, turn| async move {
        let mut seen = Vec::new();
        for time in 0..TIMES {
            bench.note(&entry(Some(HERE), u64::from(turn) * TIMES + time)).await;
            seen.push(bench.notes(None, None, u32::MAX).await);
        }
        seen
    });
    let seen = seen.await.concat();
    let mut last = bench.notes(None, None, u32::MAX).await;
    // An entry that comes to a place below one that was seen would be in the gap between two pages.
    for page in &seen {
        let top = page.first().map_or(0, |(place, _)| *place);
        let below: Vec<_> = last.iter().filter(|(place, _)| *place <= top).collect();
        assert_eq!(page.iter().collect::<Vec<_>>(), below, "all below {top} was there");
    }
    last.retain(|(place, _)| *place > before);
    let mut numbers: Vec<_> = last.into_iter().map(|(_, entry)| entry.at_ms - START).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..u64::from(RACERS) * TIMES).collect::<Vec<_>>());
}

async fn whatever_many_write_down_is_there(bench: Bench) {
    notes(&[bench]).await;
}

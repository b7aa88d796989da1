//! Tenants: written by who knows how they stand, under a number that only rises.

use super::*;

checks! { Bench of Registry:
    a_tenant_is_read_as_it_was_written,
    tenants_are_listed_in_the_order_of_their_names,
    every_change_raises_the_one_revision,
    who_knows_another_revision_writes_nothing,
    a_tenant_is_made_once,
    a_tenant_that_cannot_be_kept_is_refused,
}

const SUSPENDED: Suspension = Suspension { by_operator: true, by_tenant: false };

async fn a_tenant_is_read_as_it_was_written(bench: Bench) {
    assert_eq!((bench.revision().await, bench.tenants().await), (0, Vec::new()));
    let mut present = bench.written(record(HERE)).await;
    assert_eq!(bench.tenants().await, [present.clone()]);
    let digest = || Some("ab".repeat(32));
    for (by_operator, former) in [(true, Some(None)), (true, Some(digest())), (false, None)] {
        let next = TenantRecord {
            settings: "{}".into(),
            plugin: former.is_some().then(|| "cd".repeat(32)),
            former,
            suspension: Suspension { by_operator, by_tenant: !present.suspension.by_tenant },
            declared: present.declared.is_none().then(|| "零".into()),
            created_at_ms: present.created_at_ms + 1,
            ..present
        };
        present = bench.written(next).await;
        assert_eq!(bench.tenants().await, [present.clone()]);
    }
}

async fn tenants_are_listed_in_the_order_of_their_names(bench: Bench) {
    for name in ["ab", "B", "微信", "a b", "é", "a", "b"] {
        bench.written(record(name)).await;
    }
    let found: Vec<_> = bench.tenants().await.into_iter().map(|tenant| tenant.id).collect();
    // By their bytes, whatever the language.
    assert_eq!(found, ["B", "a", "a b", "ab", "b", "é", "微信"].map(tenant));
}

async fn every_change_raises_the_one_revision(bench: Bench) {
    let here = bench.written(record(HERE)).await;
    let elsewhere = bench.written(record(ELSEWHERE)).await;
    assert!(0 < here.revision && here.revision < elsewhere.revision);
    assert_eq!(bench.revision().await, elsewhere.revision);
    let again = bench.written(here.clone()).await;
    assert!(elsewhere.revision < again.revision, "also where nothing is different");
    assert_eq!(bench.revision().await, again.revision);
    assert_eq!(bench.tenants().await, [elsewhere, again], "the others keep theirs");
}

async fn who_knows_another_revision_writes_nothing(bench: Bench) {
    let first = bench.written(record(HERE)).await;
    let other = bench.written(record(ELSEWHERE)).await;
    let present = bench.written(first.clone()).await;
    let revisions = [
        0,
        first.revision,
        other.revision,
        present.revision + 1,
        PAST_ALL,
        u64::MAX,
        u64::MAX - present.revision,
    ];
    for revision in revisions {
        let stale = TenantRecord { revision, suspension: SUSPENDED, ..present.clone() };
        assert_eq!(bench.put(&stale).await, None, "at revision {revision}");
    }
    assert_eq!(bench.revision().await, present.revision, "who was too late raises nothing");
    assert_eq!(bench.tenants().await, [other, present]);
}

async fn a_tenant_is_made_once(bench: Bench) {
    for revision in [1, u64::MAX] {
        assert_eq!(bench.put(&TenantRecord { revision, ..record(HERE) }).await, None, "there is none yet");
    }
    assert_eq!((bench.revision().await, bench.tenants().await), (0, Vec::new()));
    let made = bench.written(record(HERE)).await;
    assert_eq!(bench.put(&TenantRecord { suspension: SUSPENDED, ..record(HERE) }).await, None);
    assert_eq!(bench.tenants().await, [made]);
}

async fn a_tenant_that_cannot_be_kept_is_refused(bench: Bench) {
    let zero = || "a\0b".to_owned();
    for bad in [
        TenantRecord { created_at_ms: PAST_ALL, ..record(HERE) },
        TenantRecord { settings: zero(), ..record(HERE) },
        TenantRecord { plugin: Some(zero()), ..record(HERE) },
        TenantRecord { former: Some(Some(zero())), ..record(HERE) },
        TenantRecord { declared: Some(zero()), ..record(HERE) },
    ] {
        refused(bench.registry.put_tenant(bad).await);
    }
    assert_eq!((bench.revision().await, bench.tenants().await), (0, Vec::new()));
}

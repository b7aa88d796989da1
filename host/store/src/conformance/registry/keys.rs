//! Keys: kept, listed, revoked and forgotten.

use super::*;

checks! { Bench of Registry:
    a_key_is_found_as_it_was_kept,
    an_id_names_one_key_whoever_has_it,
    keys_are_listed_in_pages_in_the_order_of_their_ids,
    a_page_goes_on_where_keys_come_and_go,
    keys_are_those_of_one_owner,
    a_revoked_key_stays_as_it_was_revoked_first,
    only_its_owner_revokes_a_key,
    keys_are_forgotten_after_their_time_and_no_others,
    a_key_with_a_time_that_cannot_be_kept_is_refused,
    an_owner_has_no_more_valid_keys_than_it_may,
}

async fn a_key_is_found_as_it_was_kept(bench: Bench) {
    let bound = ApiKey { expires_at_ms: Some(START + 5), ..key(Some(HERE), 2) };
    let operators = ApiKey {
        scopes: Scope::ALL.into_iter().collect(),
        hash: [0; 32],
        revoked_at_ms: Some(START + 9),
        ..key(None, u64::MAX)
    };
    let bare = ApiKey { scopes: [].into_iter().collect(), created_at_ms: 0, ..key(Some(HERE), 0) };
    for kept in [&bound, &operators, &bare] {
        bench.add(kept).await;
    }
    for kept in [bound, operators, bare] {
        let found = bench.registry.key(kept.id).await.expect("key answers");
        assert_eq!(found, Some(kept));
    }
    assert_eq!(bench.key(1).await, None);
}

async fn an_id_names_one_key_whoever_has_it(bench: Bench) {
    bench.add(&key(Some(HERE), 7)).await;
    for other in [key(Some(HERE), 7), key(Some(ELSEWHERE), 7), key(None, 7)] {
        refused(bench.registry.add_key(ApiKey { label: name("another"), ..other }).await);
    }
    assert_eq!(bench.key(7).await, Some(key(Some(HERE), 7)), "the first stays as it was");
    assert_eq!(bench.ids(None, None, 10).await, []);
    bench.revoke(Some(HERE), 7, 0).await;
    refused(bench.registry.add_key(key(Some(HERE), 7)).await);
}

/// Ids at the ends and in the middle, in their order as numbers without a sign.
const IDS: [u64; 5] = [0, 1, i64::MAX.unsigned_abs(), 1 << 63, u64::MAX];

/// Keeps these keys, the last first.
async fn add_all(bench: &Bench, owner: Option<&str>, ids: &[u64]) {
    for id in ids.iter().rev() {
        bench.add(&key(owner, *id)).await;
    }
}

fn named(ids: &[u64]) -> Vec<KeyId> {
    ids.iter().copied().map(KeyId::new).collect()
}

async fn in_pages(bench: &Bench, owner: Option<&str>, limit: u32) -> Vec<KeyId> {
    let mut found: Vec<KeyId> = Vec::new();
    loop {
        let after = found.last().map(|id| u64::from_be_bytes(id.to_bytes()));
        let page = bench.ids(owner, after, limit).await;
        assert!(page.len() <= limit as usize, "{} keys where {limit} were asked for", page.len());
        if page.is_empty() {
            return found;
        }
        found.extend(page);
        assert!(found.is_sorted_by(|earlier, later| earlier < later), "no key comes again: {found:?}");
    }
}

async fn keys_are_listed_in_pages_in_the_order_of_their_ids(bench: Bench) {
    add_all(&bench, Some(HERE), &IDS).await;
    for limit in [1, 2, 3, 5, 6, u32::MAX] {
        assert_eq!(in_pages(&bench, Some(HERE), limit).await, named(&IDS), "{limit} at once");
    }
    assert_eq!(bench.ids(Some(HERE), None, 0).await, []);
    assert_eq!(bench.ids(Some(HERE), Some(IDS[0]), 0).await, []);
    assert_eq!(bench.ids(Some(HERE), Some(7), 2).await, named(&IDS[2..4]), "after an id that is none's");
}

async fn a_page_goes_on_where_keys_come_and_go(bench: Bench) {
    add_all(&bench, None, &[20, 40, 60, 80]).await;
    bench.add(&ApiKey { expires_at_ms: Some(START), ..key(None, 50) }).await;
    assert_eq!(bench.ids(None, Some(20), 2).await, named(&[40, 50]));
    // The place itself goes, and others come before and after it.
    assert_eq!(bench.registry.forget_keys(START + 1).await.expect("forget_keys answers"), 1);
    add_all(&bench, None, &[30, 70]).await;
    assert_eq!(bench.ids(None, Some(50), 2).await, named(&[60, 70]));
    assert_eq!(bench.ids(None, Some(70), 2).await, named(&[80]));
}

async fn keys_are_those_of_one_owner(bench: Bench) {
    add_all(&bench, Some(HERE), &[1, 4]).await;
    add_all(&bench, Some(ELSEWHERE), &[2, 5]).await;
    add_all(&bench, None, &[3, 6]).await;
    assert_eq!(bench.ids(Some(HERE), None, 10).await, named(&[1, 4]));
    assert_eq!(bench.ids(Some(ELSEWHERE), Some(1), 10).await, named(&[2, 5]));
    assert_eq!(bench.ids(None, None, 10).await, named(&[3, 6]));
    assert_eq!(bench.ids(Some("nobody"), None, 10).await, []);
    let listed = bench.registry.keys(Some(&tenant(HERE)), None, 1).await.expect("keys answers");
    assert_eq!(listed, [key(Some(HERE), 1)], "whole, as they were kept");
}

async fn a_revoked_key_stays_as_it_was_revoked_first(bench: Bench) {
    for owner in [Some(HERE), None] {
        let kept = key(owner, u64::from(owner.is_none()));
        bench.add(&kept).await;
        let id = u64::from_be_bytes(kept.id.to_bytes());
        let revoked = ApiKey { revoked_at_ms: Some(START + 50), ..kept };
        for now in [50, 60, 40] {
            assert_eq!(bench.revoke(owner, id, now).await, Some(revoked.clone()), "at {now}");
        }
        assert_eq!(bench.key(id).await, Some(revoked), "it is told to whoever asks for it");
        assert_eq!(bench.ids(owner, None, 10).await, named(&[id]), "it is listed");
    }
    let nobodys = bench.registry.revoke_key(None, KeyId::new(1), PAST_ALL).await;
    refused(nobodys);
}

async fn only_its_owner_revokes_a_key(bench: Bench) {
    bench.add(&key(Some(HERE), 1)).await;
    bench.add(&key(None, 2)).await;
    for (owner, id) in [(Some(ELSEWHERE), 1), (None, 1), (Some(HERE), 2), (Some(HERE), 3), (None, 3)] {
        assert_eq!(bench.revoke(owner, id, 0).await, None, "{id} is none of {owner:?}");
    }
    assert_eq!(bench.key(1).await, Some(key(Some(HERE), 1)));
    assert_eq!(bench.key(2).await, Some(key(None, 2)));
}

async fn keys_are_forgotten_after_their_time_and_no_others(bench: Bench) {
    for (owner, id, expires) in [(Some(HERE), 1, 9), (None, 2, 10), (Some(ELSEWHERE), 3, 11)] {
        bench.add(&ApiKey { expires_at_ms: Some(START + expires), ..key(owner, id) }).await;
    }
    bench.add(&key(Some(HERE), 4)).await;
    bench.add(&ApiKey { revoked_at_ms: Some(START), ..key(Some(HERE), 5) }).await;
    let forget = async |before| bench.registry.forget_keys(before).await.expect("forget_keys answers");
    assert_eq!(forget(0).await, 0);
    assert_eq!(forget(START + 9).await, 0, "what ends at that time did not end before it");
    assert_eq!(forget(START + 10).await, 1);
    assert_eq!((bench.key(1).await, bench.key(2).await.is_some()), (None, true));
    assert_eq!(forget(u64::MAX).await, 2, "those without an end stay");
    assert_eq!(bench.ids(Some(HERE), None, 10).await, named(&[4, 5]));
    bench.add(&key(Some(ELSEWHERE), 3)).await;
    assert_eq!(forget(u64::MAX).await, 0);
}

async fn a_key_with_a_time_that_cannot_be_kept_is_refused(bench: Bench) {
    let whole = key(Some(HERE), 1);
    for bad in [
        ApiKey { created_at_ms: PAST_ALL, ..whole.clone() },
        ApiKey { expires_at_ms: Some(u64::MAX), ..whole.clone() },
        ApiKey { revoked_at_ms: Some(PAST_ALL), ..whole.clone() },
    ] {
        refused(bench.registry.add_key(bad).await);
        assert_eq!(bench.key(1).await, None);
    }
    bench.add(&ApiKey { expires_at_ms: Some(PAST_ALL - 1), ..whole }).await;
}

async fn an_owner_has_no_more_valid_keys_than_it_may(bench: Bench) {
    assert!(!bench.add_within(&key(Some(HERE), 1), 0).await);
    assert_eq!(bench.key(1).await, None, "what does not fit is not kept");
    assert!(bench.add_within(&key(Some(HERE), 1), 2).await);
    let ending = ApiKey { expires_at_ms: Some(START + 9), ..key(Some(HERE), 2) };
    assert!(bench.add_within(&ending, 2).await);
    assert_eq!((bench.key(1).await, bench.key(2).await), (Some(key(Some(HERE), 1)), Some(ending)));
    assert!(!bench.add_within(&key(Some(HERE), 3), 2).await);
    for other in [key(Some(ELSEWHERE), 4), key(None, 5)] {
        assert!(bench.add_within(&other, 1).await, "another owner has their own");
        assert!(!bench.add_within(&ApiKey { id: KeyId::new(6), ..other }, 1).await);
    }
    refused(bench.registry.add_key_within(key(Some(HERE), 1), 9).await);
    refused(bench.registry.add_key_within(key(Some(HERE), 1), 0).await);
    // What has ended, or was revoked, is not counted.
    let later = ApiKey { created_at_ms: START + 9, ..key(Some(HERE), 3) };
    assert!(bench.add_within(&later, 2).await);
    assert!(!bench.add_within(&ApiKey { id: KeyId::new(7), ..later.clone() }, 2).await);
    bench.revoke(Some(HERE), 1, 0).await;
    assert!(bench.add_within(&ApiKey { id: KeyId::new(7), ..later.clone() }, 2).await);
    assert!(!bench.add_within(&ApiKey { id: KeyId::new(8), ..later }, 2).await);
    bench.add(&key(Some(HERE), 9)).await;
    assert_eq!(bench.ids(Some(HERE), None, 10).await, named(&[1, 2, 3, 7, 9]), "without a bound it is kept");
}

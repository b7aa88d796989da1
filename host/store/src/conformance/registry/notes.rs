//! What administrators did: written down, and read the latest first.

use super::*;

checks! { Bench of Registry:
    an_entry_is_read_as_it_was_written,
    the_latest_entry_comes_first_whatever_its_time,
    entries_are_read_in_pages_without_gaps,
    a_page_goes_on_while_others_write,
    entries_of_a_tenant_are_its_own,
    an_entry_that_cannot_be_kept_is_refused,
}

/// The numbers of entries, as [`entry`] has written them into their times.
async fn numbers(bench: &Bench, of: Option<&str>, before: Option<u64>, limit: u32) -> Vec<u64> {
    let notes = bench.notes(of, before, limit).await;
    notes.into_iter().map(|(_, entry)| entry.at_ms - START).collect()
}

async fn an_entry_is_read_as_it_was_written(bench: Bench) {
    let all = [entry(Some(HERE), 1), entry(None, 3), AdminEntry { subject: String::new(), ..entry(None, 2) }];
    assert_eq!(bench.notes(None, None, 10).await, []);
    for entry in &all {
        bench.note(entry).await;
    }
    let found: Vec<_> = bench.notes(None, None, 10).await.into_iter().map(|(_, entry)| entry).collect();
    assert_eq!(found, all.into_iter().rev().collect::<Vec<_>>());
}

async fn the_latest_entry_comes_first_whatever_its_time(bench: Bench) {
    for number in [5, 9, 2, 9, 7] {
        bench.note(&entry(Some(HERE), number)).await;
    }
    assert_eq!(numbers(&bench, None, None, 10).await, [7, 9, 2, 9, 5]);
    assert_eq!(numbers(&bench, Some(HERE), None, 3).await, [7, 9, 2]);
    let places: Vec<_> = bench.notes(None, None, 10).await.into_iter().map(|(place, _)| place).collect();
    assert!(
        places.is_sorted_by(|later, earlier| later > earlier),
        "places rise with every entry: {places:?}"
    );
}

/// Page by page, from the latest on.
async fn in_pages(bench: &Bench, of: Option<&str>, limit: u32) -> Vec<(u64, AdminEntry)> {
    let mut found: Vec<(u64, AdminEntry)> = Vec::new();
    loop {
        let page = bench.notes(of, found.last().map(|(place, _)| *place), limit).await;
        assert!(page.len() <= limit as usize, "{} entries where {limit} were asked for", page.len());
        if page.is_empty() {
            return found;
        }
        found.extend(page);
        assert!(
            found.is_sorted_by(|(later, _), (earlier, _)| later > earlier),
            "no place comes again: {found:?}"
        );
    }
}

async fn entries_are_read_in_pages_without_gaps(bench: Bench) {
    let owners = [Some(HERE), Some(ELSEWHERE), None].into_iter().cycle();
    for (owner, number) in owners.zip(0..7) {
        bench.note(&entry(owner, number)).await;
    }
    for (of, count) in [(None, 7), (Some(HERE), 3), (Some(ELSEWHERE), 2)] {
        let whole = bench.notes(of, None, u32::MAX).await;
        assert_eq!(whole.len(), count, "of {of:?}");
        for limit in [1, 2, 3, 7, 8] {
            assert_eq!(in_pages(&bench, of, limit).await, whole, "of {of:?}, {limit} at once");
        }
        assert_eq!(bench.notes(of, None, 0).await, []);
        assert_eq!(bench.notes(of, Some(u64::MAX), 100).await, whole, "before the end of all places");
        assert_eq!(bench.notes(of, Some(0), 100).await, []);
    }
}

async fn a_page_goes_on_while_others_write(bench: Bench) {
    for number in 0..4 {
        bench.note(&entry(Some(HERE), number)).await;
    }
    let first = bench.notes(Some(HERE), None, 2).await;
    bench.note(&entry(Some(ELSEWHERE), 8)).await;
    bench.note(&entry(Some(HERE), 9)).await;
    let place = first.last().map(|(place, _)| *place);
    assert_eq!(numbers(&bench, Some(HERE), place, 10).await, [1, 0]);
    assert_eq!(numbers(&bench, None, place, 10).await, [1, 0]);
}

async fn entries_of_a_tenant_are_its_own(bench: Bench) {
    for (of, number) in [(Some(HERE), 1), (Some(ELSEWHERE), 2), (None, 3), (Some(HERE), 4)] {
        bench.note(&entry(of, number)).await;
    }
    assert_eq!(numbers(&bench, Some(HERE), None, 10).await, [4, 1]);
    assert_eq!(numbers(&bench, Some(ELSEWHERE), None, 10).await, [2]);
    assert_eq!(bench.notes(Some("nobody"), None, 10).await, []);
    assert_eq!(numbers(&bench, None, None, 10).await, [4, 3, 2, 1], "who names nobody reads all");
    // A place is the same whoever asks.
    let (of_all, own) = (bench.notes(None, None, 10).await, bench.notes(Some(HERE), None, 10).await);
    assert!(own.iter().all(|note| of_all.contains(note)), "{own:?} in {of_all:?}");
}

async fn an_entry_that_cannot_be_kept_is_refused(bench: Bench) {
    for bad in [
        AdminEntry { at_ms: PAST_ALL, ..entry(None, 1) },
        AdminEntry { action: "\0".into(), ..entry(None, 1) },
        AdminEntry { subject: "a\0".into(), ..entry(None, 1) },
        AdminEntry { outcome: "\0b".into(), ..entry(None, 1) },
    ] {
        refused(bench.registry.note(bad).await);
    }
    assert_eq!(bench.notes(None, None, 10).await, []);
}

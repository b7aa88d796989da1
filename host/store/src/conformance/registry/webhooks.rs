//! Endpoints: wanted, leased, told and failed.

use super::*;
use crate::{
    Saved, Webhook, WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay, WebhookSecret,
    WebhookState, WebhookStep,
};
use hongbao_domain::WebhookId;

checks! { Bench of Registry:
    an_endpoint_is_found_as_it_was_kept,
    a_tenant_has_no_more_endpoints_than_it_may,
    an_endpoint_changes_by_its_revision_alone,
    an_endpoint_is_that_of_its_tenant,
    one_holder_has_a_lease_until_it_ends,
    a_lease_is_renewed_and_given_up,
    nobody_has_an_endpoint_that_is_disabled,
    a_step_is_written_whole_or_not_at_all,
    failures_are_listed_in_pages_dead_or_waiting,
    a_replay_is_one_at_a_time_and_ends_with_a_step,
    dead_letters_are_sent_again,
    an_event_is_sent_again,
    an_endpoint_goes_with_its_failures,
    what_cannot_be_written_of_an_endpoint_is_refused,
    of_many_who_take_an_endpoint_one_has_it,
    of_many_endpoints_at_once_no_more_are_kept_than_fit,
}

/// Whoever delivers in most checks.
const ONE: u64 = 7;
const OTHER: u64 = i64::MAX.unsigned_abs();

fn webhook(of: &str, id: u64) -> Webhook {
    Webhook {
        id: WebhookId::new(id),
        tenant: tenant(of),
        revision: 0,
        url: format!("https://例え.example/{id}?a=b"),
        kinds: vec!["packet.sent".into(), "share.claimed".into()],
        secret: WebhookSecret([id.to_be_bytes()[7]; 32]),
        former: None,
        disabled: None,
        created_at_ms: START,
    }
}

fn told_to(cursor: Option<&str>) -> WebhookProgress {
    let cursor_at_ms = if cursor.is_some() { START } else { 0 };
    WebhookProgress { cursor: cursor.map(str::to_owned), cursor_at_ms, replay: None }
}

fn lease(holder: u64, now: u64, most: u32) -> WebhookLease {
    let now_ms = START + now;
    WebhookLease { holder, now_ms, renew_before_ms: now_ms + 5, until_ms: now_ms + 10, most }
}

fn failure(event: &str, next: Option<u64>) -> WebhookFailure {
    WebhookFailure {
        event: event.into(),
        after: (event != "a").then(|| "a".into()),
        kind: "packet.sent".into(),
        happened_at_ms: START + 1,
        attempts: 3,
        next_at_ms: next.map(|next| START + next),
        last_error: "antwortete 500: \u{fffd}坏了".into(),
    }
}

fn step(id: u64, holder: u64, revision: u64) -> WebhookStep {
    let (failed, settled) = (Vec::new(), Vec::new());
    WebhookStep { id: WebhookId::new(id), holder, revision, progress: told_to(None), failed, settled }
}

impl Bench {
    async fn hook(&self, webhook: Webhook) {
        let kept = self.registry.add_webhook(webhook, told_to(None), u32::MAX).await;
        assert!(kept.expect("add_webhook answers"));
    }

    /// The only endpoint here.
    async fn only_hook(&self) -> WebhookState {
        self.hooks(HERE).await.into_iter().next().expect("one endpoint")
    }

    async fn hooks(&self, of: &str) -> Vec<WebhookState> {
        self.registry.webhooks(&tenant(of)).await.expect("webhooks answers")
    }

    async fn lease(&self, lease: WebhookLease) -> Vec<u64> {
        let held = self.registry.lease_webhooks(lease).await.expect("lease_webhooks answers");
        held.iter().map(|state| u64::from_be_bytes(state.webhook.id.to_bytes())).collect()
    }

    async fn put_hook(&self, webhook: Webhook) -> Option<u64> {
        self.registry.put_webhook(webhook).await.expect("put_webhook answers")
    }

    async fn save(&self, step: WebhookStep) -> Saved {
        self.registry.save_webhook(step).await.expect("save_webhook answers")
    }

    async fn failures(&self, id: u64, is_dead: bool, after: Option<&str>, limit: u32) -> Vec<WebhookFailure> {
        let found = self.registry.webhook_failures(WebhookId::new(id), is_dead, after, limit).await;
        found.expect("webhook_failures answers")
    }

    /// Endpoint 1 of the tenant, held by [`ONE`], with these failures. Its revision is 1.
    async fn failing(&self, failed: Vec<WebhookFailure>) {
        self.hook(webhook(HERE, 1)).await;
        assert_eq!(self.lease(lease(ONE, 0, 1)).await, [1]);
        assert_eq!(self.save(WebhookStep { failed, ..step(1, ONE, 1) }).await, Saved::Now);
    }
}

async fn an_endpoint_is_found_as_it_was_kept(bench: Bench) {
    let former = Some((WebhookSecret([9; 32]), START + 99));
    let rotated = Webhook { former, disabled: Some("gone".into()), ..webhook(HERE, u64::MAX) };
    let all_kinds = Webhook { kinds: Vec::new(), ..webhook(HERE, 0) };
    let progress = told_to(Some("17-b"));
    for kept in [&rotated, &all_kinds] {
        let added = bench.registry.add_webhook(kept.clone(), progress.clone(), 2).await;
        assert!(added.expect("add_webhook answers"));
        refused(bench.registry.add_webhook(kept.clone(), progress.clone(), 9).await);
        refused(
            bench
                .registry
                .add_webhook(Webhook { tenant: tenant(ELSEWHERE), ..kept.clone() }, told_to(None), 9)
                .await,
        );
    }
    let state = |webhook| WebhookState {
        webhook: Webhook { revision: 1, ..webhook },
        progress: progress.clone(),
        waiting: 0,
        dead: 0,
    };
    assert_eq!(bench.hooks(HERE).await, [state(all_kinds), state(rotated)]);
    assert_eq!(bench.hooks(ELSEWHERE).await, []);
}

async fn a_tenant_has_no_more_endpoints_than_it_may(bench: Bench) {
    let add = async |of: &str, id, most| {
        let added = bench.registry.add_webhook(webhook(of, id), told_to(None), most).await;
        added.expect("add_webhook answers")
    };
    assert!(!add(HERE, 1, 0).await);
    assert!(add(HERE, 1, 2).await && add(HERE, 2, 2).await);
    assert!(!add(HERE, 3, 2).await);
    assert!(add(ELSEWHERE, 3, 1).await, "others have a number of their own");
    assert_eq!((bench.hooks(HERE).await.len(), bench.hooks(ELSEWHERE).await.len()), (2, 1));
}

async fn an_endpoint_changes_by_its_revision_alone(bench: Bench) {
    bench.hook(webhook(HERE, 1)).await;
    let changed = Webhook { url: "https://b".into(), kinds: vec!["a.b".into()], ..webhook(HERE, 1) };
    assert_eq!(bench.put_hook(changed.clone()).await, None, "0 is the revision of none");
    assert_eq!(bench.put_hook(Webhook { revision: 2, ..changed.clone() }).await, None);
    assert_eq!(bench.put_hook(Webhook { revision: PAST_ALL, ..changed.clone() }).await, None);
    let first = Webhook { revision: 1, created_at_ms: 5, ..changed.clone() };
    assert_eq!(bench.put_hook(first.clone()).await, Some(2));
    assert_eq!(bench.put_hook(first).await, None, "somebody was faster");
    let [state] = &bench.hooks(HERE).await[..] else { panic!("one endpoint") };
    assert_eq!(state.webhook, Webhook { revision: 2, ..changed }, "when it was made stays");
}

async fn an_endpoint_is_that_of_its_tenant(bench: Bench) {
    bench.hook(webhook(HERE, 1)).await;
    let foreign = Webhook { tenant: tenant(ELSEWHERE), revision: 1, ..webhook(HERE, 1) };
    assert_eq!(bench.put_hook(foreign).await, None);
    let (other, id) = (tenant(ELSEWHERE), WebhookId::new(1));
    let replay = WebhookReplay { after: None, only: None, from_ms: 0, until_ms: 1 };
    assert!(!bench.registry.remove_webhook(&other, id).await.expect("remove_webhook answers"));
    assert_eq!(bench.registry.replay_webhook(&other, id, replay).await.expect("an answer"), None);
    assert_eq!(bench.registry.revive_webhook(&other, id, START, 9).await.expect("an answer"), None);
    assert!(!bench.registry.resend_webhook(&other, id, failure("a", Some(0))).await.expect("an answer"));
    assert_eq!(bench.only_hook().await.webhook, Webhook { revision: 1, ..webhook(HERE, 1) });
    assert_eq!(bench.failures(1, false, None, 9).await, []);
}

async fn one_holder_has_a_lease_until_it_ends(bench: Bench) {
    for id in [3, 1, 2] {
        bench.hook(webhook(HERE, id)).await;
    }
    assert_eq!(bench.lease(lease(ONE, 0, 2)).await.len(), 2, "no more than it asked for");
    let taken = bench.lease(lease(OTHER, 1, 9)).await;
    assert_eq!(taken.len(), 1, "the one that nobody has");
    assert_eq!(bench.lease(lease(OTHER, 9, 9)).await, taken, "until 10 it is the first one's");
    assert_eq!(bench.lease(lease(OTHER, 10, 9)).await, [1, 2, 3], "nobody renewed it");
    assert_eq!(bench.lease(lease(ONE, 11, 9)).await, [0; 0], "whoever lost it is told so");
}

async fn a_lease_is_renewed_and_given_up(bench: Bench) {
    bench.hook(webhook(HERE, 1)).await;
    assert_eq!(bench.lease(lease(ONE, 0, 1)).await, [1]);
    assert_eq!(bench.lease(lease(ONE, 4, 0)).await, [1], "it ends at 10, which is not soon");
    assert_eq!(bench.lease(lease(ONE, 8, 0)).await, [1], "it ends at 18 now");
    assert_eq!(bench.lease(lease(OTHER, 17, 9)).await, [0; 0]);
    assert_eq!(bench.lease(lease(ONE, 90, 0)).await, [1], "whose lease ended has it still if nobody took it");
    bench.registry.release_webhooks(OTHER).await.expect("release_webhooks answers");
    assert_eq!(bench.lease(lease(OTHER, 91, 9)).await, [0; 0], "nobody gives up what is another's");
    bench.registry.release_webhooks(ONE).await.expect("release_webhooks answers");
    assert_eq!(bench.lease(lease(OTHER, 91, 9)).await, [1]);
    assert_eq!(bench.save(step(1, ONE, 1)).await, Saved::Lost);
}

async fn nobody_has_an_endpoint_that_is_disabled(bench: Bench) {
    bench.hook(webhook(HERE, 1)).await;
    assert_eq!(bench.lease(lease(ONE, 0, 9)).await, [1]);
    let disabled = Webhook { disabled: Some("gone".into()), revision: 1, ..webhook(HERE, 1) };
    assert_eq!(bench.put_hook(disabled.clone()).await, Some(2));
    assert_eq!(bench.lease(lease(ONE, 1, 9)).await, [0; 0]);
    assert_eq!(bench.lease(lease(OTHER, 99, 9)).await, [0; 0]);
    assert_eq!(bench.put_hook(Webhook { disabled: None, revision: 2, ..disabled }).await, Some(3));
    assert_eq!(bench.lease(lease(OTHER, 99, 9)).await, [1]);
}

async fn a_step_is_written_whole_or_not_at_all(bench: Bench) {
    bench.failing(vec![failure("b", Some(5)), failure("a", None)]).await;
    let [state] = &bench.hooks(HERE).await[..] else { panic!("one endpoint") };
    assert_eq!((state.waiting, state.dead, state.webhook.revision), (1, 1, 1), "no step raises the revision");
    let next = WebhookStep {
        progress: told_to(Some("c")),
        failed: vec![failure("d", Some(9)), failure("a", Some(1))],
        settled: vec!["b".into(), "none".into()],
        ..step(1, ONE, 1)
    };
    for (refused, why) in [
        (WebhookStep { holder: OTHER, ..next.clone() }, Saved::Lost),
        (WebhookStep { revision: 2, ..next.clone() }, Saved::Changed),
        (WebhookStep { id: WebhookId::new(9), ..next.clone() }, Saved::Lost),
    ] {
        assert_eq!(bench.save(refused).await, why);
        assert_eq!(bench.only_hook().await.progress, told_to(None));
        assert_eq!(bench.failures(1, false, None, 9).await, [failure("b", Some(5))]);
    }
    assert_eq!(bench.save(next.clone()).await, Saved::Now);
    assert_eq!(bench.save(next).await, Saved::Now, "an answer may be lost, and it is written again");
    assert_eq!(bench.only_hook().await.progress, told_to(Some("c")));
    assert_eq!(bench.failures(1, false, None, 9).await, [failure("a", Some(1)), failure("d", Some(9))]);
    assert_eq!(bench.failures(1, true, None, 9).await, []);
}

async fn failures_are_listed_in_pages_dead_or_waiting(bench: Bench) {
    let waiting: Vec<_> = ["b", "d", "f", "h"].map(|event| failure(event, Some(1))).into();
    let dead: Vec<_> = ["a", "c", "e"].map(|event| failure(event, None)).into();
    bench.failing([waiting.clone(), dead.clone()].concat()).await;
    assert_eq!(bench.failures(1, false, None, 9).await, waiting);
    assert_eq!(bench.failures(1, true, None, 9).await, dead);
    let ((early, late), (_, last)) = (waiting.split_at(2), dead.split_at(2));
    assert_eq!(bench.failures(1, false, None, 2).await, early);
    assert_eq!(bench.failures(1, false, Some("d"), 2).await, late);
    assert_eq!(bench.failures(1, true, Some("d"), 9).await, last, "after one that is not in the list");
    assert_eq!(bench.failures(1, true, None, 0).await, []);
    assert_eq!(bench.failures(2, true, None, 9).await, []);
    assert_eq!(bench.failures(1, true, Some("c\0"), 9).await, last, "no event has this name");
}

async fn a_replay_is_one_at_a_time_and_ends_with_a_step(bench: Bench) {
    bench.failing(Vec::new()).await;
    let replay = WebhookReplay { after: None, only: Some("x".into()), from_ms: 3, until_ms: START };
    let begin = async |replay: &WebhookReplay| {
        let begun = bench.registry.replay_webhook(&tenant(HERE), WebhookId::new(1), replay.clone()).await;
        begun.expect("replay_webhook answers")
    };
    assert_eq!(begin(&replay).await, Some(true));
    assert_eq!(begin(&WebhookReplay { only: None, ..replay.clone() }).await, Some(false));
    let [state] = &bench.hooks(HERE).await[..] else { panic!("one endpoint") };
    assert_eq!((state.progress.replay.as_ref(), state.webhook.revision), (Some(&replay), 2));
    assert_eq!(bench.save(step(1, ONE, 1)).await, Saved::Changed, "whoever knows nothing of it ends it not");
    let later = WebhookReplay { after: Some("m".into()), ..replay };
    let progress = WebhookProgress { replay: Some(later), ..told_to(Some("c")) };
    let on = WebhookStep { progress: progress.clone(), ..step(1, ONE, 2) };
    assert_eq!(bench.save(on).await, Saved::Now);
    assert_eq!(bench.only_hook().await.progress, progress);
    let end = WebhookStep { progress: told_to(Some("c")), ..step(1, ONE, 2) };
    assert_eq!(bench.save(end).await, Saved::Now);
    let next = WebhookReplay { after: None, only: None, from_ms: 0, until_ms: 1 };
    assert_eq!(begin(&next).await, Some(true));
    assert_eq!(bench.only_hook().await.progress.replay, Some(next));
}

async fn dead_letters_are_sent_again(bench: Bench) {
    let dead = ["a", "b", "c"].map(|event| failure(event, None));
    bench.failing([dead.to_vec(), vec![failure("d", Some(50))]].concat()).await;
    let revive = async |limit| {
        let revived = bench.registry.revive_webhook(&tenant(HERE), WebhookId::new(1), START + 7, limit).await;
        revived.expect("revive_webhook answers")
    };
    assert_eq!(revive(2).await, Some(2));
    assert_eq!(bench.failures(1, true, None, 9).await, [failure("c", None)]);
    let now = |event| WebhookFailure { attempts: 0, ..failure(event, Some(7)) };
    assert_eq!(
        bench.failures(1, false, None, 9).await,
        [now("a"), now("b"), failure("d", Some(50))],
        "one that waits goes on waiting"
    );
    assert_eq!(revive(9).await, Some(1));
    assert_eq!(revive(9).await, Some(0));
    assert_eq!(bench.only_hook().await.webhook.revision, 4);
}

async fn an_event_is_sent_again(bench: Bench) {
    bench.failing(vec![failure("a", None)]).await;
    let again = WebhookFailure { attempts: 0, next_at_ms: Some(START), ..failure("a", None) };
    for sent in [again.clone(), WebhookFailure { event: "b".into(), ..again.clone() }] {
        let resent = bench.registry.resend_webhook(&tenant(HERE), WebhookId::new(1), sent).await;
        assert!(resent.expect("resend_webhook answers"));
    }
    let found = bench.failures(1, false, None, 9).await;
    assert_eq!(found, [again.clone(), WebhookFailure { event: "b".into(), ..again }]);
    let [state] = &bench.hooks(HERE).await[..] else { panic!("one endpoint") };
    assert_eq!((state.waiting, state.dead, state.webhook.revision), (2, 0, 3));
}

async fn an_endpoint_goes_with_its_failures(bench: Bench) {
    bench.failing(vec![failure("a", None), failure("b", Some(1))]).await;
    bench.hook(webhook(HERE, 2)).await;
    let remove = async || {
        let removed = bench.registry.remove_webhook(&tenant(HERE), WebhookId::new(1)).await;
        removed.expect("remove_webhook answers")
    };
    assert_eq!((remove().await, remove().await), (true, false));
    assert_eq!(bench.hooks(HERE).await.len(), 1);
    let late = WebhookStep { failed: vec![failure("c", None)], ..step(1, ONE, 1) };
    assert_eq!(bench.save(late).await, Saved::Lost);
    bench.hook(webhook(HERE, 1)).await;
    assert_eq!(
        (bench.failures(1, true, None, 9).await, bench.failures(1, false, None, 9).await),
        (vec![], vec![])
    );
}

async fn what_cannot_be_written_of_an_endpoint_is_refused(bench: Bench) {
    let whole = webhook(HERE, 1);
    for bad in [
        Webhook { url: "https://a\0".into(), ..whole.clone() },
        Webhook { kinds: vec!["a,b".into()], ..whole.clone() },
        Webhook { kinds: vec![String::new()], ..whole.clone() },
        Webhook { disabled: Some("\0".into()), ..whole.clone() },
        Webhook { former: Some((WebhookSecret([0; 32]), PAST_ALL)), ..whole.clone() },
        Webhook { created_at_ms: PAST_ALL, ..whole.clone() },
    ] {
        refused(bench.registry.add_webhook(bad.clone(), told_to(None), 9).await);
        refused(bench.registry.put_webhook(bad).await);
    }
    refused(bench.registry.add_webhook(whole.clone(), told_to(Some("\0")), 9).await);
    refused(bench.registry.lease_webhooks(WebhookLease { holder: 0, ..lease(ONE, 0, 1) }).await);
    refused(bench.registry.lease_webhooks(WebhookLease { holder: PAST_ALL, ..lease(ONE, 0, 1) }).await);
    refused(bench.registry.lease_webhooks(WebhookLease { until_ms: PAST_ALL, ..lease(ONE, 0, 1) }).await);
    bench.failing(Vec::new()).await;
    for bad in [
        WebhookFailure { event: "\0".into(), ..failure("a", None) },
        WebhookFailure { last_error: "\0".into(), ..failure("a", None) },
        WebhookFailure { next_at_ms: Some(PAST_ALL), ..failure("a", None) },
    ] {
        refused(bench.registry.save_webhook(WebhookStep { failed: vec![bad], ..step(1, ONE, 1) }).await);
    }
    assert_eq!(bench.failures(1, true, None, 9).await, []);
}

/// What one handle writes the other finds: an endpoint, its lease and a failure.
pub(super) async fn shared(one: &Bench, other: &Bench) {
    one.hook(webhook(HERE, 1)).await;
    assert_eq!(one.lease(lease(ONE, 0, 1)).await, [1]);
    assert_eq!(other.lease(lease(OTHER, 0, 9)).await, [0; 0]);
    let failed = vec![failure("b", None)];
    let told = WebhookStep { progress: told_to(Some("c")), failed, ..step(1, ONE, 1) };
    assert_eq!(other.save(told).await, Saved::Now, "it is the holder that counts");
    assert_eq!(one.failures(1, true, None, 9).await, [failure("b", None)]);
    assert_eq!(other.hooks(HERE).await, one.hooks(HERE).await);
}

/// Racers that take the same endpoints: none is that of two.
pub(super) async fn leases(handles: &[Bench]) {
    let [bench, ..] = handles else { return };
    const IDS: std::ops::Range<u64> = 5000..5020;
    for id in IDS {
        bench.hook(webhook("raced for", id)).await;
    }
    let held = races::race_with(handles, |bench, turn| async move {
        bench.lease(lease(100 + u64::from(turn), 0, 2)).await
    });
    let mut held: Vec<_> = held.await.concat();
    held.retain(|id| IDS.contains(id));
    held.sort_unstable();
    let count = held.len();
    held.dedup();
    assert_eq!(held.len(), count, "no endpoint is that of two");
    for id in IDS {
        let removed = bench.registry.remove_webhook(&tenant("raced for"), WebhookId::new(id)).await;
        assert!(removed.expect("remove_webhook answers"));
    }
}

async fn of_many_who_take_an_endpoint_one_has_it(bench: Bench) {
    leases(&[bench]).await;
}

async fn of_many_endpoints_at_once_no_more_are_kept_than_fit(bench: Bench) {
    let racing = bench.clone();
    let kept = race(move |turn| {
        let bench = racing.clone();
        async move {
            let added = bench.registry.add_webhook(webhook(HERE, turn.into()), told_to(None), 3).await;
            added.expect("add_webhook answers")
        }
    });
    assert_eq!(kept.await.into_iter().filter(|is_kept| *is_kept).count(), 3);
    assert_eq!(bench.hooks(HERE).await.len(), 3);
}

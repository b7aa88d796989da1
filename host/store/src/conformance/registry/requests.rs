//! Requests: begun once, answered once, given up, taken over and forgotten.

use super::*;

checks! { Bench of Registry:
    a_request_is_carried_out_once_and_then_answered_as_it_was,
    a_key_belongs_to_its_first_request,
    a_request_under_way_is_taken_over_after_its_time,
    a_request_that_was_taken_over_runs_anew,
    a_request_with_an_answer_is_never_taken_over,
    an_answer_is_kept_for_a_day_from_the_beginning,
    after_a_day_a_key_is_free_for_another_request,
    a_clock_that_is_behind_changes_nothing,
    the_first_answer_stays,
    only_what_was_begun_is_answered,
    what_was_given_up_begins_anew,
    only_what_is_under_way_is_given_up,
    only_ones_own_turn_is_given_up,
    a_key_is_its_owners_own,
    requests_are_forgotten_by_when_they_began,
    a_request_at_a_time_that_cannot_be_kept_is_refused,
}

fn one() -> RequestKey {
    request(Some(HERE), "one")
}

async fn a_request_is_carried_out_once_and_then_answered_as_it_was(bench: Bench) {
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New);
    assert_eq!(bench.begin(&one(), 1, 1).await, Begun::Running);
    bench.answer(&one(), 1, answer_of(201), 2).await;
    for now in [2, 3, RUNNING_MS, ANSWER_KEPT_MS - 1] {
        assert_eq!(bench.begin(&one(), 1, now).await, Begun::Answered(answer_of(201)), "at {now}");
    }
    let other = request(Some(HERE), "two");
    let (large, empty) = (vec![0xfe; 300_000], Vec::new());
    for (turn, body) in (0..).zip([large, empty]) {
        let answer = Answer { status: u16::MAX, body };
        assert_eq!(bench.begin(&other, 1, turn * ANSWER_KEPT_MS).await, Begun::New);
        bench.answer(&other, 1, answer.clone(), turn * ANSWER_KEPT_MS).await;
        assert_eq!(bench.begin(&other, 1, turn * ANSWER_KEPT_MS).await, Begun::Answered(answer));
    }
}

async fn a_key_belongs_to_its_first_request(bench: Bench) {
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New);
    for now in [0, RUNNING_MS - 1, RUNNING_MS, 2 * RUNNING_MS, ANSWER_KEPT_MS - 1] {
        assert_eq!(bench.begin(&one(), 2, now).await, Begun::Other, "under way, at {now}");
    }
    assert_eq!(bench.begin(&one(), 1, 1).await, Begun::Running, "those who asked have changed nothing");
    bench.answer(&one(), 1, answer_of(200), 1).await;
    for now in [1, RUNNING_MS, ANSWER_KEPT_MS - 1] {
        assert_eq!(bench.begin(&one(), 2, now).await, Begun::Other, "answered, at {now}");
    }
    assert_eq!(bench.begin(&one(), 1, 2).await, Begun::Answered(answer_of(200)));
}

async fn a_request_under_way_is_taken_over_after_its_time(bench: Bench) {
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New);
    assert_eq!(bench.begin(&one(), 1, RUNNING_MS - 1).await, Begun::Running);
    assert_eq!(bench.begin(&one(), 1, RUNNING_MS).await, Begun::New);
    // The time of who took it over counts from there.
    assert_eq!(bench.begin(&one(), 1, 2 * RUNNING_MS - 1).await, Begun::Running);
    assert_eq!(bench.begin(&one(), 1, 2 * RUNNING_MS + 5).await, Begun::New);
    assert_eq!(bench.begin(&one(), 1, 3 * RUNNING_MS + 4).await, Begun::Running);
}

async fn a_request_that_was_taken_over_runs_anew(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    let again = ANSWER_KEPT_MS - 1;
    assert_eq!(bench.begin(&one(), 1, again).await, Begun::New);
    // The one who was taken for dead was only slow.
    bench.answer(&one(), 1, answer_of(201), again).await;
    bench.answer(&one(), 1, answer_of(500), again + 1).await;
    let told = Begun::Answered(answer_of(201));
    assert_eq!(bench.begin(&one(), 1, again + ANSWER_KEPT_MS - 1).await, told, "a day counts anew as well");
    assert_eq!(bench.begin(&one(), 1, again + ANSWER_KEPT_MS).await, Begun::New);
}

async fn a_request_with_an_answer_is_never_taken_over(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    bench.answer(&one(), 1, answer_of(200), 5).await;
    for now in [RUNNING_MS, RUNNING_MS + 5, 2 * RUNNING_MS + 5] {
        assert_eq!(bench.begin(&one(), 1, now).await, Begun::Answered(answer_of(200)), "at {now}");
    }
}

async fn an_answer_is_kept_for_a_day_from_the_beginning(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    bench.answer(&one(), 1, answer_of(200), 500).await;
    assert_eq!(bench.begin(&one(), 1, ANSWER_KEPT_MS - 1).await, Begun::Answered(answer_of(200)));
    assert_eq!(bench.begin(&one(), 1, ANSWER_KEPT_MS).await, Begun::New);
    assert_eq!(bench.begin(&one(), 1, ANSWER_KEPT_MS).await, Begun::Running, "the former answer is gone");
    bench.answer(&one(), 1, answer_of(409), ANSWER_KEPT_MS).await;
    assert_eq!(bench.begin(&one(), 1, ANSWER_KEPT_MS).await, Begun::Answered(answer_of(409)));
}

async fn after_a_day_a_key_is_free_for_another_request(bench: Bench) {
    let [answered, running] = ["answered", "running"].map(|key| request(None, key));
    for request in [&answered, &running] {
        bench.begin(request, 1, 0).await;
    }
    bench.answer(&answered, 1, answer_of(200), 0).await;
    for request in [&answered, &running] {
        assert_eq!(bench.begin(request, 2, ANSWER_KEPT_MS - 1).await, Begun::Other);
        assert_eq!(bench.begin(request, 2, ANSWER_KEPT_MS).await, Begun::New);
        assert_eq!(bench.begin(request, 1, ANSWER_KEPT_MS).await, Begun::Other);
    }
    bench.answer(&running, 1, answer_of(500), ANSWER_KEPT_MS).await;
    assert_eq!(bench.begin(&running, 2, ANSWER_KEPT_MS).await, Begun::Running, "it is the second's now");
}

async fn a_clock_that_is_behind_changes_nothing(bench: Bench) {
    let at = async |now| bench.registry.begin(&one(), [1; 32], now).await.expect("begin answers");
    assert_eq!(at(START).await, Begun::New);
    for now in [0, 1, RUNNING_MS, ANSWER_KEPT_MS, START - ANSWER_KEPT_MS, START - 1] {
        assert_eq!(at(now).await, Begun::Running, "at {now}");
    }
    assert_eq!(at(START + RUNNING_MS - 1).await, Begun::Running, "it began when it began");
    assert_eq!(at(i64::MAX.unsigned_abs()).await, Begun::New, "at the end of all time");
}

async fn the_first_answer_stays(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    bench.answer(&one(), 1, answer_of(200), 1).await;
    bench.answer(&one(), 1, answer_of(500), 2).await;
    bench.answer(&one(), 2, answer_of(501), 2).await;
    assert_eq!(bench.begin(&one(), 1, 3).await, Begun::Answered(answer_of(200)));
}

async fn only_what_was_begun_is_answered(bench: Bench) {
    bench.answer(&one(), 1, answer_of(200), 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New, "an answer to nothing is nothing");
    bench.answer(&one(), 2, answer_of(200), 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::Running, "nor is that of another request");
    bench.abandon(&one(), 1, 0).await;
    bench.answer(&one(), 1, answer_of(200), 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New, "nor one to what was given up");
}

async fn what_was_given_up_begins_anew(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    bench.abandon(&one(), 1, 0).await;
    assert_eq!(bench.begin(&one(), 2, 0).await, Begun::New, "for whoever has the key next");
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::Other);
    bench.abandon(&one(), 2, 0).await;
    bench.abandon(&one(), 2, 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New);
}

async fn only_what_is_under_way_is_given_up(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    bench.abandon(&one(), 2, 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::Running, "another request gives up nothing of it");
    bench.answer(&one(), 1, answer_of(200), 0).await;
    bench.abandon(&one(), 1, 0).await;
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::Answered(answer_of(200)));
}

async fn only_ones_own_turn_is_given_up(bench: Bench) {
    bench.begin(&one(), 1, 0).await;
    assert_eq!(bench.begin(&one(), 1, RUNNING_MS).await, Begun::New);
    // The one who was taken for dead was only slow: it is the other's now.
    bench.abandon(&one(), 1, 0).await;
    assert_eq!(bench.begin(&one(), 1, RUNNING_MS + 1).await, Begun::Running);
    bench.abandon(&one(), 1, RUNNING_MS).await;
    assert_eq!(bench.begin(&one(), 1, RUNNING_MS + 1).await, Begun::New);
}

async fn a_key_is_its_owners_own(bench: Bench) {
    let owners = [Some(HERE), Some(ELSEWHERE), None].map(|owner| request(owner, "one"));
    for (print, request) in (1..).zip(&owners) {
        assert_eq!(bench.begin(request, print, 0).await, Begun::New, "{request:?}");
    }
    for (print, request) in (1_u8..).zip(&owners) {
        bench.answer(request, print, answer_of(print.into()), 0).await;
    }
    for (print, request) in (1_u8..).zip(&owners) {
        assert_eq!(bench.begin(request, print, 0).await, Begun::Answered(answer_of(print.into())));
    }
    let [here, elsewhere, operators] = [Some(HERE), Some(ELSEWHERE), None].map(|owner| request(owner, "two"));
    for request in [&here, &elsewhere, &operators] {
        bench.begin(request, 1, 0).await;
    }
    bench.abandon(&here, 1, 0).await;
    assert_eq!(bench.begin(&elsewhere, 1, 0).await, Begun::Running);
    assert_eq!(bench.begin(&operators, 1, 0).await, Begun::Running);
    assert_eq!(bench.begin(&here, 1, 0).await, Begun::New);
}

async fn requests_are_forgotten_by_when_they_began(bench: Bench) {
    let names = ["9", "10", "11", "taken over"].map(|key| request(Some(HERE), key));
    let [first, second, third, over] = &names;
    for (request, now) in [(first, 9), (second, 10), (third, 11), (over, 0)] {
        bench.begin(request, 1, now).await;
    }
    bench.answer(second, 1, answer_of(200), 500).await;
    assert_eq!(bench.begin(over, 1, RUNNING_MS).await, Begun::New);
    assert_eq!(bench.forget_answers(9).await, 0, "what began at that time did not begin before it");
    assert_eq!(bench.forget_answers(11).await, 2);
    assert_eq!(bench.begin(second, 2, 12).await, Begun::New);
    assert_eq!(bench.begin(third, 1, 12).await, Begun::Running);
    assert_eq!(bench.forget_answers(RUNNING_MS).await, 2);
    assert_eq!(bench.begin(over, 1, RUNNING_MS).await, Begun::Running);
    let all = bench.registry.forget_answers(u64::MAX).await.expect("forget_answers answers");
    assert_eq!((all, bench.forget_answers(RUNNING_MS).await), (1, 0));
}

async fn a_request_at_a_time_that_cannot_be_kept_is_refused(bench: Bench) {
    refused(bench.registry.begin(&one(), [1; 32], PAST_ALL).await);
    assert_eq!(bench.begin(&one(), 1, 0).await, Begun::New);
    refused(bench.registry.answer(&one(), [1; 32], answer_of(200), u64::MAX).await);
    assert_eq!(bench.begin(&one(), 1, 1).await, Begun::Running);
}

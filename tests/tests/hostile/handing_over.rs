//! Guests that hand too much over to the host, or what is not there.

use hongbao_host::domain::{Limit, Request, SendError, Strategy};
use hongbao_tests::chat::{request, user};

use crate::stage::{Stage, message};

const TOO_MUCH: &str = "the plugin handed over more than 4194304 bytes at once";

#[tokio::test]
async fn huge_arguments_are_not_taken() {
    let stage = Stage::new("huge_arguments").await;
    for name in ["string", "list", "places"] {
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    }
}

#[tokio::test]
async fn a_list_of_very_many_attempts_is_not_taken() {
    let stage = Stage::new("huge_arguments").await;
    let answer = stage.evil.grab(stage.packet, user("attempts")).await;
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
}

#[tokio::test]
async fn nobody_is_named_more_often_than_they_asked() {
    let stage = Stage::new("many_names").await;
    let why = "the plugin reached for users out of order";
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
    let answer = stage.evil.open(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
}

#[tokio::test]
async fn a_refusal_in_the_plugins_words_can_be_shown() {
    let stage = Stage::new("rude_words").await;
    let is_fit = |words: &str| {
        assert!(words.starts_with("no [31m ") && words.len() <= 4096, "{words}");
        assert!(!words.chars().any(char::is_control), "{words:?}");
    };
    for greeting in ["argument", "other"] {
        let request = Request { greeting: greeting.into(), ..request(100, 10) };
        match stage.evil.send(request).await.unwrap() {
            Err(SendError::InvalidArgument(why)) => is_fit(&why),
            other => panic!("{other:?}"),
        }
    }
    is_fit(&stage.evil.preview(Strategy::EQUAL, 10, 10).await.unwrap().unwrap_err());
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn huge_answers_are_not_taken() {
    let stage = Stage::new("huge_answers").await;
    let answer = stage.evil.preview(Strategy::EQUAL, 10, 10).await;
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    let answer = stage.evil.command(message("/huge")).await;
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    let answer = stage.evil.command(message("/long")).await;
    stage.assert_stopped(answer, "the plugin's answer has a text that is too long").await;
}

#[tokio::test]
async fn what_lies_outside_of_the_guests_memory_is_not_read() {
    let stage = Stage::new("lying_pointers").await;
    let answer = stage.evil.preview(Strategy::EQUAL, 1, 1).await;
    stage.assert_stopped(answer, "list pointer/length out of bounds of memory").await;
    let answer = stage.evil.preview(Strategy::EQUAL, 2, 1).await;
    stage.assert_stopped(answer, "list pointer/length out of bounds of memory").await;
    let answer = stage.evil.command(message("/not-utf8")).await;
    stage.assert_stopped(answer, "invalid utf-8 sequence of 1 bytes from index 0").await;
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_counted_and_the_answer_stands() {
    let stage = Stage::new("log_flood").await;
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    assert!(answer.unwrap().may_open());
    assert_eq!(stage.count("limits", "{tenant=\"evil\",limit=\"log-bytes\"}"), 1);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn random_numbers_are_given_in_handfuls() {
    let stage = Stage::new("random_flood").await;
    let answer = stage.evil.preview(Strategy::EQUAL, 10, 10).await;
    stage.assert_stopped(answer, "the plugin asked for 4097 random numbers at once").await;
    let answer = stage.evil.open(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, "the plugin asked for 1099511627776 random numbers at once").await;
}

//! Guests that hand too much over to the host, or what is not there.

use hongbao_host::domain::{Limit, Request, SendError, Strategy};
use hongbao_tests::chat::{request, user};

use crate::stage::{Stage, message};

const TOO_MUCH: &str = "the plugin handed over more than 4194304 bytes at once";

#[tokio::test]
async fn huge_arguments_are_not_taken() {
    let stage = Stage::new("huge_arguments").await;
    for name in ["string", "list"] {
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    }
}

#[tokio::test]
async fn a_list_that_is_small_for_the_guest_and_a_tebibyte_for_the_host_is_not_taken() {
    let stage = Stage::new("huge_arguments").await;
    let before = resident_bytes();
    let answer = stage.evil.grab(stage.packet, user("references")).await;
    let taken = resident_bytes().saturating_sub(before);
    // Other tests of this process take memory meanwhile.
    assert!(taken < 256 << 20, "the host took {taken} bytes");
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
}

/// Of this process; 0 where the system does not say.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or_default() << 10
}

#[tokio::test]
async fn nobody_is_named_more_often_than_they_asked() {
    let stage = Stage::new("many_names").await;
    let why = "the plugin reached for more users than asked";
    let answer = stage.evil.grab(stage.packet, user("load")).await;
    stage.assert_stopped(answer, why).await;
    let answer = stage.evil.open(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
    let answer = stage.evil.grab(stage.packet, user("confirm")).await;
    stage.assert_stopped(answer, "the plugin told of a share that nobody has").await;
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
            Err(SendError::InvalidArgument(why) | SendError::Other(why)) => is_fit(&why),
            other => panic!("{other:?}"),
        }
    }
    let error = stage.evil.details(stage.packet).await.unwrap_err();
    assert_eq!(error.code(), "internal");
    is_fit(&error.to_string());
    is_fit(&stage.evil.preview(Strategy::Equal, 10, 10).await.unwrap().unwrap_err());
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn huge_answers_are_not_taken() {
    let stage = Stage::new("huge_answers").await;
    let answer = stage.evil.preview(Strategy::Equal, 10, 10).await;
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    let answer = stage.evil.command(message("/huge")).await;
    stage.assert_limited(answer, Limit::HostBytes, TOO_MUCH).await;
    let answer = stage.evil.command(message("/long")).await;
    stage.assert_stopped(answer, "the plugin's answer has a text that is too long").await;
}

#[tokio::test]
async fn what_lies_outside_of_the_guests_memory_is_not_read() {
    let stage = Stage::new("lying_pointers").await;
    let answer = stage.evil.preview(Strategy::Equal, 1, 1).await;
    stage.assert_stopped(answer, "list pointer/length out of bounds of memory").await;
    let answer = stage.evil.preview(Strategy::Equal, 2, 1).await;
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
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, "the plugin asked for 4097 random numbers at once").await;
}

//! PostgreSQL: alone, with a password, with a standby.

use std::process::Command;
use std::time::Duration;

use hongbao_tests::servers::{Postgres, program};

use crate::eventually;

/// What `psql` does with a URL: its output, or none if it fails.
fn by_url(url: &str, sql: &str) -> Option<String> {
    let answer = Command::new(program("psql")).args(["-XAtwc", sql, url]).output().unwrap();
    answer.status.success().then(|| String::from_utf8(answer.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn databases_are_apart() {
    let postgres = Postgres::start();
    let [one, other] = [postgres.fresh_database(), postgres.fresh_database()];
    by_url(&one, "CREATE TABLE a (b int)").unwrap();
    assert_eq!(by_url(&one, "SELECT count(*) FROM a").unwrap(), "0");
    assert_eq!(by_url(&other, "SELECT count(*) FROM a"), None);
    let settings = ["fsync", "full_page_writes", "synchronous_commit", "wal_level", "server_encoding"];
    let values = settings.map(|name| by_url(&other, &format!("SHOW {name}")).unwrap());
    assert_eq!(values, ["on", "on", "on", "replica", "UTF8"]);
}

#[test]
fn options_are_heeded() {
    let postgres = Postgres::start_with(&["-c", "password_encryption=md5"]);
    assert_eq!(postgres.psql("postgres", "SHOW password_encryption"), "md5");
}

#[test]
fn a_paused_postgres_finishes_its_statements_when_it_goes_on() {
    const SQL: &str = "SELECT 7 FROM pg_sleep(0.4)";
    let postgres = Postgres::start();
    let is_under_way =
        || postgres.psql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE query = '{SQL}'"));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| postgres.psql("postgres", SQL));
        eventually("a statement under way", || is_under_way() == "1");
        postgres.pause();
        // Both the one that is connected and one that comes now.
        let other = scope.spawn(|| postgres.psql("postgres", "SELECT 8"));
        std::thread::sleep(Duration::from_millis(800));
        assert!(!answer.is_finished() && !other.is_finished());
        postgres.resume();
        assert_eq!((answer.join().unwrap().as_str(), other.join().unwrap().as_str()), ("7", "8"));
    });
    postgres.pause();
    postgres.restart();
    assert_eq!(postgres.psql("postgres", "SELECT 1"), "1");
}

#[test]
fn what_was_committed_is_there_after_a_kill() {
    let postgres = Postgres::start();
    postgres.psql("postgres", "CREATE TABLE a (b int)");
    for round in 1..=3 {
        postgres.psql("postgres", &format!("INSERT INTO a VALUES ({round})"));
        std::thread::scope(|scope| {
            // It takes its time, and its end would be the end of the test.
            let slow =
                scope.spawn(|| postgres.try_psql("postgres", "INSERT INTO a SELECT 9 FROM pg_sleep(60)"));
            let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            eventually("a slow statement", || postgres.psql("postgres", asleep) == "1");
            postgres.kill();
            slow.join().unwrap().unwrap_err();
        });
        postgres.try_psql("postgres", "SELECT 1").unwrap_err();
        postgres.restart();
        assert_eq!(postgres.psql("postgres", "SELECT count(*), max(b) FROM a"), format!("{round}|{round}"));
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let postgres = Postgres::start();
    postgres.require_password("secret");
    let url = postgres.url("postgres");
    assert_eq!(by_url(&url, "SELECT 1").unwrap(), "1");
    assert_eq!(by_url(&url.replace("secret", "wrong"), "SELECT 1"), None);
    assert_eq!(by_url(&url.replace(":secret", ""), "SELECT 1"), None);
    postgres.restart();
    assert_eq!(postgres.psql("postgres", "SELECT 2"), "2");
}

#[test]
fn a_standby_has_what_its_primary_acknowledged() {
    let primary = Postgres::start();
    let standby = Postgres::standby(&primary);
    assert!(standby.is_in_recovery() && !primary.is_in_recovery());
    primary.psql("postgres", "CREATE TABLE a (b int)");
    for number in 0..20 {
        primary.psql("postgres", &format!("INSERT INTO a VALUES ({number})"));
    }
    primary.kill();
    standby.promote();
    assert!(!standby.is_in_recovery());
    assert_eq!(standby.psql("postgres", "SELECT count(*) FROM a"), "20");
    // It waits for no standby of its own.
    standby.psql("postgres", "INSERT INTO a VALUES (20)");
    let url = standby.fresh_database();
    assert_eq!(by_url(&url, "SELECT 1").unwrap(), "1");
}

#[test]
fn a_commit_waits_for_the_standby() {
    let primary = Postgres::start();
    let standby = Postgres::standby(&primary);
    primary.psql("postgres", "CREATE TABLE a (b int)");
    standby.kill();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| primary.psql("postgres", "INSERT INTO a VALUES (1)"));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!commit.is_finished());
        standby.restart();
        commit.join().unwrap();
    });
    assert_eq!(standby.psql("postgres", "SELECT b FROM a"), "1");
    standby.kill();
    primary.commits_wait_for("");
    primary.psql("postgres", "INSERT INTO a VALUES (2)");
}

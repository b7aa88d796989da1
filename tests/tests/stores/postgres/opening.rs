//! Databases that cannot be used, each told in one sentence with a code, and left as they were.

use hongbao_host::store::postgres::{OpenError, PostgresLedger, Schema};
use hongbao_tests::servers::Postgres;

use super::{fresh, server};

/// Why a URL cannot be opened: the code, and the sentence.
async fn refused(url: &str) -> (&'static str, String) {
    match PostgresLedger::open(url).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => (error.code(), error.to_string()),
    }
}

async fn check(url: &str, code: &str, words: &str) {
    let (found, sentence) = refused(url).await;
    assert_eq!(found, code, "{sentence}");
    assert!(sentence.contains(words), "{sentence}");
    assert!(!sentence.contains("secret") && !sentence.contains('\n'), "{sentence}");
}

#[tokio::test]
async fn a_place_where_nobody_answers() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    check(&format!("postgres://me:secret@127.0.0.1:{free}/x"), "ledger-unavailable", "does not answer").await;
    check("postgres://me:secret@name.invalid/x", "ledger-unavailable", "does not answer").await;
}

#[tokio::test]
async fn a_database_that_is_not_there_or_has_no_books() {
    check(&server().url("nowhere"), "ledger-not-admitted", "\"nowhere\" does not exist").await;
    check(&server().fresh_database(), "no-ledger", "`hongbao migrate`").await;
}

#[tokio::test]
async fn passwords_and_users() {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    server.psql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'secret2'");
    let name = url.rsplit('/').next().unwrap();
    server.psql(
        name,
        "GRANT USAGE ON SCHEMA hongbao TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA hongbao TO reader",
    );
    server.require_password("secret");
    check(&url, "ledger-not-admitted", "password").await;
    let at = |login: &str| format!("postgres://{login}@127.0.0.1:{}/{name}", server.port());
    check(&at("postgres:secret9"), "ledger-not-admitted", "password authentication failed").await;
    check(&at("nobody:secret"), "ledger-not-admitted", "password authentication failed").await;
    check(&at("reader:secret2"), "ledger-not-permitted", "its user lacks INSERT on the table packets").await;
    PostgresLedger::open(&at("postgres:secret")).await.unwrap();
}

#[tokio::test]
async fn a_standby_is_not_written_to() {
    let primary = Postgres::start_with(&["-c", "fsync=off"]);
    let url = primary.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let standby = Postgres::standby(&primary);
    let name = url.rsplit('/').next().unwrap();
    check(&standby.url(name), "ledger-read-only", "read-only").await;
    // Whichever of several is the primary is found.
    let both =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}", standby.port(), primary.port());
    PostgresLedger::open(&both).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_is_newer_or_not_whole() {
    let name = fresh().await;
    let url = server().url(&name);
    server().psql(&name, "INSERT INTO hongbao.migrations VALUES (1000)");
    check(&url, "ledger-newer", "schema version 1000").await;
    let migrated = PostgresLedger::migrate(&url).await;
    assert!(matches!(migrated, Err(OpenError::Newer { found: 1000, .. })), "{migrated:?}");
    server().psql(&name, "DELETE FROM hongbao.migrations");
    check(&url, "ledger-damaged", "not whole").await;
    server().psql(&name, "DROP TABLE hongbao.migrations");
    check(&url, "ledger-damaged", "not whole").await;
    assert!(matches!(PostgresLedger::migrate(&url).await, Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_half_done() {
    let url = server().fresh_database();
    let name = url.rsplit('/').next().unwrap();
    // A migration is made to fail at its very end, where nearly all of it is done.
    server().psql(
        name,
        "CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN IF tg_tag = 'CREATE FUNCTION' AND to_regclass('hongbao.escrows') IS NOT NULL
                THEN RAISE 'stopped'; END IF; END $$;
         CREATE EVENT TRIGGER stop ON ddl_command_end EXECUTE FUNCTION stop()",
    );
    let failed = PostgresLedger::migrate(&url).await.unwrap_err();
    assert!(failed.to_string().contains("stopped"), "{failed}");
    check(&url, "no-ledger", "`hongbao migrate`").await;
    server().psql(name, "DROP EVENT TRIGGER stop");
    assert_eq!(PostgresLedger::migrate(&url).await.unwrap(), Schema::Missing);
    assert_eq!(PostgresLedger::migrate(&url).await.unwrap(), Schema::Current);
    PostgresLedger::open(&url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_migrate_at_once() {
    let url = server().fresh_database();
    let (one, other) = tokio::join!(PostgresLedger::migrate(&url), PostgresLedger::migrate(&url));
    let mut found = [one.unwrap(), other.unwrap()];
    found.sort_by_key(|schema| *schema == Schema::Current);
    assert_eq!(found, [Schema::Missing, Schema::Current]);
}

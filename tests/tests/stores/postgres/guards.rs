//! Guards of the books that somebody switches off are noticed: at the start, while the ledger is used, and by
//! whoever looks at the books.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, TenantId};
use hongbao_host::store::postgres::{OpenError, PostgresLedger, PostgresRegistry};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Claimed, Closed, Registry as _, StoreError};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;

use super::books::{Books, LIFE, NOW, assert_in_order, claim, id, order, send, take};
use super::{fresh, open, server};

/// What somebody does to the books, how it is undone, and words of what is told of it.
const DAMAGES: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE claims DISABLE TRIGGER claims_are_kept",
        "ALTER TABLE claims ENABLE TRIGGER claims_are_kept",
        "the trigger claims_are_kept of the table claims is disabled",
    ),
    (
        "ALTER TABLE movements_3 ENABLE REPLICA TRIGGER movements_are_posted",
        "ALTER TABLE movements_3 ENABLE TRIGGER movements_are_posted",
        "movements_are_posted of the table movements_3 is enabled for replicas only",
    ),
    (
        "ALTER TABLE movements ENABLE ALWAYS TRIGGER movements_are_posted",
        "ALTER TABLE movements ENABLE TRIGGER movements_are_posted",
        "is enabled always",
    ),
    ("ALTER TABLE packets DISABLE TRIGGER ALL", "ALTER TABLE packets ENABLE TRIGGER ALL", "more differences"),
    (
        "ALTER TABLE wallets DROP CONSTRAINT no_wallet_is_below_zero",
        "ALTER TABLE wallets ADD CONSTRAINT no_wallet_is_below_zero CHECK (balance >= 0)",
        "no_wallet_is_below_zero of the table wallets is missing",
    ),
    (
        "ALTER TABLE wallets DROP CONSTRAINT no_wallet_is_below_zero;
         ALTER TABLE wallets ADD CONSTRAINT no_wallet_is_below_zero CHECK (balance >= 0) NOT VALID",
        "ALTER TABLE wallets VALIDATE CONSTRAINT no_wallet_is_below_zero",
        "is not valid; ALTER TABLE hongbao.wallets VALIDATE CONSTRAINT no_wallet_is_below_zero",
    ),
    (
        "ALTER TABLE escrows DROP CONSTRAINT no_escrow_is_below_zero;
         ALTER TABLE escrows ADD CONSTRAINT no_escrow_is_below_zero CHECK (balance >= -1)",
        "ALTER TABLE escrows DROP CONSTRAINT no_escrow_is_below_zero;
         ALTER TABLE escrows ADD CONSTRAINT no_escrow_is_below_zero CHECK (balance >= 0)",
        "no_escrow_is_below_zero",
    ),
    (
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "",
        "the function refuse() is not the one",
    ),
    (
        "ALTER FUNCTION fund_wallet(text, text, bigint, bigint) SET session_replication_role = replica",
        "ALTER FUNCTION fund_wallet(text, text, bigint, bigint) RESET session_replication_role",
        "the function fund_wallet(",
    ),
    ("DROP FUNCTION must_hold(text, bigint, bigint)", "", "the function must_hold("),
    (
        "CREATE FUNCTION fund_wallet(name, text, bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "DROP FUNCTION fund_wallet(name, text, bigint, bigint)",
        "is not ours; DROP FUNCTION hongbao.fund_wallet",
    ),
    (
        "CREATE RULE nothing AS ON INSERT TO rooms DO INSTEAD NOTHING",
        "DROP RULE nothing ON rooms",
        "the rule nothing of the table rooms is not ours; DROP RULE nothing ON hongbao.rooms",
    ),
    (
        "CREATE TRIGGER a_first BEFORE INSERT ON movements FOR EACH ROW EXECUTE FUNCTION
            suppress_redundant_updates_trigger()",
        "DROP TRIGGER a_first ON movements",
        "the trigger a_first of the table movements",
    ),
    (
        "ALTER TABLE wallets_2 ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE wallets_2 DISABLE ROW LEVEL SECURITY",
        "the table wallets_2 is under row level security",
    ),
    ("ALTER TABLE notes SET UNLOGGED", "ALTER TABLE notes SET LOGGED", "the table notes is unlogged"),
    (
        "ALTER TABLE claims DETACH PARTITION claims_5",
        "ALTER TABLE claims ATTACH PARTITION claims_5 FOR VALUES WITH (MODULUS 8, REMAINDER 5)",
        "the table claims_5",
    ),
    (
        "ALTER TABLE movements DETACH PARTITION movements_5; ALTER TABLE movements_5 RENAME TO before_5;
         CREATE TABLE movements_5 PARTITION OF movements FOR VALUES WITH (MODULUS 8, REMAINDER 5)",
        "",
        "the trigger movements_are_kept of the table movements_5 is missing",
    ),
    (
        "CREATE TABLE more_keys () INHERITS (api_keys)",
        "DROP TABLE more_keys",
        "the table more_keys is not ours",
    ),
    (
        "ALTER TABLE movements ALTER COLUMN user_id DROP NOT NULL",
        "ALTER TABLE movements ALTER COLUMN user_id SET NOT NULL",
        "the column user_id of the table movements",
    ),
    (
        "ALTER TABLE movements ALTER COLUMN id DROP DEFAULT",
        "ALTER TABLE movements ALTER COLUMN id SET DEFAULT nextval('movements_places')",
        "the column id of the table movements is no longer default nextval(",
    ),
    (
        "DROP INDEX claims_are_numbered",
        "CREATE UNIQUE INDEX claims_are_numbered ON claims (packet, tenant, sequence) WHERE amount > 0",
        "the index of claims on (packet, tenant, sequence",
    ),
    (
        "ALTER TABLE orders DROP CONSTRAINT a_key_names_one_packet",
        "ALTER TABLE orders ADD CONSTRAINT a_key_names_one_packet PRIMARY KEY (sender, tenant, key)",
        "a_key_names_one_packet",
    ),
    (
        "ALTER SEQUENCE movements_places INCREMENT -1 MINVALUE -5",
        "ALTER SEQUENCE movements_places INCREMENT 1 MINVALUE 1",
        "the sequence movements_places is increment -1, minvalue -5 instead of increment 1, minvalue 1",
    ),
    (
        "ALTER SEQUENCE outbox_sequence MAXVALUE 5000 CYCLE",
        "ALTER SEQUENCE outbox_sequence NO MAXVALUE NO CYCLE",
        "; ALTER SEQUENCE hongbao.outbox_sequence AS bigint INCREMENT 1",
    ),
    ("DROP TABLE rooms CASCADE", "", "the table rooms is missing"),
];

fn harm(name: &str, sql: &str) {
    server().psql(
        name,
        &format!("SET client_min_messages = error; SET search_path = hongbao, pg_catalog; {sql}"),
    );
}

fn damage(refused: Result<PostgresLedger, OpenError>, sql: &str) -> String {
    match refused {
        Err(error @ OpenError::Damaged { .. }) => {
            assert_eq!((error.code(), error.is_lasting()), ("ledger-damaged", true));
            error.to_string()
        }
        Err(other) => panic!("{sql}: {other}"),
        Ok(_) => panic!("{sql}: not noticed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_off_at_the_start_is_named_and_may_be_put_back() {
    let name = fresh().await;
    let url = server().url(&name);
    for (sql, undo, words) in DAMAGES.iter().filter(|(_, undo, _)| !undo.is_empty()) {
        harm(&name, sql);
        let told = damage(PostgresLedger::open(&url).await, sql);
        assert!(told.contains(words) && !told.contains('\n'), "{sql}: {told}");
        let migrated = PostgresLedger::migrate(&url).await;
        assert!(matches!(migrated, Err(OpenError::Damaged { .. })), "{sql}: {migrated:?}");
        harm(&name, undo);
        if let Err(error) = PostgresLedger::open(&url).await {
            panic!("{sql} was undone: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_off_while_the_ledger_is_used_stops_the_money() {
    for (sql, _, words) in DAMAGES {
        let Books { ledger, name } = Books::new().await;
        ledger.check().await.unwrap();
        harm(&name, sql);
        match ledger.check().await {
            Err(StoreError::Corrupt(told)) => assert!(told.contains(words), "{sql}: {told}"),
            other => panic!("{sql}: {other:?}"),
        }
        let funded = ledger.fund(&TenantId::default(), &user("bob"), amount(1), None, NOW).await;
        assert!(matches!(funded, Err(StoreError::Corrupt(_))), "{sql}: {funded:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_moves_again_when_the_guards_are_back_and_nobody_need_ask() {
    let Books { ledger, name } = Books::new().await;
    let fund = async || ledger.fund(&TenantId::default(), &user("bob"), amount(1), None, NOW).await;
    let until = async |is_funded: bool| {
        let begun = Instant::now();
        while fund().await.is_ok() != is_funded {
            assert!(begun.elapsed() < Duration::from_secs(15), "it is noticed by itself");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // A rule that no funding meets, so nothing but the watch can notice.
    harm(&name, "ALTER TABLE claims DISABLE TRIGGER claims_are_kept");
    until(false).await;
    assert!(ledger.balance(&TenantId::default(), &user("bob")).await.is_ok(), "it can be read meanwhile");
    harm(&name, "ALTER TABLE claims ENABLE TRIGGER claims_are_kept");
    until(true).await;
    assert_in_order(&*ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_did_not_run_is_noticed_by_the_statement_itself() {
    let Books { ledger, name } = Books::new().await;
    let tenant = TenantId::default();
    let packet = send(&*ledger, 1, Audience::Everyone).await;
    // The watch has just looked, and looks again in some seconds.
    ledger.check().await.unwrap();
    // All at once: programs take their time to start, and the watch must not look meanwhile.
    let everywhere = |does: &str| {
        let partitions = (0..8).map(|number| format!("movements_{number}"));
        let alter = |table: String| format!("ALTER TABLE {table} {does} TRIGGER movements_are_posted;");
        partitions.chain(["movements".into()]).map(alter).collect::<String>()
    };
    harm(&name, &everywhere("DISABLE"));
    let corrupt = |what: &str, told: Option<StoreError>| match told {
        Some(StoreError::Corrupt(told)) => assert!(told.contains("switched off"), "{what}: {told}"),
        other => panic!("{what}: {other:?}"),
    };
    corrupt("fund", ledger.fund(&tenant, &user("alice"), amount(5), None, NOW).await.err());
    corrupt("fund", ledger.fund(&tenant, &user("nobody"), amount(5), None, NOW).await.err());
    let key = hongbao_host::domain::Name::new("key").unwrap();
    corrupt("fund once", ledger.fund(&tenant, &user("bob"), amount(5), Some(&key), NOW).await.err());
    corrupt("send", ledger.record(&tenant, id(2), order(3, 100, Audience::Everyone), NOW).await.err());
    corrupt("close", ledger.close(&packet, 1, NOW + LIFE).await.err());
    harm(&name, &everywhere("ENABLE"));
    assert_eq!(ledger.close(&packet, 1, NOW + LIFE).await.unwrap(), Closed::Refunded(amount(100)));
    assert_in_order(&open(&server().url(&name)).await).await;
}

/// Ways to make places in the books be given out again.
const SET_BACK: [&str; 3] = [
    "ALTER SEQUENCE movements_places RESTART WITH 1",
    "SELECT setval('movements_places', 1)",
    "SELECT setval('movements_places', 2, false)",
];

#[tokio::test(flavor = "multi_thread")]
async fn places_that_would_be_given_out_again_are_noticed_at_the_start_and_while_the_ledger_is_used() {
    for set_back in SET_BACK {
        let Books { ledger, name } = Books::new().await;
        for number in 1..=5 {
            send(&*ledger, number, Audience::Everyone).await;
        }
        ledger.check().await.unwrap();
        harm(&name, set_back);
        let words = "movements have places up to 6; SELECT setval('hongbao.movements_places', (SELECT max(id) FROM \
                     hongbao.movements))";
        match ledger.check().await {
            Err(StoreError::Corrupt(told)) => assert!(told.contains(words), "{set_back}: {told}"),
            other => panic!("{set_back}: {other:?}"),
        }
        let url = server().url(&name);
        let told = damage(PostgresLedger::open(&url).await, set_back);
        assert!(told.contains(words), "{told}");
        let funded = ledger.fund(&TenantId::default(), &user("bob"), amount(1), None, NOW).await;
        assert!(matches!(funded, Err(StoreError::Corrupt(_))), "{set_back}: {funded:?}");
        let found = ledger.verify(&TenantId::default()).await.unwrap();
        assert!(found.iter().any(|found| found.subject.contains(words)), "{found:?}");
        // As the sentence says.
        harm(&name, "SELECT setval('hongbao.movements_places', (SELECT max(id) FROM hongbao.movements))");
        ledger.check().await.unwrap();
        open(&url).await;
        super::books::fund(&*ledger, "bob", 1).await;
        assert_in_order(&*ledger).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_are_set_further_or_whose_sequence_was_not_used_yet_are_no_damage() {
    let name = fresh().await;
    let ledger = open(&server().url(&name)).await;
    ledger.check().await.unwrap();
    super::books::fund(&ledger, "alice", 1_000).await;
    for further in
        ["ALTER SEQUENCE movements_places RESTART WITH 500", "SELECT setval('movements_places', 900)"]
    {
        harm(&name, further);
        ledger.check().await.unwrap();
        open(&server().url(&name)).await;
    }
    assert_in_order(&ledger).await;
}

/// What somebody takes away from the ledger's user, and how it is told.
const TAKEN: [(&str, &str); 6] = [
    ("INSERT ON claims", "its user lacks INSERT on the table claims"),
    ("UPDATE ON wallets", "its user lacks UPDATE on the table wallets"),
    ("DELETE ON outbox", "its user lacks DELETE on the table outbox"),
    (
        "EXECUTE ON FUNCTION fund_wallet(text, text, bigint, bigint)",
        "its user lacks EXECUTE on the function hongbao.fund_wallet(text,text,bigint,bigint)",
    ),
    ("USAGE, UPDATE ON SEQUENCE movements_places", "its user lacks USAGE on the sequence movements_places"),
    ("SELECT, INSERT ON fundings", "its user lacks SELECT on the table fundings (and 1 more rights)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_the_ledgers_user_loses_are_told_at_the_start_and_while_it_is_used() {
    let name = fresh().await;
    harm(
        &name,
        "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA hongbao TO clerk;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hongbao TO clerk;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA hongbao TO clerk;
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA hongbao FROM PUBLIC;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA hongbao TO clerk",
    );
    let url = server().url(&name).replace("postgres@", "clerk@");
    let (ledger, registry) = (open(&url).await, PostgresRegistry::open(&url).await.unwrap());
    let refuses = |answer: Result<(), StoreError>| {
        let error = answer.expect_err("it lacks a right");
        error.writes_refused().map(|refused| refused.reason().to_owned()).unwrap_or_else(|| panic!("{error}"))
    };
    for (right, words) in TAKEN {
        super::books::fund(&ledger, "alice", 1_000).await;
        ledger.check().await.unwrap();
        harm(&name, &format!("REVOKE {right} FROM clerk"));
        assert_eq!(refuses(ledger.check().await), words);
        let funded = ledger.fund(&TenantId::default(), &user("bob"), amount(1), None, NOW).await;
        assert_eq!(refuses(funded.map(drop)), words);
        match PostgresLedger::open(&url).await {
            Err(error @ OpenError::NotPermitted { .. }) => {
                assert!(error.to_string().contains(words), "{error}")
            }
            Err(other) => panic!("{right}: {other}"),
            Ok(_) => panic!("{right}: not noticed"),
        }
        harm(&name, &format!("GRANT {right} TO clerk"));
        ledger.check().await.unwrap();
    }
    registry.check().await.unwrap();
    harm(&name, "REVOKE INSERT ON notes FROM clerk");
    assert_eq!(refuses(registry.check().await), "its user lacks INSERT on the table notes");
    assert!(matches!(PostgresRegistry::open(&url).await, Err(OpenError::NotPermitted { .. })));
    assert_in_order(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_not_content_with_guards_that_are_off() {
    let Books { ledger, name } = Books::new().await;
    let tenant = TenantId::default();
    assert_eq!(ledger.verify(&tenant).await.unwrap(), []);
    harm(&name, "ALTER TABLE claims DISABLE TRIGGER claims_are_kept");
    let found = ledger.verify(&tenant).await.unwrap();
    assert!(found.iter().any(|found| found.subject.contains("claims_are_kept")), "{found:?}");
    harm(&name, "ALTER TABLE claims ENABLE TRIGGER claims_are_kept");
    harm(&name, &format!("ALTER DATABASE {name} SET session_replication_role = replica"));
    let found = ledger.verify(&tenant).await.unwrap();
    assert!(found[0].subject.contains("session_replication_role is replica for the database"), "{found:?}");
    assert_eq!(found.len(), 1);
}

/// Where `session_replication_role` can be set for the role `keeper` of a database.
fn places(name: &str) -> [(String, String); 4] {
    let both = |alter: String| (format!("{alter} SET %"), format!("{alter} RESET %"));
    let all = [
        both(format!("ALTER DATABASE {name}")),
        both("ALTER ROLE keeper".into()),
        both(format!("ALTER ROLE keeper IN DATABASE {name}")),
        both("ALTER ROLE ALL".into()),
    ];
    all.map(|(set, reset)| {
        let switch = |sql: &str, value: &str| sql.replace('%', &format!("session_replication_role{value}"));
        (switch(&set, " = replica"), switch(&reset, ""))
    })
}

/// A server with books of alice's, who has 1,000, and a role without privileges that keeps them.
async fn kept() -> (Postgres, String, String) {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    let url = server.fresh_database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    server.psql(&name, &format!("CREATE ROLE keeper LOGIN; GRANT ALL ON DATABASE {name} TO keeper"));
    let kept = url.replace("postgres@", "keeper@");
    PostgresLedger::migrate(&kept).await.unwrap();
    super::books::fund(&open(&kept).await, "alice", 1_000).await;
    (server, name, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_begin_with_silent_triggers_are_set_back_or_refused() {
    let (server, name, kept) = kept().await;
    for (set, reset) in places(&name) {
        server.psql("postgres", &set);
        let told = damage(PostgresLedger::open(&kept).await, &set);
        assert!(
            told.contains("session_replication_role is replica") && told.contains(&reset),
            "{set}: {told}"
        );
        server.psql("postgres", &reset);
        open(&kept).await;
    }
    server.psql("postgres", &format!("ALTER DATABASE {name} SET session_replication_role = replica"));
    // A superuser may set it back, and what is written then is guarded.
    let ledger = open(&server.url(&name)).await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    take(&ledger, &packet, "bob", 98).await;
    ledger.settle(10, NOW).await.unwrap();
    let audit = ledger.audit(&TenantId::default()).await.unwrap();
    assert!(audit.is_conserved() && audit.escrow == 2, "{audit:?}");
    // Whoever was granted to set it back does.
    server.psql(&name, "GRANT SET ON PARAMETER session_replication_role TO keeper");
    let ledger = open(&kept).await;
    super::books::fund(&ledger, "bob", 7).await;
    assert_eq!(ledger.balance(&TenantId::default(), &user("bob")).await.unwrap(), amount(98 + 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_that_the_servers_configuration_silences_stop_the_money_at_once() {
    let (server, name, kept) = kept().await;
    let (ledger, superusers) = (open(&kept).await, open(&server.url(&name)).await);
    let tenant = TenantId::default();
    let packet = send(&ledger, 1, Audience::Everyone).await;
    let second = send(&ledger, 2, Audience::Everyone).await;
    take(&ledger, &packet, "bob", 10).await;
    super::books::fund(&superusers, "alice", 1).await;
    server.psql("postgres", "ALTER SYSTEM SET session_replication_role = replica");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let begun = Instant::now();
    // From one moment to the next, in sessions that are there already.
    while ledger.fund(&tenant, &user("alice"), amount(1), None, NOW).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the configuration is read again");
    }
    for told in [
        ledger.fund(&tenant, &user("erin"), amount(1), None, NOW).await.err(),
        ledger.record(&tenant, id(3), order(3, 100, Audience::Everyone), NOW).await.err(),
        claim(&ledger, &second, 1, "bob", 10).await.err(),
        ledger.settle(10, NOW).await.err(),
        ledger.close(&packet, 2, NOW + LIFE).await.err(),
        ledger.check().await.err(),
    ] {
        assert!(matches!(told, Some(StoreError::Corrupt(_))), "{told:?}");
    }
    // A superuser's sessions go by what they set themselves.
    assert_eq!(claim(&superusers, &second, 1, "bob", 10).await.unwrap(), Claimed::Committed(1));
    assert_eq!(superusers.settle(10, NOW).await.unwrap().len(), 2);
    assert_in_order(&superusers).await;
    server.psql("postgres", "ALTER SYSTEM RESET session_replication_role");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let begun = Instant::now();
    while ledger.fund(&tenant, &user("bob"), amount(1), None, NOW).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(15), "money moves again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_in_order(&ledger).await;
}

//! The baseline of opens: one claim by one statement, on plain tables without our rules, which is
//! the fastest that a program without gathering can do.

use std::process::Command;

use hongbao_tests::servers::{Postgres, program};

/// Packets of the baseline; the first is the hot one.
const PACKETS: u32 = 100_000;
const SECONDS: u32 = 4;

const TABLES: &str = "
    CREATE TABLE packets (
        id integer PRIMARY KEY, version bigint NOT NULL DEFAULT 1, total bigint NOT NULL, shares bigint NOT NULL,
        claimed_amount bigint NOT NULL DEFAULT 0, claimed_shares bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 60);
    CREATE TABLE claims (
        packet integer, user_id bigint, sequence bigint NOT NULL, amount bigint NOT NULL,
        claimed_at_ms bigint NOT NULL, PRIMARY KEY (packet, user_id)
    );
    CREATE TABLE outbox (
        id bigserial PRIMARY KEY, packet integer NOT NULL, user_id bigint NOT NULL, amount bigint NOT NULL
    );";

const CLAIM: &str = "
\\set user random(1, 1000000000000)
WITH moved AS (
    UPDATE packets SET version = version + 1, claimed_shares = claimed_shares + 1,
                       claimed_amount = claimed_amount + 10
     WHERE id = :packet AND claimed_shares < shares
    RETURNING id, claimed_shares
), claimed AS (
    INSERT INTO claims SELECT id, :user, claimed_shares, 10, 1771200000000 FROM moved
    ON CONFLICT DO NOTHING RETURNING packet, user_id, amount
)
INSERT INTO outbox (packet, user_id, amount) SELECT packet, user_id, amount FROM claimed;
";

pub struct Baseline<'s> {
    server: &'s Postgres,
    database: String,
}

impl<'s> Baseline<'s> {
    pub fn new(server: &'s Postgres) -> Self {
        let url = server.fresh_database();
        let database = url.rsplit('/').next().unwrap().to_owned();
        server.psql(&database, TABLES);
        let fill = format!(
            "INSERT INTO packets (id, total, shares)
             SELECT id, 1000000000, 100000000 FROM generate_series(1, {PACKETS}) AS id; VACUUM ANALYZE packets"
        );
        fill.split(';').for_each(|statement| drop(server.psql(&database, statement)));
        Self { server, database }
    }

    /// Claims a second on packets chosen at random, with the number of clients that is best.
    pub fn many(&self) -> f64 {
        self.best(&format!("\\set packet random(1, {PACKETS})\n{CLAIM}"))
    }

    /// Claims a second on one packet.
    pub fn hot(&self) -> f64 {
        self.best(&format!("\\set packet 1\n{CLAIM}"))
    }

    fn best(&self, script: &str) -> f64 {
        [8, 16, 32].into_iter().map(|clients| self.run(script, clients)).fold(0.0, f64::max)
    }

    fn run(&self, script: &str, clients: u32) -> f64 {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("claim.sql");
        std::fs::write(&file, script).unwrap();
        let output = Command::new(program("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--host=127.0.0.1", "--username=postgres"])
            .arg(format!("--port={}", self.server.port()))
            .args([format!("--client={clients}"), "--jobs=2".into(), format!("--time={SECONDS}")])
            .arg("--file")
            .arg(&file)
            .arg(&self.database)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split(' ').next()).and_then(|rate| rate.parse().ok());
        rate.unwrap_or_else(|| {
            panic!("pgbench gave no rate: {text} {}", String::from_utf8_lossy(&output.stderr))
        })
    }
}

//! The list of guards that the program knows, and what the migrations make.

use std::collections::BTreeMap;

use super::server;

const LIST: &str = include_str!("../../../../host/store-postgres/src/guards.txt");
const DESCRIPTION: &str = include_str!("../../../../host/store-postgres/src/guards.sql");

/// Lines that all eight partitions have are one, with `#` for the number.
fn list(described: &str) -> String {
    let mut lines = BTreeMap::<String, Vec<&str>>::new();
    for line in described.lines() {
        let table = line.split('|').nth(1).unwrap();
        let part = table.rsplit_once('_').map(|(_, part)| part).filter(|part| part.len() == 1);
        let common = match part.filter(|part| part.parse::<u8>().is_ok_and(|part| part < 8)) {
            Some(part) => line
                .replace(table, &format!("{}#", table.trim_end_matches(part)))
                .replace(&format!("remainder {part})"), "remainder #)"),
            None => line.to_owned(),
        };
        lines.entry(common).or_default().push(line);
    }
    let lines = lines.into_iter().flat_map(|(common, lines)| match lines.len() {
        8 => vec![common],
        _ => lines.into_iter().map(str::to_owned).collect(),
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn the_list_of_guards_is_what_the_migrations_make() {
    // Not by `migrate`: with a list that is out of date it refuses what it has just made.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/store-postgres/src/migrations");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let migrations: BTreeMap<_, _> =
        files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    server().psql("postgres", "CREATE DATABASE described");
    server().psql(
        "described",
        &format!(
            "CREATE SCHEMA hongbao; SET search_path = hongbao, pg_catalog;
             CREATE TABLE migrations (version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
             {}",
            migrations.into_values().collect::<Vec<_>>().join("\n")
        ),
    );
    let described = server().psql("described", &format!("SET search_path = pg_catalog; {DESCRIPTION}"));
    let made = list(&described);
    if std::env::var_os("HONGBAO_WRITE_GUARDS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/store-postgres/src/guards.txt");
        std::fs::write(file, &made).unwrap();
    }
    let differs = made.lines().zip(LIST.lines()).find(|(made, listed)| made != listed);
    assert!(
        made == LIST,
        "HONGBAO_WRITE_GUARDS=1 writes guards.txt anew; the first difference is {differs:?}"
    );
}

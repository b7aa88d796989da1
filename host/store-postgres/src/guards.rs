//! The guards of the books: every table, column, constraint, index, trigger and function that keeps money right,
//! as it should be and as it is.
//!
//! What should be there is a list in the program (`guards.txt`) and not in the database, where whoever drops a
//! guard may change the list as well. `guards.sql` describes what is there in the same words, on every version of
//! PostgreSQL alike. A line is `kind|table|name|state`; `#` in the list stands for the number of a partition.
//!
//! What makes the books stricter or has no effect on them is nobody's business here: further tables, columns,
//! constraints and indexes. What could act on their rows is: triggers, rules, row level security, children of our
//! tables, and functions that share a name with one of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use super::error::{Error, Unfit};
use super::settings::{self, rows};
use super::{places, sequences};

const DESCRIPTION: &str = include_str!("guards.sql");
const EXPECTED: &str = include_str!("guards.txt");

/// Partitions of each partitioned table.
const PARTITIONS: u32 = 8;

/// A number that changes whenever a guard may have changed, at a fraction of the cost of describing all: every
/// change of a row of the catalogue makes another version of that row. With it, how triggers fire in the session.
const FINGERPRINT: &str = "
    WITH ours AS (SELECT oid, tableoid, ctid, xmin FROM pg_class WHERE relnamespace = to_regnamespace('hongbao')),
    seen AS (
        SELECT tableoid, ctid, xmin FROM ours
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_constraint WHERE conrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_index WHERE indrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_attribute WHERE attrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_inherits WHERE inhparent IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_sequence WHERE seqrelid IN (SELECT oid FROM ours)
        UNION ALL SELECT tableoid, ctid, xmin FROM pg_proc WHERE pronamespace = to_regnamespace('hongbao')
    )
    SELECT concat_ws(' ', count(*), sum(hashtextextended(concat(tableoid::bigint, ctid, xmin), 0)),
                     current_setting('session_replication_role')) FROM seen";

/// Kinds of which there may be none but ours.
const EXCLUSIVE: [&str; 3] = ["trigger", "rule", "child"];

/// Of many differences, those of the first kinds are told first.
const WEIGHTIEST: [&str; 9] =
    ["table", "sequence", "trigger", "function", "rule", "constraint", "child", "index", "column"];

/// A guard by its kind, table and name, and what it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Guard<'l> {
    kind: &'l str,
    table: &'l str,
    name: &'l str,
}

impl<'l> Guard<'l> {
    /// A line's guard, and its state.
    fn of(line: &'l str) -> Option<(Self, &'l str)> {
        let mut parts = line.splitn(4, '|');
        let (kind, table, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some((Self { kind, table, name }, parts.next()?))
    }
}

impl fmt::Display for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, table, name } = self;
        match *kind {
            "table" => write!(f, "the table {table}"),
            "function" => write!(f, "the function {table}({name})"),
            "sequence" => write!(f, "the sequence {table}"),
            "index" => write!(f, "the index of {table} on ({name})"),
            "child" => write!(f, "the table {name}, which inherits from {table},"),
            kind => write!(f, "the {kind} {name} of the table {table}"),
        }
    }
}

/// What differs between the books as they are and as they should be: a sentence for each guard, with the remedy.
pub(super) async fn differences(client: &tokio_postgres::Client) -> Result<Vec<String>, Error> {
    let found = rows(client, DESCRIPTION).await?;
    let mut differences = compare(&found);
    if differences.is_empty() {
        let used = sequences::greatest(client).await?;
        differences.extend(sequences::set_back(client, &used).await?);
        differences.extend(places::lag(client, &used).await?);
    }
    Ok(differences)
}

/// Whether books that lack no guard would give events places below those in use.
pub(super) async fn lag(client: &tokio_postgres::Client) -> Result<bool, Error> {
    let found = rows(client, DESCRIPTION).await?;
    if !compare(&found).is_empty() {
        return Ok(false);
    }
    let used = sequences::greatest(client).await?;
    Ok(places::lag(client, &used).await?.is_some())
}

/// Changes when a guard may have.
pub(super) async fn fingerprint(client: &tokio_postgres::Client) -> Result<String, Error> {
    Ok(rows(client, FINGERPRINT).await?.into_iter().next().unwrap_or_default())
}

/// Refuses books of which a guard is missing or silent, in one sentence.
pub(super) async fn intact(client: &tokio_postgres::Client) -> Result<(), Error> {
    let switch = "session_replication_role";
    if rows(client, &format!("SELECT current_setting('{switch}')")).await? != ["origin"] {
        return Err(settings::silenced(client, switch).await?.into());
    }
    let differences = differences(client).await?;
    let Some(first) = differences.first() else {
        return Ok(());
    };
    let more = differences.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more differences)") };
    Err(Unfit::Damaged(format!("{first}{more}")).into())
}

/// The list with a line for each partition.
static GUARDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let partitions = |line: &str| -> Vec<String> {
        match line.contains('#') {
            true => (0..PARTITIONS).map(|part| line.replace('#', &part.to_string())).collect(),
            false => vec![line.to_owned()],
        }
    };
    EXPECTED.lines().flat_map(partitions).collect()
});

fn compare(found: &[String]) -> Vec<String> {
    let expected: BTreeMap<_, _> = GUARDS.iter().filter_map(|line| Guard::of(line)).collect();
    let mut there: BTreeMap<Guard<'_>, Vec<&str>> = BTreeMap::new();
    for (guard, state) in found.iter().filter_map(|line| Guard::of(line)) {
        there.entry(guard).or_default().push(state);
    }
    let mut differences = Vec::new();
    let is_there = |table: &str| there.contains_key(&Guard { kind: "table", table, name: "" });
    for (guard, state) in &expected {
        match there.get(guard).map(Vec::as_slice) {
            // What is on a table that is missing is missing with it.
            None | Some([])
                if ["table", "function", "sequence"].contains(&guard.kind) || is_there(guard.table) =>
            {
                differences.push((guard, missing(guard)));
            }
            // An index that is there twice counts if either is as it should be.
            Some(states) if states.contains(state) => {}
            Some([other, ..]) => differences.push((guard, different(guard, state, other))),
            None | Some([]) => {}
        }
    }
    let functions: BTreeSet<_> = expected.keys().filter(|guard| guard.kind == "function").collect();
    let is_ours = |table: &str| functions.iter().any(|function| function.table == table);
    for (guard, states) in there.iter().filter(|(guard, _)| !expected.contains_key(guard)) {
        let acts = match guard.kind {
            "function" => is_ours(guard.table),
            "table" => {
                states.iter().any(|state| state.contains("partition of") || state.contains("child of"))
            }
            kind => EXCLUSIVE.contains(&kind),
        };
        if acts {
            differences.push((guard, format!("{guard} is not ours; {}", removal(guard))));
        }
    }
    differences.sort_by_key(|(guard, _)| WEIGHTIEST.iter().position(|kind| *kind == guard.kind));
    differences.into_iter().map(|(_, told)| told).collect()
}

fn missing(guard: &Guard<'_>) -> String {
    format!("{guard} is missing; {AS_MADE}")
}

const AS_MADE: &str = "make it again as `hongbao migrate` makes it in an empty database";

/// How a guard differs, by those parts of its state that are not the same.
fn different(guard: &Guard<'_>, expected: &str, found: &str) -> String {
    let parts = |state: &str| state.split(", ").map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (parts(expected), parts(found));
    let only = |those: &[String], others: &[String]| {
        those.iter().filter(|part| !others.contains(part)).cloned().collect::<Vec<_>>().join(", ")
    };
    let (has, lacks) = (only(&found, &expected), only(&expected, &found));
    let how = match (guard.kind, &*has, &*lacks) {
        ("function", ..) => "is not the one that `hongbao migrate` makes".to_owned(),
        (_, "", lacks) => format!("is no longer {lacks}"),
        (_, has, "") => format!("is {has}"),
        (_, has, lacks) => format!("is {has} instead of {lacks}"),
    };
    let Guard { table, name, .. } = guard;
    let remedy = match (guard.kind, &*has) {
        ("trigger", "disabled" | "enabled for replicas only" | "enabled always") => {
            format!("ALTER TABLE hongbao.{table} ENABLE TRIGGER {name}")
        }
        ("constraint", "not valid") => format!("ALTER TABLE hongbao.{table} VALIDATE CONSTRAINT {name}"),
        ("sequence", _) => format!(
            "ALTER SEQUENCE hongbao.{table} AS bigint INCREMENT 1 MINVALUE 1 NO MAXVALUE CACHE 1 NO CYCLE"
        ),
        ("table", "unlogged") => format!("ALTER TABLE hongbao.{table} SET LOGGED"),
        ("table", "under row level security") => {
            format!("ALTER TABLE hongbao.{table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
        }
        _ => AS_MADE.to_owned(),
    };
    format!("{guard} {how}; {remedy}")
}

fn removal(guard: &Guard<'_>) -> String {
    let Guard { kind, table, name } = guard;
    match *kind {
        "function" => format!("DROP FUNCTION hongbao.{table}({name})"),
        "table" => format!("DETACH PARTITION hongbao.{table}, or NO INHERIT"),
        "child" => format!("ALTER TABLE {name} NO INHERIT hongbao.{table}"),
        kind => format!("DROP {} {name} ON hongbao.{table}", kind.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of the books when these lines are added to and these taken away.
    fn told_of(change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
        let mut found = GUARDS.clone();
        change(&mut found);
        compare(&found)
    }

    fn replace(from: &'static str, to: &'static str) -> impl FnOnce(&mut Vec<String>) {
        move |found: &mut Vec<String>| {
            let line = found.iter_mut().find(|line| line.contains(from)).unwrap();
            *line = line.replace(from, to);
        }
    }

    #[test]
    fn books_that_are_as_they_were_made_differ_in_nothing() {
        assert_eq!(told_of(|_| {}), [""; 0]);
        assert!(GUARDS.iter().all(|line| Guard::of(line).is_some()), "{GUARDS:?}");
    }

    #[test]
    fn each_difference_is_named_with_its_remedy() {
        let disabled = told_of(replace(
            "trigger|claims_3|claims_are_kept|enabled",
            "trigger|claims_3|claims_are_kept|disabled",
        ));
        assert_eq!(
            disabled,
            ["the trigger claims_are_kept of the table claims_3 is disabled instead of enabled; \
              ALTER TABLE hongbao.claims_3 ENABLE TRIGGER claims_are_kept"]
        );
        let gone = told_of(|found| found.retain(|line| !line.contains("|rooms|")));
        assert_eq!(gone.len(), 1, "what was on it is not told one by one: {gone:?}");
        let dropped =
            told_of(|found| found.retain(|line| !line.starts_with("constraint|wallets_7|no_wallet")));
        assert_eq!(dropped.len(), 1);
        assert!(
            dropped[0]
                .starts_with("the constraint no_wallet_is_below_zero of the table wallets_7 is missing")
        );
        let replaced = told_of(|found| {
            let line = found.iter_mut().find(|line| line.starts_with("function|refuse|")).unwrap();
            *line = line.replace("plpgsql", "sql");
        });
        assert!(replaced[0].starts_with("the function refuse() is not the one"), "{replaced:?}");
    }

    #[test]
    fn what_could_act_on_the_books_must_be_ours() {
        for (line, acts) in [
            ("trigger|claims|mine|enabled, after insert for each row, public.mine", true),
            ("rule|claims|mine|on 3 instead", true),
            ("child|api_keys|public.mine|inherits", true),
            ("function|fund_wallet|of name|returns void", true),
            ("function|mine||returns void", false),
            ("table|mine||plain", false),
            ("table|mine||plain, child of hongbao.api_keys", true),
            ("constraint|claims|not_seven|check, (amount<>7)", false),
            ("index|claims|amount|btree", false),
        ] {
            assert_eq!(told_of(|found| found.push(line.into())).len(), usize::from(acts), "{line}");
        }
    }

    #[test]
    fn an_index_that_was_built_in_vain_beside_a_valid_one_is_no_difference() {
        let twice = |found: &mut Vec<String>| {
            let line = found.iter().find(|line| line.starts_with("index|claims_3|")).unwrap();
            found.push(format!("{line}, not valid"));
        };
        assert_eq!(told_of(twice), [""; 0]);
    }
}

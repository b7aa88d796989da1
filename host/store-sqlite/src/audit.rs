//! The sums of the books, and whether they agree. Whole tables are read, so this runs beside the
//! threads that serve, on a connection of its own.

use rusqlite::{Connection, Row};

use super::error::Error;
use super::guard::Guard;
use super::migrate::BOOKS;
use super::rows::{Columns, wide_sum};
use super::settle;
use hongbao_domain::{Account, TenantId};
use hongbao_store::{Audit, Discrepancy};

const PACKETS: &str = concat!(
    "SELECT count(*), ",
    wide_sum!("total"),
    ", ",
    wide_sum!("total - claimed_amount - refunded"),
    " FROM packets WHERE tenant = ?1"
);
const CLAIMED: &str = concat!("SELECT ", wide_sum!("amount"), " FROM claims WHERE tenant = ?1");
const REFUNDED: &str =
    concat!("SELECT ", wide_sum!("amount"), " FROM movements WHERE tenant = ?1 AND kind = 'refund'");
const FUNDED: &str =
    concat!("SELECT ", wide_sum!("amount"), " FROM movements WHERE tenant = ?1 AND kind = 'fund'");
const WALLETS: &str = concat!("SELECT ", wide_sum!("balance"), " FROM wallets WHERE tenant = ?1");
const ESCROWS: &str = concat!("SELECT ", wide_sum!("balance"), " FROM escrows WHERE tenant = ?1");
const HELD: &str =
    concat!("SELECT ", wide_sum!("amount"), " FROM withdrawals WHERE tenant = ?1 AND state = 'held'");
const WITHDRAWN: &str =
    concat!("SELECT ", wide_sum!("amount"), " FROM movements WHERE tenant = ?1 AND kind = 'complete'");
const UNSETTLED: &str = concat!("SELECT ", wide_sum!("amount"), " FROM outbox WHERE tenant = ?1");

/// Sums of a tenant's books, each from the table that it is first written in, so that the sums
/// can disagree. The treasury's balance is what was funded and not withdrawn, below zero.
pub(super) fn audit(db: &Connection, tenant: &TenantId) -> Result<Audit, Error> {
    let sum = |sql| db.query_row(sql, [tenant.as_str()], |row| Columns::of(row).wide());
    let count = |sql| db.query_row(sql, [tenant.as_str()], |row| Columns::of(row).number());
    let (funded, wallets, escrow) = (sum(FUNDED)?, sum(WALLETS)?, sum(ESCROWS)?);
    let (held, withdrawn) = (sum(HELD)?, sum(WITHDRAWN)?);
    Ok(Audit {
        funded,
        wallets,
        escrow,
        held,
        withdrawn,
        claimed: sum(CLAIMED)?,
        refunded: sum(REFUNDED)?,
        unsettled: sum(UNSETTLED)?,
        postings: wallets + escrow + held + withdrawn - funded,
        claims: count("SELECT count(*) FROM claims WHERE tenant = ?1")?,
        movements: count("SELECT count(*) FROM movements WHERE tenant = ?1")?,
        ..packets(db, tenant)?
    })
}

fn packets(db: &Connection, tenant: &TenantId) -> Result<Audit, Error> {
    let sums = db.query_row(PACKETS, [tenant.as_str()], |row| {
        let mut columns = Columns::of(row);
        let packets = columns.number()?;
        let (sent, remaining) = (columns.wide()?, columns.wide()?);
        Ok(Audit { packets, sent, remaining, ..Audit::default() })
    })?;
    Ok(sums)
}

/// A rule that says of every subject that two numbers of the books are one.
struct Rule {
    name: &'static str,
    subject: fn(&mut Columns<'_>) -> Result<String, rusqlite::Error>,
    /// Gives the subject's columns, the expected number and the found one, both wide.
    sql: &'static str,
}

/// The rules of the books. Each sums both sides over all rows that either side has, so that a
/// row which one side lacks is found from the other.
const RULES: [Rule; 9] = [
    Rule {
        name: "a balance is the sum of its postings",
        subject: wallet,
        sql: concat!(
            "SELECT user, ",
            wide_sum!("posted"),
            ", ",
            wide_sum!("balance"),
            " FROM (SELECT user, amount AS posted, 0 AS balance FROM postings
                    WHERE tenant = ?1 AND account = 'wallet'
                    UNION ALL SELECT user, 0, balance FROM wallets WHERE tenant = ?1)
              GROUP BY user"
        ),
    },
    Rule {
        name: "a balance is the sum of its postings",
        subject: escrow,
        sql: concat!(
            "SELECT packet, ",
            wide_sum!("posted"),
            ", ",
            wide_sum!("balance"),
            " FROM (SELECT packet, amount AS posted, 0 AS balance FROM postings
                    WHERE tenant = ?1 AND account = 'escrow'
                    UNION ALL SELECT packet, 0, balance FROM escrows WHERE tenant = ?1)
              GROUP BY packet"
        ),
    },
    Rule {
        name: "what a packet gave is the sum of its claims",
        subject: packet,
        sql: concat!(
            "SELECT packet, ",
            wide_sum!("claimed"),
            ", ",
            wide_sum!("given"),
            " FROM (SELECT packet, amount AS claimed, 0 AS given FROM claims WHERE tenant = ?1
                    UNION ALL SELECT id, 0, claimed_amount FROM packets WHERE tenant = ?1)
              GROUP BY packet"
        ),
    },
    Rule {
        name: "a packet counts its claims",
        subject: packet,
        sql: concat!(
            "SELECT packet, ",
            wide_sum!("claimed"),
            ", ",
            wide_sum!("given"),
            " FROM (SELECT packet, 1 AS claimed, 0 AS given FROM claims WHERE tenant = ?1
                    UNION ALL SELECT id, 0, claimed_shares FROM packets WHERE tenant = ?1)
              GROUP BY packet"
        ),
    },
    Rule {
        name: "a claim is settled, or waits for it",
        subject: claim,
        sql: concat!(
            "SELECT user, packet, ",
            wide_sum!("claimed"),
            ", ",
            wide_sum!("accounted"),
            " FROM (SELECT user, packet, amount AS claimed, 0 AS accounted FROM claims WHERE tenant = ?1
                    UNION ALL SELECT user, packet, 0, amount FROM outbox WHERE tenant = ?1
                    UNION ALL SELECT user, packet, 0, amount FROM movements
                              WHERE tenant = ?1 AND kind = 'settle')
              GROUP BY packet, user"
        ),
    },
    Rule {
        name: "escrow holds what remains and what waits for settlement",
        subject: escrow,
        sql: concat!(
            "SELECT packet, ",
            wide_sum!("owed"),
            ", ",
            wide_sum!("held"),
            " FROM (SELECT id AS packet, total - claimed_amount - refunded AS owed, 0 AS held
                    FROM packets WHERE tenant = ?1
                    UNION ALL SELECT packet, amount, 0 FROM outbox WHERE tenant = ?1
                    UNION ALL SELECT packet, 0, balance FROM escrows WHERE tenant = ?1)
              GROUP BY packet"
        ),
    },
    Rule {
        name: "a withdrawal is taken from its user's wallet",
        subject: withdrawal,
        sql: concat!(
            "SELECT withdrawal, user, ",
            wide_sum!("said"),
            ", ",
            wide_sum!("posted"),
            " FROM (SELECT id AS withdrawal, user, amount AS said, 0 AS posted
                    FROM withdrawals WHERE tenant = ?1
                    UNION ALL SELECT withdrawal, user, 0, amount FROM movements
                              WHERE tenant = ?1 AND kind = 'withdraw')
              GROUP BY withdrawal, user"
        ),
    },
    Rule {
        name: "holding holds what was withdrawn and has not ended",
        subject: withdrawal,
        sql: concat!(
            "SELECT withdrawal, user, ",
            wide_sum!("said"),
            ", ",
            wide_sum!("posted"),
            " FROM (SELECT id AS withdrawal, user, amount AS said, 0 AS posted
                    FROM withdrawals WHERE tenant = ?1 AND state = 'held'
                    UNION ALL SELECT withdrawal, user, 0,
                                     CASE kind WHEN 'withdraw' THEN amount ELSE -amount END FROM movements
                              WHERE tenant = ?1 AND kind IN ('withdraw', 'complete', 'cancel'))
              GROUP BY withdrawal, user"
        ),
    },
    Rule {
        name: "what went outside was completed",
        subject: withdrawal,
        sql: concat!(
            "SELECT withdrawal, user, ",
            wide_sum!("said"),
            ", ",
            wide_sum!("posted"),
            " FROM (SELECT id AS withdrawal, user, amount AS said, 0 AS posted
                    FROM withdrawals WHERE tenant = ?1 AND state = 'completed'
                    UNION ALL SELECT withdrawal, user, 0, amount FROM movements
                              WHERE tenant = ?1 AND kind = 'complete')
              GROUP BY withdrawal, user"
        ),
    },
];

fn withdrawal(columns: &mut Columns<'_>) -> Result<String, rusqlite::Error> {
    Ok(format!("withdrawal {} of {}", columns.withdrawal_id()?, columns.user()?))
}

fn wallet(columns: &mut Columns<'_>) -> Result<String, rusqlite::Error> {
    Ok(Account::Wallet(columns.user()?).to_string())
}

fn escrow(columns: &mut Columns<'_>) -> Result<String, rusqlite::Error> {
    Ok(Account::Escrow(columns.id()?).to_string())
}

fn packet(columns: &mut Columns<'_>) -> Result<String, rusqlite::Error> {
    Ok(format!("packet {}", columns.id()?))
}

fn claim(columns: &mut Columns<'_>) -> Result<String, rusqlite::Error> {
    Ok(format!("claim of {} on packet {}", columns.user()?, columns.id()?))
}

/// What in a tenant's books does not agree, the file's own state included.
pub(super) fn verify(db: &Connection, guard: &Guard, tenant: &TenantId) -> Result<Vec<Discrepancy>, Error> {
    let mut found = Vec::new();
    let lost = guard.differences(db)?.map(|lost| broken_file("the file has all its guards", &lost));
    found.extend(lost);
    found.extend(constraints(db)?);
    for rule in &RULES {
        found.extend(broken(db, tenant, rule)?);
    }
    let parked = settle::parked(db, u32::MAX)?.into_iter().map(|parked| parked.claim);
    found.extend(parked.filter(|claim| claim.key.tenant == *tenant).map(|claim| Discrepancy::parked(&claim)));
    Ok(found)
}

/// Rows that no constraint of the file would let in: somebody wrote them with constraints switched off.
fn constraints(db: &Connection) -> Result<Vec<Discrepancy>, Error> {
    const MOST: usize = 20;
    let told = |sql: &str, words: fn(&Row<'_>) -> Result<String, rusqlite::Error>| {
        let mut statement = db.prepare(sql)?;
        let found = statement.query_map([], words)?.take(MOST);
        found.collect::<Result<Vec<String>, _>>()
    };
    let mut wrong = told("PRAGMA quick_check(20)", |row| row.get(0))?;
    wrong.retain(|said| said != "ok");
    wrong.extend(told("PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} is about none of {parent}"))
    })?);
    Ok(wrong.iter().map(|said| broken_file("the file keeps its own constraints", said)).collect())
}

fn broken_file(rule: &'static str, what: &str) -> Discrepancy {
    Discrepancy { subject: format!("{}: {what}", BOOKS.file), rule, expected: 0, found: 1 }
}

fn broken(db: &Connection, tenant: &TenantId, rule: &Rule) -> Result<Vec<Discrepancy>, Error> {
    let mut statement = db.prepare(rule.sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut broken = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let subject = (rule.subject)(&mut columns)?;
        let (expected, found) = (columns.wide()?, columns.wide()?);
        if expected != found {
            broken.push(Discrepancy { subject, rule: rule.name, expected, found });
        }
    }
    Ok(broken)
}

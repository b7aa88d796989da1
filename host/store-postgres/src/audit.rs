//! The sums of the books, and whether they agree: whole tables, from one snapshot.

use deadpool_postgres::Transaction;
use tokio_postgres::{IsolationLevel, Row};

use super::error::Error;
use super::rows::Columns;
use super::sessions::Client;
use super::{guards, settings, settle};
use hongbao_domain::{Account, TenantId};
use hongbao_store::{Audit, Discrepancy};

/// Sums of a tenant's books, each from the table that it is first written in, so that the sums
/// can disagree. The treasury's balance is what was funded and not withdrawn, below zero.
const AUDIT: &str = "SELECT
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.movements WHERE tenant = $1 AND kind = 'fund'),
    (SELECT coalesce(sum(total), 0)::text FROM hongbao.packets WHERE tenant = $1),
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.claims WHERE tenant = $1),
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.movements WHERE tenant = $1 AND kind = 'refund'),
    (SELECT coalesce(sum(total - claimed_amount - refunded), 0)::text FROM hongbao.packets WHERE tenant = $1),
    (SELECT coalesce(sum(balance), 0)::text FROM hongbao.wallets WHERE tenant = $1),
    (SELECT coalesce(sum(balance), 0)::text FROM hongbao.escrows WHERE tenant = $1),
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.withdrawals WHERE tenant = $1 AND state = 'held'),
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.movements WHERE tenant = $1 AND kind = 'complete'),
    (SELECT coalesce(sum(amount), 0)::text FROM hongbao.outbox WHERE tenant = $1),
    (SELECT count(*) FROM hongbao.packets WHERE tenant = $1),
    (SELECT count(*) FROM hongbao.claims WHERE tenant = $1),
    (SELECT count(*) FROM hongbao.movements WHERE tenant = $1)";

/// A snapshot for statements that go over whole tables.
async fn survey(client: &mut Client) -> Result<Transaction<'_>, Error> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = transaction.start().await?;
    transaction.batch_execute("SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = 0").await?;
    Ok(transaction)
}

/// Sums of a tenant's books.
pub(super) async fn audit(client: &mut Client, tenant: &TenantId) -> Result<Audit, Error> {
    let row = survey(client).await?.query_one(AUDIT, &[&tenant.as_str()]).await?;
    let mut columns = Columns::of(&row);
    let mut audit = Audit {
        funded: columns.wide()?,
        sent: columns.wide()?,
        claimed: columns.wide()?,
        refunded: columns.wide()?,
        remaining: columns.wide()?,
        wallets: columns.wide()?,
        escrow: columns.wide()?,
        held: columns.wide()?,
        withdrawn: columns.wide()?,
        unsettled: columns.wide()?,
        packets: columns.number()?,
        claims: columns.number()?,
        movements: columns.number()?,
        ..Audit::default()
    };
    audit.postings = audit.wallets + audit.escrow + audit.held + audit.withdrawn - audit.funded;
    Ok(audit)
}

/// A rule that says of every subject that two numbers of the books are one. Its statement gives
/// the subject's columns, then rows of an expected number or a found one; [`differing`] sums both
/// over all rows that either side has, so that a row which one side lacks is found from the other.
struct Rule {
    name: &'static str,
    subject: fn(&mut Columns<'_>) -> Result<String, Error>,
    sql: &'static str,
}

/// Subjects whose two sums differ. The subject's columns come first.
macro_rules! differing {
    ($subject:literal, $rows:literal) => {
        concat!(
            "SELECT ",
            $subject,
            ", sum(expected)::text, sum(found)::text FROM (",
            $rows,
            ") AS sides GROUP BY ",
            $subject,
            " HAVING sum(expected) <> sum(found) ORDER BY ",
            $subject
        )
    };
}

const RULES: [Rule; 9] = [
    Rule {
        name: "a balance is the sum of its postings",
        subject: wallet,
        sql: differing!(
            "user_id",
            "SELECT user_id, CASE WHEN kind IN ('send', 'withdraw') THEN -amount ELSE amount END AS expected, 0 AS found
               FROM hongbao.movements WHERE tenant = $1 AND kind <> 'complete'
             UNION ALL SELECT user_id, 0, balance FROM hongbao.wallets WHERE tenant = $1"
        ),
    },
    Rule {
        name: "a balance is the sum of its postings",
        subject: escrow,
        sql: differing!(
            "packet",
            "SELECT packet, CASE kind WHEN 'send' THEN amount ELSE -amount END AS expected, 0 AS found
               FROM hongbao.movements WHERE tenant = $1 AND packet IS NOT NULL
             UNION ALL SELECT packet, 0, balance FROM hongbao.escrows WHERE tenant = $1"
        ),
    },
    Rule {
        name: "what a packet gave is the sum of its claims",
        subject: packet,
        sql: differing!(
            "packet",
            "SELECT packet, amount AS expected, 0 AS found FROM hongbao.claims WHERE tenant = $1
             UNION ALL SELECT id, 0, claimed_amount FROM hongbao.packets WHERE tenant = $1"
        ),
    },
    Rule {
        name: "a packet counts its claims",
        subject: packet,
        sql: differing!(
            "packet",
            "SELECT packet, 1 AS expected, 0 AS found FROM hongbao.claims WHERE tenant = $1
             UNION ALL SELECT id, 0, claimed_shares FROM hongbao.packets WHERE tenant = $1"
        ),
    },
    Rule {
        name: "a claim is settled, or waits for it",
        subject: claim,
        sql: differing!(
            "user_id, packet",
            "SELECT user_id, packet, amount AS expected, 0 AS found FROM hongbao.claims WHERE tenant = $1
             UNION ALL SELECT user_id, packet, 0, amount FROM hongbao.outbox WHERE tenant = $1
             UNION ALL SELECT user_id, packet, 0, amount FROM hongbao.movements
                        WHERE tenant = $1 AND kind = 'settle'"
        ),
    },
    Rule {
        name: "escrow holds what remains and what waits for settlement",
        subject: escrow,
        sql: differing!(
            "packet",
            "SELECT id AS packet, total - claimed_amount - refunded AS expected, 0 AS found
               FROM hongbao.packets WHERE tenant = $1
             UNION ALL SELECT packet, amount, 0 FROM hongbao.outbox WHERE tenant = $1
             UNION ALL SELECT packet, 0, balance FROM hongbao.escrows WHERE tenant = $1"
        ),
    },
    Rule {
        name: "a withdrawal is taken from its user's wallet",
        subject: withdrawal,
        sql: differing!(
            "withdrawal, user_id",
            "SELECT id AS withdrawal, user_id, amount AS expected, 0 AS found
               FROM hongbao.withdrawals WHERE tenant = $1
             UNION ALL SELECT withdrawal, user_id, 0, amount FROM hongbao.movements
                        WHERE tenant = $1 AND kind = 'withdraw'"
        ),
    },
    Rule {
        name: "holding holds what was withdrawn and has not ended",
        subject: withdrawal,
        sql: differing!(
            "withdrawal, user_id",
            "SELECT id AS withdrawal, user_id, amount AS expected, 0 AS found
               FROM hongbao.withdrawals WHERE tenant = $1 AND state = 'held'
             UNION ALL SELECT withdrawal, user_id, 0,
                              CASE kind WHEN 'withdraw' THEN amount ELSE -amount END
                         FROM hongbao.movements
                        WHERE tenant = $1 AND kind IN ('withdraw', 'complete', 'cancel')"
        ),
    },
    Rule {
        name: "what went outside was completed",
        subject: withdrawal,
        sql: differing!(
            "withdrawal, user_id",
            "SELECT id AS withdrawal, user_id, amount AS expected, 0 AS found
               FROM hongbao.withdrawals WHERE tenant = $1 AND state = 'completed'
             UNION ALL SELECT withdrawal, user_id, 0, amount FROM hongbao.movements
                        WHERE tenant = $1 AND kind = 'complete'"
        ),
    },
];

fn withdrawal(columns: &mut Columns<'_>) -> Result<String, Error> {
    Ok(format!("withdrawal {} of {}", columns.withdrawal_id()?, columns.user()?))
}

fn wallet(columns: &mut Columns<'_>) -> Result<String, Error> {
    Ok(Account::Wallet(columns.user()?).to_string())
}

fn escrow(columns: &mut Columns<'_>) -> Result<String, Error> {
    Ok(Account::Escrow(columns.id()?).to_string())
}

fn packet(columns: &mut Columns<'_>) -> Result<String, Error> {
    Ok(format!("packet {}", columns.id()?))
}

fn claim(columns: &mut Columns<'_>) -> Result<String, Error> {
    Ok(format!("claim of {} on packet {}", columns.user()?, columns.id()?))
}

/// What in a tenant's books does not agree.
pub(super) async fn verify(client: &mut Client, tenant: &TenantId) -> Result<Vec<Discrepancy>, Error> {
    let mut found = Vec::new();
    let snapshot = survey(client).await?;
    for rule in &RULES {
        let rows = snapshot.query(rule.sql, &[&tenant.as_str()]).await?;
        for row in &rows {
            found.push(broken(rule, row)?);
        }
    }
    drop(snapshot);
    found.extend(unguarded(client).await?);
    let parked = settle::parked(client, u32::MAX).await?.into_iter().map(|parked| parked.claim);
    let ours = parked.filter(|claim| claim.key.tenant == *tenant);
    found.extend(ours.map(|claim| Discrepancy::parked(&claim)));
    Ok(found)
}

/// Guards that are missing or silent, in this session or in those that others begin.
async fn unguarded(client: &Client) -> Result<Vec<Discrepancy>, Error> {
    let mut subjects = guards::differences(client).await?;
    subjects.extend(settings::silent_for_others(client).await?);
    let off = |subject| Discrepancy {
        subject,
        rule: "every guard of the books is in force",
        expected: 1,
        found: 0,
    };
    Ok(subjects.into_iter().map(off).collect())
}

fn broken(rule: &Rule, row: &Row) -> Result<Discrepancy, Error> {
    let mut columns = Columns::of(row);
    let subject = (rule.subject)(&mut columns)?;
    Ok(Discrepancy { subject, rule: rule.name, expected: columns.wide()?, found: columns.wide()? })
}

//! The rights that the ledger's user needs. Somebody may take it away at any time, and what is rarely
//! done, such as a refund, would show it late: so it is asked for, at the start and with the guards.

use super::error::{Error, Unfit};
use super::settings::rows;

/// Rights that something is used with: on tables, columns count too.
type Right = (&'static str, &'static [&'static str]);

const READ: &str = "SELECT";
const ADD: &[&str] = &[READ, "INSERT"];
const MOVE: &[&str] = &[READ, "INSERT", "UPDATE"];
const ALL: &[&str] = &[READ, "INSERT", "UPDATE", "DELETE"];

/// What a part of the program uses.
pub(super) struct Rights {
    tables: &'static [Right],
    functions: &'static [&'static str],
    sequences: &'static [&'static str],
}

/// The ledger. Triggers act with the rights of whoever writes.
pub(super) const LEDGER: Rights = Rights {
    tables: &[
        ("migrations", &[READ]),
        ("packets", MOVE),
        ("orders", ADD),
        ("rooms", ADD),
        ("claims", ADD),
        ("outbox", ALL),
        ("movements", ADD),
        ("wallets", MOVE),
        ("escrows", MOVE),
        ("fundings", ADD),
        ("withdrawals", MOVE),
        ("place_shift", &[READ]),
        ("health", ADD),
    ],
    functions: &[
        "are_guarded",
        "must_hold",
        "own_place",
        "record_packet",
        "close_packet",
        "fund_wallet",
        "fund_wallet_once",
        "withdraw",
        "end_withdrawal",
    ],
    sequences: &["movements_places", "outbox_sequence"],
};

/// The records.
pub(super) const REGISTRY: Rights = Rights {
    tables: &[
        ("migrations", &[READ]),
        ("api_keys", ALL),
        ("seal", ADD),
        ("requests", ALL),
        ("notes", ADD),
        ("numbers", &[READ, "UPDATE"]),
        ("tenants", MOVE),
        ("plugins", &[READ, "INSERT", "DELETE"]),
        ("webhooks", ALL),
        ("webhook_failures", ALL),
        ("health", ADD),
    ],
    functions: &[
        "begin_request",
        "put_tenant",
        "put_plugin",
        "remove_plugin",
        "add_key_within",
        "add_webhook",
    ],
    sequences: &[],
};

impl Rights {
    /// A statement that gives, in words, each right that is lacking.
    fn question(&self) -> String {
        let pairs =
            self.tables.iter().flat_map(|(table, rights)| rights.iter().map(move |right| (table, right)));
        let tables: Vec<_> = pairs.map(|(table, right)| format!("('{table}', '{right}')")).collect();
        let named =
            |names: &[&str]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        format!(
            "WITH ours AS (
                SELECT oid, relname, relkind FROM pg_class
                 WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'hongbao')
            )
            SELECT 'USAGE on the schema hongbao' FROM pg_namespace
             WHERE nspname = 'hongbao' AND NOT has_schema_privilege(oid, 'USAGE')
            UNION ALL SELECT needed || ' on the table ' || relname
              FROM ours JOIN (VALUES {}) AS used (name, needed) ON relname = name AND relkind IN ('r', 'p')
             WHERE CASE needed WHEN 'DELETE' THEN NOT has_table_privilege(oid, needed)
                   ELSE NOT has_any_column_privilege(oid, needed) END
            UNION ALL SELECT 'EXECUTE on the function ' || oid::regprocedure
              FROM pg_proc
             WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'hongbao')
               AND proname IN ({}) AND NOT has_function_privilege(oid, 'EXECUTE')
            UNION ALL SELECT 'USAGE on the sequence ' || relname
              FROM ours
             WHERE CASE WHEN relkind = 'S' AND relname IN ({})
                   THEN NOT has_sequence_privilege(oid, 'USAGE, UPDATE') END",
            tables.join(", "),
            named(self.functions),
            if self.sequences.is_empty() { "''".to_owned() } else { named(self.sequences) },
        )
    }

    /// Refuses to go on where something is not allowed.
    pub(super) async fn held(&self, client: &tokio_postgres::Client) -> Result<(), Error> {
        let lacking = rows(client, &self.question()).await?;
        let Some(first) = lacking.first() else { return Ok(()) };
        Err(Unfit::NotPermitted(match lacking.len() {
            1 => format!("its user lacks {first}"),
            many => format!("its user lacks {first} (and {} more rights)", many - 1),
        })
        .into())
    }
}

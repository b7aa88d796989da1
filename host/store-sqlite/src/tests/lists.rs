//! Every list is a walk along one index: the database says so.

use rusqlite::Connection;

use super::Books;
use crate::lists::{RECEIVED, RECENT, RECENT_PACKETS, SENT, STATEMENT};
use crate::money_events::{CLAIMS, LAST_CLAIM, LAST_MOVEMENT, MOVEMENTS};
use crate::withdrawals::{HELD, OF_A_USER};

/// How SQLite carries out a statement, step by step.
fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get("detail")).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_list_is_a_walk_along_one_index() {
    let db = Books::new().connection();
    let of_room = "SEARCH packets USING INDEX packets_recent (tenant=? AND room=? AND id<?)";
    let of_room_alone = "SEARCH packets USING COVERING INDEX packets_recent (tenant=? AND room=? AND id<?)";
    let of_user = "SEARCH packets USING INDEX packets_sent (tenant=? AND sender=? AND id<?)";
    let of_wallet = "SEARCH movements USING INDEX movements_of_a_wallet (tenant=? AND user=? AND rowid<?)";
    assert_eq!(plan(&db, RECENT), [of_room_alone]);
    assert_eq!(plan(&db, RECENT_PACKETS), [of_room]);
    assert_eq!(plan(&db, SENT), [of_user]);
    assert_eq!(plan(&db, STATEMENT), [of_wallet]);
    let claims =
        "SEARCH claims USING INDEX claims_received (tenant=? AND user=? AND (claimed_at_ms,packet)<(?,?))";
    let packets = "SEARCH packets USING PRIMARY KEY (tenant=? AND id=?)";
    assert_eq!(plan(&db, RECEIVED), [claims, packets]);
    let of_user = "SEARCH withdrawals USING INDEX withdrawals_of_a_user (tenant=? AND user=? AND id<?)";
    assert_eq!(plan(&db, OF_A_USER), [of_user]);
    assert_eq!(plan(&db, HELD), ["SEARCH withdrawals USING INDEX withdrawals_held (tenant=? AND id>?)"]);
    let packet = "SEARCH packets USING PRIMARY KEY (tenant=? AND id=?) LEFT-JOIN";
    for (sql, place) in [(MOVEMENTS, "place>?"), (LAST_MOVEMENT, "place>? AND place<?")] {
        let told = format!("SEARCH movements USING INDEX movements_told (tenant=? AND {place})");
        assert_eq!(plan(&db, sql), [told.as_str(), packet]);
    }
    for (sql, place) in [(CLAIMS, "place>?"), (LAST_CLAIM, "place>? AND place<?")] {
        assert_eq!(plan(&db, sql), [format!("SEARCH claims USING INDEX claims_told (tenant=? AND {place})")]);
    }
}

#[test]
fn no_list_is_a_choice_for_what_is_looked_up_by_a_key() {
    let db = Books::new().connection();
    for (sql, expected) in [
        ("SELECT * FROM claims WHERE tenant = ?1 AND packet = ?2 AND user = ?3", "PRIMARY KEY"),
        ("SELECT * FROM packets WHERE tenant = ?1 AND sender = ?2 AND key = ?3", "sqlite_autoindex_packets"),
        (
            "SELECT * FROM movements WHERE tenant = ?1 AND packet = ?2 AND user = ?3 AND kind = 'settle'",
            "a_claim_is_settled_once",
        ),
        // What goes over all of a tenant's rows goes by their own order, and not by the users'.
        ("SELECT sum(amount) FROM claims WHERE tenant = ?1", "PRIMARY KEY"),
        ("SELECT sum(amount) FROM movements WHERE tenant = ?1 AND kind = 'fund'", "SCAN movements"),
    ] {
        let plan = plan(&db, sql);
        assert!(matches!(plan.as_slice(), [step] if step.contains(expected)), "{sql}: {plan:?}");
    }
}

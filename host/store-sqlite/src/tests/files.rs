//! Whose files they are, and which history they are in.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::{OpenError, SqliteLedger, SqliteRegistry};
use hongbao_domain::{Amount, TenantId, UserId};
use hongbao_store::Registry as _;
use hongbao_store::prelude::*;

const FILES: [&str; 6] =
    ["hongbao.db", "hongbao.db-wal", "hongbao.db-shm", "registry.db", "registry.db-wal", "registry.db-shm"];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn books_and_records_are_their_users_alone() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    for _ in 0..2 {
        let (ledger, registry) =
            (SqliteLedger::open(&directory).unwrap(), SqliteRegistry::open(&directory).unwrap());
        ledger.check().await.unwrap();
        registry.check().await.unwrap();
        assert_eq!(mode(&directory), 0o700);
        for file in FILES {
            assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
        }
        // As a former version made them, or a copy is put back: closed by whoever opens them next.
        FILES.iter().for_each(|file| set(&directory.join(file), 0o644));
    }
}

#[test]
fn a_directory_that_others_can_write_to_is_refused_and_why_is_said() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let directory = home.join("above/data");
    fs::create_dir_all(&directory).unwrap();
    for (open, at) in [("above/data", 0o777), ("above/data", 0o1777), ("above", 0o777)] {
        let (open, before) = (home.join(open), mode(&home.join(open)));
        set(&open, at);
        for opened in [SqliteLedger::open(&directory).err(), SqliteRegistry::open(&directory).err()] {
            let refused = opened.expect("others could put another ledger there");
            assert!(matches!(refused, OpenError::Exposed { .. }), "{refused}");
            assert_eq!(refused.code(), "ledger-directory");
            let why = format!("{} can be written by other users; run `chmod go-w` on it", open.display());
            assert!(refused.to_string().contains(&why), "{refused}");
        }
        assert!(!SqliteLedger::exists(&directory));
        set(&open, before);
    }
    SqliteLedger::open(&directory).unwrap();
}

#[tokio::test]
async fn the_books_say_when_money_was_last_moved() {
    let home = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(home.path()).unwrap();
    assert_eq!(ledger.latest_ms().await.unwrap(), None);
    let (tenant, user) = (TenantId::default(), UserId::new("alice").unwrap());
    for at_ms in [9_000, 7_000] {
        ledger.fund(&tenant, &user, Amount::new(1).unwrap(), None, at_ms).await.unwrap();
        assert_eq!(ledger.latest_ms().await.unwrap(), Some(at_ms));
    }
}

fn name(ledger: &SqliteLedger) -> String {
    ledger.history().name().unwrap().to_string()
}

#[tokio::test]
async fn a_copy_that_is_put_back_is_another_history_once_it_is_served() {
    let home = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(home.path()).unwrap();
    let first = name(&ledger);
    assert_eq!(name(&SqliteLedger::open(home.path()).unwrap()), first, "whoever looks at it sees the same");
    ledger.begin_history().await.unwrap();
    let served = name(&ledger);
    assert_ne!(served, first);
    drop(ledger);
    let file = home.path().join("hongbao.db");
    let copy = fs::read(&file).unwrap();
    assert_eq!(name(&SqliteLedger::open(home.path()).unwrap()), served);

    fs::write(&file, copy).unwrap();
    let restored = SqliteLedger::open(home.path()).unwrap();
    assert_eq!(name(&restored), served, "nothing in the file says that it was put back");
    restored.begin_history().await.unwrap();
    assert!(![first, served].contains(&name(&restored)));
}

//! Books are kept where every text can be written, and nowhere else.

use hongbao_host::domain::{Audience, TenantId};
use hongbao_host::store::StoreError;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::prelude::*;

use super::books::{Books, NOW, id, order};
use super::server;

#[tokio::test]
async fn a_database_in_another_encoding_is_refused_before_anything_is_made() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_CN"] {
        let name = format!("in_{}", encoding.to_lowercase());
        server()
            .psql("postgres", &format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0"));
        let url = server().url(&name);
        let refused = [PostgresLedger::migrate(&url).await.err(), PostgresLedger::open(&url).await.err()];
        for refused in refused {
            let refused = refused.unwrap_or_else(|| panic!("{encoding} was accepted"));
            assert_eq!(refused.code(), "ledger-encoding");
            assert!(refused.is_lasting());
            let told = refused.to_string();
            assert!(told.contains(encoding) && told.contains("ENCODING 'UTF8' TEMPLATE template0"), "{told}");
        }
        assert_eq!(server().psql(&name, "SELECT count(*) FROM pg_namespace WHERE nspname = 'hongbao'"), "0");
    }
}

#[tokio::test]
async fn a_role_that_speaks_another_encoding_writes_the_same_text() {
    let Books { ledger, name } = Books::new().await;
    drop(ledger);
    server().psql(&name, &format!("ALTER DATABASE {name} SET client_encoding = 'LATIN1'"));
    let ledger = super::open(&server().url(&name)).await;
    let order =
        hongbao_host::domain::Order { greeting: "新年快乐".into(), ..order(3, 100, Audience::Everyone) };
    ledger.record(&TenantId::default(), id(1), order, NOW).await.unwrap();
    let loaded = ledger.load(&super::books::key(id(1)), &[]).await.unwrap().unwrap();
    assert_eq!(loaded.packet.order.greeting, "新年快乐");
}

#[tokio::test]
async fn a_text_that_no_database_holds_is_refused_in_a_sentence() {
    let Books { ledger, .. } = Books::new().await;
    let order = hongbao_host::domain::Order { greeting: "a\0b".into(), ..order(3, 100, Audience::Everyone) };
    match ledger.record(&TenantId::default(), id(1), order, NOW).await {
        Err(StoreError::Refused(why)) => assert_eq!(why, "a text has no zero character"),
        other => panic!("{other:?}"),
    }
}

//! Everything the ledger holds, read with plain statements: not by the code under test.

use std::collections::BTreeMap;

use tokio_postgres::{NoTls, Row};

/// A packet as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Its sender's key.
    pub key: String,
    /// Who paid.
    pub sender: String,
    /// How much.
    pub total: i64,
    /// In how many shares.
    pub shares: i64,
    /// `open`, `finished` or `expired`.
    pub status: String,
    /// What went back.
    pub refunded: i64,
    /// What it says its claims are.
    pub claimed_amount: i64,
    /// How many it says they are.
    pub claimed_shares: i64,
}

/// A claim as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// On which packet.
    pub packet: String,
    /// Whose.
    pub user: String,
    /// How much.
    pub amount: i64,
    /// Place in the order of claiming.
    pub sequence: i64,
}

/// A movement as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movement {
    /// `fund`, `send`, `settle`, `refund`, `withdraw`, `complete` or `cancel`.
    pub kind: String,
    /// Of which packet or withdrawal; empty for a funding.
    pub packet: String,
    /// Whose wallet.
    pub user: String,
    /// How much.
    pub amount: i64,
}

/// A withdrawal as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawal {
    /// Out of whose wallet.
    pub user: String,
    /// By which key.
    pub key: String,
    /// How much.
    pub amount: i64,
    /// `held`, `completed` or `cancelled`.
    pub state: String,
}

/// All rows of a database, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By id.
    pub packets: BTreeMap<String, Packet>,
    /// In no order.
    pub claims: Vec<Claim>,
    /// In no order.
    pub movements: Vec<Movement>,
    /// By id.
    pub withdrawals: BTreeMap<String, Withdrawal>,
    /// Balances by user.
    pub wallets: BTreeMap<String, i64>,
    /// Balances by packet.
    pub escrows: BTreeMap<String, i64>,
    /// Claims that wait for settlement.
    pub outbox: usize,
}

impl Books {
    /// Reads a database from one snapshot.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub async fn read(url: &str) -> Result<Self, tokio_postgres::Error> {
        let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // Ends with the client.
        tokio::spawn(connection);
        let snapshot = client.build_transaction().read_only(true);
        let snapshot =
            snapshot.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead).start().await?;
        let packets = snapshot
            .query(
                "SELECT id::text, key, sender, total, shares, status, refunded, claimed_amount, claimed_shares
                   FROM hongbao.packets",
                &[],
            )
            .await?;
        let claims =
            snapshot.query("SELECT packet::text, user_id, amount, sequence FROM hongbao.claims", &[]);
        let claims = claims.await?;
        let movements = "SELECT kind, coalesce(packet::text, withdrawal::text, ''), user_id, amount FROM hongbao.movements";
        let movements = snapshot.query(movements, &[]).await?;
        let withdrawals = "SELECT id::text, user_id, key, amount, state FROM hongbao.withdrawals";
        let withdrawals = snapshot.query(withdrawals, &[]).await?;
        let wallets = snapshot.query("SELECT user_id, balance FROM hongbao.wallets", &[]).await?;
        let escrows = snapshot.query("SELECT packet::text, balance FROM hongbao.escrows", &[]).await?;
        let outbox = snapshot.query("SELECT 1 FROM hongbao.outbox", &[]).await?;
        Ok(Self {
            packets: packets.iter().map(packet).collect(),
            claims: claims.iter().map(claim).collect(),
            movements: movements.iter().map(movement).collect(),
            withdrawals: withdrawals.iter().map(withdrawal).collect(),
            wallets: wallets.iter().map(|row| (row.get(0), row.get(1))).collect(),
            escrows: escrows.iter().map(|row| (row.get(0), row.get(1))).collect(),
            outbox: outbox.len(),
        })
    }
}

fn packet(row: &Row) -> (String, Packet) {
    let packet = Packet {
        key: row.get(1),
        sender: row.get(2),
        total: row.get(3),
        shares: row.get(4),
        status: row.get(5),
        refunded: row.get(6),
        claimed_amount: row.get(7),
        claimed_shares: row.get(8),
    };
    (row.get(0), packet)
}

fn withdrawal(row: &Row) -> (String, Withdrawal) {
    let (user, key, amount, state) = (row.get(1), row.get(2), row.get(3), row.get(4));
    (row.get(0), Withdrawal { user, key, amount, state })
}

fn claim(row: &Row) -> Claim {
    Claim { packet: row.get(0), user: row.get(1), amount: row.get(2), sequence: row.get(3) }
}

fn movement(row: &Row) -> Movement {
    Movement { kind: row.get(0), packet: row.get(1), user: row.get(2), amount: row.get(3) }
}

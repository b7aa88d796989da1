//! Rows of the database as values of the domain, and back.

use std::error::Error as StdError;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use super::error::Error;
use hongbao_domain::{
    Amount, Audience, Claim, IdError, KeyId, MovementKind, Name, Order, Packet, PacketId, PacketKey,
    Priority, Reference, Scopes, Status, Strategy, TenantId, UserId, WithdrawalId, WithdrawalState,
};
use hongbao_store::StoreError;

/// What [`packet`] reads, in its order.
macro_rules! packet_columns {
    () => {
        "id, key, room, sender, strategy, total, shares, coalesce(max_share, total), audience, audience_users, greeting, \
         expires_in_ms, version, status, claimed_amount, claimed_shares, refunded, sent_at_ms, expires_at_ms"
    };
}

/// What [`claim`] reads, in its order.
macro_rules! claim_columns {
    () => {
        "user, amount, sequence, claimed_at_ms"
    };
}

pub(super) use {claim_columns, packet_columns};

/// The columns of a row, from left to right. A value that cannot be is an error of the column.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

type Column<T> = Result<T, rusqlite::Error>;

impl<'r> Columns<'r> {
    pub(super) const fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    fn step(&mut self) -> usize {
        let column = self.next;
        self.next += 1;
        column
    }

    pub(super) fn text(&mut self) -> Column<String> {
        self.row.get(self.step())
    }

    /// Text that a type of the domain accepts.
    fn parsed<T, E: Into<Box<dyn StdError + Send + Sync>>>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Column<T> {
        let column = self.step();
        let text = self.row.get_ref(column)?.as_str()?;
        parse(text).map_err(|error| invalid(column, Type::Text, error))
    }

    /// One of a closed set of names.
    fn one_of<T>(&mut self, from_name: impl FnOnce(&str) -> Option<T>) -> Column<T> {
        self.parsed(|name| from_name(name).ok_or_else(|| format!("{name} is not known")))
    }

    pub(super) fn name(&mut self) -> Column<Name> {
        self.parsed(|text| Name::new(text))
    }

    pub(super) fn user(&mut self) -> Column<UserId> {
        self.parsed(|text| UserId::new(text))
    }

    pub(super) fn tenant(&mut self) -> Column<TenantId> {
        self.parsed(TenantId::new)
    }

    /// Whose something is: nobody's in particular where the name is empty.
    pub(super) fn owner(&mut self) -> Column<Option<TenantId>> {
        self.parsed(|text| if text.is_empty() { Ok(None) } else { TenantId::new(text).map(Some) })
    }

    pub(super) fn optional_user(&mut self) -> Column<Option<UserId>> {
        let text = self.optional_text()?;
        let user = text.map(UserId::new).transpose();
        user.map_err(|error| invalid(self.next - 1, Type::Text, error))
    }

    pub(super) fn optional_text(&mut self) -> Column<Option<String>> {
        self.row.get(self.step())
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Column<[u8; N]> {
        self.row.get(self.step())
    }

    pub(super) fn optional_bytes<const N: usize>(&mut self) -> Column<Option<[u8; N]>> {
        self.row.get(self.step())
    }

    pub(super) fn key_id(&mut self) -> Column<KeyId> {
        self.bytes().map(KeyId::from_bytes)
    }

    pub(super) fn optional_key_id(&mut self) -> Column<Option<KeyId>> {
        let bytes: Option<[u8; 8]> = self.row.get(self.step())?;
        Ok(bytes.map(KeyId::from_bytes))
    }

    pub(super) fn scopes(&mut self) -> Column<Scopes> {
        let bits: u8 = self.number()?;
        let unknown =
            || invalid(self.next - 1, Type::Integer, format!("{bits:#b} has a scope that is not known"));
        Scopes::from_bits(bits).ok_or_else(unknown)
    }

    pub(super) fn flag(&mut self) -> Column<bool> {
        self.row.get(self.step())
    }

    pub(super) fn id(&mut self) -> Column<PacketId> {
        self.row.get(self.step()).map(PacketId::from_bytes)
    }

    /// An id that may be missing.
    pub(super) fn optional_id(&mut self) -> Column<Option<PacketId>> {
        self.row.get(self.step()).map(|id: Option<_>| id.map(PacketId::from_bytes))
    }

    pub(super) fn withdrawal_id(&mut self) -> Column<WithdrawalId> {
        self.row.get(self.step()).map(WithdrawalId::from_bytes)
    }

    pub(super) fn optional_withdrawal_id(&mut self) -> Column<Option<WithdrawalId>> {
        self.row.get(self.step()).map(|id: Option<_>| id.map(WithdrawalId::from_bytes))
    }

    pub(super) fn reference(&mut self) -> Column<Reference> {
        self.parsed(|text| Reference::new(text))
    }

    pub(super) fn withdrawal_state(&mut self) -> Column<WithdrawalState> {
        self.one_of(WithdrawalState::from_name)
    }

    pub(super) fn kind(&mut self) -> Column<MovementKind> {
        self.one_of(MovementKind::from_name)
    }

    /// A whole number of the domain's type.
    pub(super) fn number<T>(&mut self) -> Column<T>
    where
        T: TryFrom<i64, Error: StdError + Send + Sync + 'static>,
    {
        let column = self.step();
        let number: i64 = self.row.get(column)?;
        T::try_from(number).map_err(|error| invalid(column, Type::Integer, error))
    }

    /// That a row tells of nothing, as an error of the column that was read last.
    pub(super) fn untold(&self) -> rusqlite::Error {
        invalid(self.next.saturating_sub(1), Type::Null, "a movement that tells of nothing")
    }

    /// A claim from [`claim_columns`].
    pub(super) fn claim(&mut self) -> Column<Claim> {
        Ok(Claim {
            user: self.user()?,
            amount: self.amount()?,
            sequence: self.number()?,
            claimed_at_ms: self.number()?,
        })
    }

    /// A whole number that may be missing.
    pub(super) fn optional(&mut self) -> Column<Option<u64>> {
        let column = self.step();
        let number: Option<i64> = self.row.get(column)?;
        let number = number.map(u64::try_from).transpose();
        number.map_err(|error| invalid(column, Type::Integer, error))
    }

    pub(super) fn amount(&mut self) -> Column<Amount> {
        self.number()
    }

    pub(super) fn priority(&mut self) -> Column<Priority> {
        Ok(if self.number::<i64>()? == 0 { Priority::Normal } else { Priority::Large })
    }

    /// A sum that passed through SQLite in two halves, see [`wide_sum`].
    pub(super) fn wide(&mut self) -> Column<i128> {
        let (high, low) = (self.number::<i64>()?, self.number::<i64>()?);
        Ok((i128::from(high) << 32) + i128::from(low))
    }

    fn audience(&mut self) -> Column<Audience> {
        let kind = self.text()?;
        let users = self.parsed(users_from_json)?;
        match (kind.as_str(), users.as_slice()) {
            ("everyone", []) => Ok(Audience::Everyone),
            ("everyone-but", [user]) => Ok(Audience::EveryoneBut(user.clone())),
            ("only", _) => Ok(Audience::Only(users.into())),
            _ => Err(invalid(self.next - 1, Type::Text, format!("no audience: {kind}"))),
        }
    }
}

/// A sum of 64-bit integers may not fit in one. SQLite sums the halves, [`Columns::wide`] joins
/// them; nothing summed is zero.
macro_rules! wide_sum {
    ($of:literal) => {
        concat!("ifnull(sum((", $of, ") >> 32), 0), ifnull(sum((", $of, ") & 4294967295), 0)")
    };
}

pub(super) use wide_sum;

fn invalid(
    column: usize,
    stored: Type,
    error: impl Into<Box<dyn StdError + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, stored, error.into())
}

fn users_from_json(json: &str) -> Result<Vec<UserId>, Box<dyn StdError + Send + Sync>> {
    let names: Vec<String> = serde_json::from_str(json)?;
    Ok(names.into_iter().map(UserId::new).collect::<Result<_, IdError>>()?)
}

/// The two columns of an audience: its kind, and a JSON array of the users it names.
pub(super) fn audience(audience: &Audience) -> (&'static str, String) {
    let (kind, users) = match audience {
        Audience::Everyone => ("everyone", [].as_slice()),
        Audience::EveryoneBut(user) => ("everyone-but", std::slice::from_ref(user)),
        Audience::Only(users) => ("only", users.as_ref()),
    };
    let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
    (kind, serde_json::Value::from(names).to_string())
}

/// A time or a version as the database keeps it.
pub(super) fn stored(number: u64) -> Result<i64, StoreError> {
    let past = |_| StoreError::Refused(format!("{number} is past what the books can hold, {}", i64::MAX));
    i64::try_from(number).map_err(past)
}

/// A packet and its id from [`packet_columns`].
pub(super) fn packet(row: &Row<'_>) -> Result<(PacketId, Packet), rusqlite::Error> {
    let mut columns = Columns::of(row);
    let id = columns.id()?;
    let packet = Packet {
        order: order(&mut columns)?,
        version: columns.number()?,
        status: columns.one_of(Status::from_name)?,
        claimed_amount: columns.amount()?,
        claimed_shares: columns.number()?,
        refunded: columns.amount()?,
        sent_at_ms: columns.number()?,
        expires_at_ms: columns.number()?,
    };
    Ok((id, packet))
}

fn order(columns: &mut Columns<'_>) -> Result<Order, rusqlite::Error> {
    Ok(Order {
        key: columns.name()?,
        room: columns.name()?,
        sender: columns.user()?,
        strategy: columns.one_of(|text: &str| Strategy::new(text).ok())?,
        total: columns.amount()?,
        shares: columns.number()?,
        max_share: columns.amount()?,
        audience: columns.audience()?,
        greeting: columns.text()?,
        expires_in_ms: columns.number()?,
    })
}

/// A claim from [`claim_columns`].
pub(super) fn claim(row: &Row<'_>) -> Result<Claim, rusqlite::Error> {
    Columns::of(row).claim()
}

/// The packet of this key.
pub(super) fn find_packet(db: &Connection, key: &PacketKey) -> Result<Option<Packet>, Error> {
    const SQL: &str = concat!("SELECT ", packet_columns!(), " FROM packets WHERE tenant = ?1 AND id = ?2");
    let mut statement = db.prepare_cached(SQL)?;
    let found = statement.query_row((key.tenant.as_str(), key.packet.to_bytes()), packet).optional()?;
    Ok(found.map(|(_, packet)| packet))
}

/// What a wallet holds; nothing where there is none.
pub(super) fn balance(db: &Connection, tenant: &TenantId, user: &UserId) -> Result<Amount, Error> {
    const SQL: &str = "SELECT balance FROM wallets WHERE tenant = ?1 AND user = ?2";
    let mut statement = db.prepare_cached(SQL)?;
    let held =
        statement.query_row((tenant.as_str(), user.as_str()), |row| Columns::of(row).amount()).optional()?;
    Ok(held.unwrap_or_default())
}

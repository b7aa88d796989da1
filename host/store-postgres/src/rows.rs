//! Rows of the database as values of the domain, and back.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::error::Error;
use hongbao_domain::{
    Amount, Audience, Claim, KeyId, MovementKind, Name, Order, Packet, PacketId, Priority, Reference, Scopes,
    Status, Strategy, TenantId, Terms, UserId, WithdrawalId, WithdrawalState,
};
use hongbao_store::StoreError;

/// What [`Columns::packet`] reads, in its order.
macro_rules! packet_columns {
    () => {
        "key, room, sender, strategy, total, shares, coalesce(max_share, total), audience, audience_users, greeting, \
         expires_in_ms, version, status, claimed_amount, claimed_shares, refunded, sent_at_ms, expires_at_ms"
    };
}

/// What [`Columns::claim`] reads, in its order.
macro_rules! claim_columns {
    () => {
        "user_id, amount, sequence, claimed_at_ms"
    };
}

pub(super) use {claim_columns, packet_columns};

/// The columns of a row, from left to right. A value that cannot be is [`StoreError::Corrupt`].
pub(super) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

type Column<T> = Result<T, Error>;

fn corrupt(what: impl std::fmt::Display) -> Error {
    StoreError::Corrupt(what.to_string()).into()
}

impl<'r> Columns<'r> {
    pub(super) const fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn get<T: FromSql<'r>>(&mut self) -> Column<T> {
        let column = self.next;
        self.next += 1;
        self.row.try_get(column).map_err(corrupt)
    }

    /// One of a closed set of names.
    fn one_of<T>(&mut self, from_name: impl FnOnce(&str) -> Option<T>) -> Column<T> {
        let name: &str = self.get()?;
        from_name(name).ok_or_else(|| corrupt(format_args!("{name} is not known")))
    }

    pub(super) fn name(&mut self) -> Column<Name> {
        Name::new(self.get::<&str>()?).map_err(corrupt)
    }

    pub(super) fn user(&mut self) -> Column<UserId> {
        UserId::new(self.get::<&str>()?).map_err(corrupt)
    }

    pub(super) fn tenant(&mut self) -> Column<TenantId> {
        TenantId::new(self.get()?).map_err(corrupt)
    }

    /// Whose something is: nobody's in particular where the name is empty.
    pub(super) fn owner(&mut self) -> Column<Option<TenantId>> {
        let name: &str = self.get()?;
        if name.is_empty() { Ok(None) } else { TenantId::new(name).map(Some).map_err(corrupt) }
    }

    pub(super) fn optional_user(&mut self) -> Column<Option<UserId>> {
        self.get::<Option<&str>>()?.map(UserId::new).transpose().map_err(corrupt)
    }

    /// Bytes of a fixed number.
    pub(super) fn bytes<const N: usize>(&mut self) -> Column<[u8; N]> {
        let bytes: &[u8] = self.get()?;
        bytes.try_into().map_err(|_| corrupt(format_args!("{} bytes where {N} belong", bytes.len())))
    }

    /// The same, where there are any.
    pub(super) fn optional_bytes<const N: usize>(&mut self) -> Column<Option<[u8; N]>> {
        let bytes: Option<&[u8]> = self.get()?;
        bytes.map(<[u8; N]>::try_from).transpose().map_err(corrupt)
    }

    pub(super) fn key_id(&mut self) -> Column<KeyId> {
        self.bytes().map(KeyId::from_bytes)
    }

    pub(super) fn optional_key_id(&mut self) -> Column<Option<KeyId>> {
        Ok(self.optional_bytes()?.map(KeyId::from_bytes))
    }

    pub(super) fn scopes(&mut self) -> Column<Scopes> {
        let bits: i32 = self.get()?;
        let known = u8::try_from(bits).ok().and_then(Scopes::from_bits);
        known.ok_or_else(|| corrupt(format_args!("{bits:#b} has a scope that is not known")))
    }

    /// A whole number of the domain's type that may be missing.
    pub(super) fn optional<T: TryFrom<i64>>(&mut self) -> Column<Option<T>> {
        let number: Option<i64> = self.get()?;
        let out = |number| corrupt(format_args!("{number} is out of range"));
        number.map(|number| T::try_from(number).map_err(|_| out(number))).transpose()
    }

    pub(super) fn id(&mut self) -> Column<PacketId> {
        self.get().map(|id: Uuid| PacketId::from_bytes(id.into_bytes()))
    }

    /// An id that may be missing.
    pub(super) fn optional_id(&mut self) -> Column<Option<PacketId>> {
        self.get().map(|id: Option<Uuid>| id.map(|id| PacketId::from_bytes(id.into_bytes())))
    }

    pub(super) fn withdrawal_id(&mut self) -> Column<WithdrawalId> {
        self.get().map(|id: Uuid| WithdrawalId::from_bytes(id.into_bytes()))
    }

    pub(super) fn optional_withdrawal_id(&mut self) -> Column<Option<WithdrawalId>> {
        self.get().map(|id: Option<Uuid>| id.map(|id| WithdrawalId::from_bytes(id.into_bytes())))
    }

    pub(super) fn reference(&mut self) -> Column<Reference> {
        Reference::new(self.get::<&str>()?).map_err(corrupt)
    }

    pub(super) fn withdrawal_state(&mut self) -> Column<WithdrawalState> {
        self.one_of(WithdrawalState::from_name)
    }

    pub(super) fn kind(&mut self) -> Column<MovementKind> {
        self.one_of(MovementKind::from_name)
    }

    /// A kind that may be missing.
    pub(super) fn optional_kind(&mut self) -> Column<Option<MovementKind>> {
        let name: Option<&str> = self.get()?;
        let known =
            |name| MovementKind::from_name(name).ok_or_else(|| corrupt(format_args!("{name} is not known")));
        name.map(known).transpose()
    }

    /// What was ordered with a packet, where it is told.
    pub(super) fn terms(&mut self) -> Column<Option<Terms>> {
        let room: Option<&str> = self.get()?;
        let (shares, expires_at_ms) = (self.optional()?, self.optional()?);
        let greeting: Option<String> = self.get()?;
        let room = room.map(Name::new).transpose().map_err(corrupt)?;
        let all = room.zip(shares).zip(expires_at_ms).zip(greeting);
        Ok(all.map(|(((room, shares), expires_at_ms), greeting)| Terms {
            room,
            shares,
            expires_at_ms,
            greeting,
        }))
    }

    /// A whole number of the domain's type.
    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Column<T> {
        let number: i64 = self.get()?;
        T::try_from(number).map_err(|_| corrupt(format_args!("{number} is out of range")))
    }

    pub(super) fn amount(&mut self) -> Column<Amount> {
        self.number()
    }

    pub(super) fn priority(&mut self) -> Column<Priority> {
        Ok(if self.get::<i16>()? == 0 { Priority::Normal } else { Priority::Large })
    }

    /// A sum, which may be wider than a column: it comes as text.
    pub(super) fn wide(&mut self) -> Column<i128> {
        self.get::<&str>()?.parse().map_err(corrupt)
    }

    fn audience(&mut self) -> Column<Audience> {
        let kind: &str = self.get()?;
        let names: Vec<&str> = self.get()?;
        let users: Result<Vec<UserId>, _> = names.into_iter().map(UserId::new).collect();
        let users = users.map_err(corrupt)?;
        match (kind, users.as_slice()) {
            ("everyone", []) => Ok(Audience::Everyone),
            ("everyone-but", [user]) => Ok(Audience::EveryoneBut(user.clone())),
            ("only", _) => Ok(Audience::Only(users.into())),
            _ => Err(corrupt(format_args!("no audience: {kind}"))),
        }
    }

    /// A packet from [`packet_columns`].
    pub(super) fn packet(&mut self) -> Column<Packet> {
        Ok(Packet {
            order: self.order()?,
            version: self.number()?,
            status: self.one_of(Status::from_name)?,
            claimed_amount: self.amount()?,
            claimed_shares: self.number()?,
            refunded: self.amount()?,
            sent_at_ms: self.number()?,
            expires_at_ms: self.number()?,
        })
    }

    fn order(&mut self) -> Column<Order> {
        Ok(Order {
            key: self.name()?,
            room: self.name()?,
            sender: self.user()?,
            strategy: self.one_of(|text: &str| Strategy::new(text).ok())?,
            total: self.amount()?,
            shares: self.number()?,
            max_share: self.amount()?,
            audience: self.audience()?,
            greeting: self.get()?,
            expires_in_ms: self.number()?,
        })
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
}

/// The two columns of an audience: its kind, and the users it names.
pub(super) fn audience(audience: &Audience) -> (&'static str, Vec<&str>) {
    let (kind, users) = match audience {
        Audience::Everyone => ("everyone", [].as_slice()),
        Audience::EveryoneBut(user) => ("everyone-but", std::slice::from_ref(user)),
        Audience::Only(users) => ("only", users.as_ref()),
    };
    (kind, users.iter().map(UserId::as_str).collect())
}

/// A packet's id as the database keeps it.
pub(super) const fn uuid(id: PacketId) -> Uuid {
    Uuid::from_bytes(id.to_bytes())
}

/// A time or a version as the database keeps it.
pub(super) fn stored(number: u64) -> Result<i64, StoreError> {
    let past = |_| StoreError::Refused(format!("{number} is past what the books can hold, {}", i64::MAX));
    i64::try_from(number).map_err(past)
}

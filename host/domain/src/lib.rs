//! The domain types of Hongbao, which use only `std` (a tenant's settings serde as well), and `decode`, the strict
//! parser of external input.

#![warn(missing_docs)]

pub mod decode;

mod access;
mod account;
mod amount;
mod chat;
mod command;
mod event;
mod grant;
mod id;
mod limits;
mod money;
mod money_event;
mod outcome;
mod packet;
mod policy;
mod settings;
mod strategy;
mod text;
mod webhook;
mod withdrawal;

pub use access::{ApiKey, KeyId, Scope, Scopes, Suspension, UnknownScope};
pub use account::{Account, Movement, MovementKind};
pub use amount::{Amount, AmountError};
pub use chat::{
    Button, Card, Emphasis, Field, Manifest, Mention, Message, Presser, Problem, Reply, Theme, Usage,
};
pub use chat::{MAX_WORD_BYTES, is_word};
pub use command::{command, language};
pub use event::{Event, EventId, News, PacketEvent, RoomKey};
pub use grant::{Grant, Grants, UnknownGrant};
pub use id::{IdError, Name, PacketId, PacketKey, Reference, TenantId, UserId, WithdrawalId};
pub use limits::{Limit, Limits};
pub use money::Currency;
pub use money_event::{MoneyEvent, MoneyEventId, MoneyEventKind, Moved, Terms, Within};
pub use outcome::{ClaimLine, Details, Expired, Grabbed, Opened, OpenedShare, Request, SendError, Sent};
pub use packet::{Audience, Claim, Order, Packet, Priority, Share, Status};
pub use policy::Policy;
pub use settings::{SettingsError, TenantSettings};
pub use strategy::{DeclaredParameter, DeclaredStrategy, Strategies, Strategy, StrategyError};
pub use text::{closed, counted, one_line};
pub use text::{is_unseen, turns};
pub use webhook::WebhookId;
pub use withdrawal::{Withdrawal, WithdrawalState};

/// The README's example is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

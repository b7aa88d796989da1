//! The words of the field, as types. This module knows `std` alone.

mod account;
mod amount;
mod id;
mod outcome;
mod packet;
mod policy;

pub use account::{Account, Movement, MovementKind};
pub use amount::{Amount, AmountError};
pub use id::{IdError, Name, PacketId, PacketKey, TenantId, UserId};
pub use outcome::{ClaimLine, Details, Expired, Grabbed, Opened, OpenedShare, Request, SendError, Sent};
pub use packet::{Audience, Claim, Order, Packet, Priority, Share, Status, Strategy};
pub use policy::Policy;

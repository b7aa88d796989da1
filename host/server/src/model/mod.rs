//! Bodies that several routes share. Amounts are integers in
//! minor units, times are milliseconds since the Unix epoch, ids are texts.

pub(super) mod chat;
pub(super) mod event;
pub(super) mod money_event;
pub(super) mod packet;

//! What tests and benchmarks share.

pub mod chaos;
pub mod chat;
pub mod faults;
pub mod guests;
pub mod native;
pub mod servers;

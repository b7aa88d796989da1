//! What tests and benchmarks share.

pub mod chaos;
pub mod chat;
pub mod guests;
pub mod native;
pub mod pairs;
pub mod servers;

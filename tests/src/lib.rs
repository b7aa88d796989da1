//! What tests and benchmarks share.

#[cfg(feature = "servers")]
pub mod chaos;
pub mod chat;
pub mod compilers;
pub mod guests;
pub mod heavy;
pub mod native;
pub mod pairs;
#[cfg(feature = "servers")]
pub mod receiver;
#[cfg(feature = "servers")]
pub mod servers;

//! The command line from outside: processes that are started, spoken to and looked at.
//!
//! Only what is the command line's own. What a packet may be and whose money it is stands in the suite `rules`.

// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod compiling;
mod config;
mod data_directory;
mod demo;
mod events;
mod help;
mod keys;
mod log;
mod malformed;
mod money_events;
mod people;
mod play;
mod plugin_commands;
mod plugin_file;
mod plugin_run;
mod process;
#[cfg(unix)]
mod serve;
#[cfg(feature = "servers")]
mod servers;
mod settings;
mod simulate;
mod tenants_file;

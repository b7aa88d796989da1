//! The command line from outside: processes that are started, spoken to and looked at.

// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod bad_input;
mod compiling;
mod config;
mod crowd;
mod data_directory;
mod demo;
mod details;
mod events;
mod help;
mod keys;
mod log;
mod malformed;
mod money;
mod people;
mod plugin_commands;
mod plugin_file;
mod plugin_run;
mod process;
mod replay;
mod send;
#[cfg(unix)]
mod serve;
#[cfg(feature = "servers")]
mod servers;
mod settings;
mod simulate;
mod taps;
mod tenants_file;

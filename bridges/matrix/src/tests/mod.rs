//! The bridge between a stand-in homeserver and a stand-in Hongbao, which fail when they are told to: what no real one
//! does on demand, or ever.

mod bad_input;
mod faults;
mod homeserver;
mod hongbao;
mod stage;

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::one_line;

#[test]
fn a_message_is_one_line() {
    assert_eq!(one_line("a\nb\u{1b}[2J\u{202e}红包\n"), "a\\nb\\u{1b}[2J\\u{202e}红包");
}

#[test]
fn the_help_can_be_made() {
    Cli::command().debug_assert();
}

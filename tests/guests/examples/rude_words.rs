//! Says why not in words that no platform could show.

use hongbao_hostile_guests::{Guest, Request, component};

struct RudeWords;

impl Guest for RudeWords {
    fn send(_: Request) -> Result<(), String> {
        Err(words())
    }

    fn preview(_: String, _: u64, _: u32) -> Result<Vec<u64>, String> {
        Err(words())
    }
}

component!(RudeWords);

fn words() -> String {
    "no\u{1b}[31m\u{0}".to_owned() + &"\u{6666}".repeat(10_000)
}

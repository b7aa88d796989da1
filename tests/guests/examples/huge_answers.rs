//! Gives huge answers: a list of a million numbers, a text of 5 MiB, a text that fills many screens.

use hongbao_hostile_guests::{Guest, Message, Reply, component};

struct HugeAnswers;

impl Guest for HugeAnswers {
    fn preview(_: String, _: u64, _: u32) -> Result<Vec<u64>, String> {
        Ok(vec![1; 1_000_000])
    }

    fn command(message: Message) -> Vec<Reply> {
        let length = if message.text == "/huge" { 5 << 20 } else { 5000 };
        vec![Reply::Notice("x".repeat(length))]
    }
}

component!(HugeAnswers);

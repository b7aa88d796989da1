//! Answers with a list outside of its memory, with one that is longer than its memory, and with a text that is not UTF-8.

#![allow(unsafe_code, reason = "safe code cannot lie like this")]

use hongbao_hostile_guests::{Guest, Message, Reply, component};

struct LyingPointers;

impl Guest for LyingPointers {
    fn preview(_: String, total: u64, _: u32) -> Result<Vec<u64>, String> {
        Ok(if total == 1 { list(0xffff_0000, 1) } else { list(8, 1 << 21) })
    }

    fn command(_: Message) -> Vec<Reply> {
        // SAFETY: there is none; that is the point.
        vec![Reply::Notice(unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) })]
    }
}

component!(LyingPointers);

fn list(address: usize, length: usize) -> Vec<u64> {
    // SAFETY: there is none; that is the point.
    unsafe { Vec::from_raw_parts(address as *mut u64, length, length) }
}

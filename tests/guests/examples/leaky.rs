//! Remembers what the last user typed, and tells the next one.

use std::sync::{Mutex, PoisonError};

use hongbao_hostile_guests::{Guest, Message, Reply, component};

static LAST: Mutex<String> = Mutex::new(String::new());

struct Leaky;

impl Guest for Leaky {
    fn command(message: Message) -> Vec<Reply> {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let told = std::mem::replace(&mut *last, format!("{} typed {}", message.sender, message.text));
        vec![Reply::Notice(told)]
    }
}

component!(Leaky);

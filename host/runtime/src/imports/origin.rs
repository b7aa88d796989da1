//! Keys of orders in the ledger: separate for requests and chat messages.
//!
//! A request's key is unique among the requests of its sender. A message's id is unique in its room alone:
//! most platforms count messages anew in every room. The ledger has one space of keys for each sender, so
//! what came from a message is put apart there, by its room; otherwise the second packet of a message 42
//! would be taken for the first.

use sha2::{Digest as _, Sha256};

use super::Breach;
use hongbao_domain::Name;

/// Keys of messages begin with it.
const MESSAGE: &str = "message:";
/// So do keys of requests that would begin like another kind.
const REQUEST: &str = "request:";

/// The key of an order that was requested. It stands in the ledger as it is, unless it looks like a key
/// that was made here.
pub(crate) fn of_request(key: Name) -> Result<Name, Breach> {
    match [MESSAGE, REQUEST].iter().any(|kind| key.as_str().starts_with(kind)) {
        true => named(REQUEST, &[key.as_str()]),
        false => Ok(key),
    }
}

/// The key of an order that was typed.
pub(crate) fn of_message(room: &str, id: &str) -> Result<Name, Breach> {
    named(MESSAGE, &[room, id])
}

/// A name of a fixed length, since the parts together may be longer than a name may be.
fn named(kind: &str, parts: &[&str]) -> Result<Name, Breach> {
    let mut hash = Sha256::new();
    for part in parts {
        // With their lengths, the parts cannot run into each other.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Name::new(format!("{kind}{digits}")).map_err(Breach::Name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn requested(key: &str) -> String {
        of_request(Name::new(key).unwrap()).unwrap().into_string()
    }

    fn typed(room: &str, id: &str) -> String {
        of_message(room, id).unwrap().into_string()
    }

    #[test]
    fn no_two_orders_share_a_key_by_clever_names() {
        let longest = "x".repeat(256);
        let mut keys: Vec<_> = [
            ("family", "42"),
            ("work", "42"),
            ("family4", "2"),
            ("famil", "y42"),
            ("4", "2"),
            ("", "42"),
            (&longest, &longest),
        ]
        .map(|(room, id)| typed(room, id))
        .into();
        let made = typed("family", "42");
        let twice = requested(&made);
        keys.extend(["42", "family42", "family:42", "message:", "request:", &made, &twice].map(requested));
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
        assert!(keys.iter().all(|key| Name::new(key.as_str()).is_ok()));
    }

    #[test]
    fn an_ordinary_key_stands_in_the_ledger_as_it_is() {
        assert_eq!(requested("message-4711"), "message-4711");
        assert_eq!(typed("family", "42"), typed("family", "42"));
    }
}

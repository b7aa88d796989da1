//! Which master of a cluster holds which keys.

use std::collections::HashMap;

use redis::Value;

use super::codec::DecodeError;

/// By the Redis cluster specification.
const SLOTS: usize = 16_384;
/// What belongs to nobody.
const NOBODY: u16 = u16::MAX;
/// So many keys are tried out to find one for each master. A master of a hundredth of all slots is
/// missed once in a universe.
const TRIED: u32 = 20_000;

/// A cluster's masters, and whose each slot is.
pub(super) struct Slots {
    masters: Vec<String>,
    owners: Box<[u16]>,
    /// For each master, the number of a key that it holds.
    keys: Vec<u32>,
}

impl Slots {
    /// Of these masters and ranges of slots, of which the ends belong to it.
    pub(super) fn new(ranges: impl IntoIterator<Item = (String, Vec<(u16, u16)>)>) -> Self {
        let mut owners = vec![NOBODY; SLOTS].into_boxed_slice();
        let mut masters = Vec::new();
        for (number, (master, ranges)) in (0..NOBODY).zip(ranges) {
            masters.push(master);
            for (first, last) in ranges {
                let range = usize::from(first)..=usize::from(last).min(SLOTS - 1);
                owners.get_mut(range).unwrap_or_default().fill(number);
            }
        }
        let mut slots = Self { keys: vec![0; masters.len()], masters, owners };
        slots.find_keys();
        slots
    }

    /// From the answer to `CLUSTER SLOTS`.
    pub(super) fn parse(answer: &Value) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::of("the slots of the cluster");
        let Value::Array(rows) = answer else { return Err(wrong()) };
        let mut masters: Vec<(String, Vec<(u16, u16)>)> = Vec::new();
        let mut places = HashMap::new();
        for row in rows {
            let Value::Array(row) = row else { return Err(wrong()) };
            let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = row.as_slice() else {
                return Err(wrong());
            };
            let name = node(master).ok_or_else(wrong)?;
            let slot = |number: &i64| u16::try_from(*number).map_err(|_| wrong());
            let place = *places.entry(name.clone()).or_insert(masters.len());
            if place == masters.len() {
                masters.push((name, Vec::new()));
            }
            if let Some((_, ranges)) = masters.get_mut(place) {
                ranges.push((slot(first)?, slot(last)?));
            }
        }
        Ok(Self::new(masters))
    }

    fn find_keys(&mut self) {
        let mut is_found = vec![false; self.masters.len()];
        for number in 0..TRIED {
            if let Some(master) = self.master_of(&tag(number))
                && let (Some(found), Some(key)) = (is_found.get_mut(master), self.keys.get_mut(master))
                && !std::mem::replace(found, true)
            {
                *key = number;
                if is_found.iter().all(|found| *found) {
                    return;
                }
            }
        }
    }

    pub(super) fn masters(&self) -> impl Iterator<Item = &str> {
        self.masters.iter().map(String::as_str)
    }

    pub(super) fn keys(&self) -> Vec<u32> {
        self.keys.clone()
    }

    /// The master of a key or a hash tag.
    pub(super) fn master_of(&self, key: &str) -> Option<usize> {
        let owner = *self.owners.get(usize::from(slot(key)))?;
        (owner != NOBODY).then_some(usize::from(owner))
    }
}

/// The hash tag of the probe's key of this number.
pub(super) fn tag(number: u32) -> String {
    format!("probe/{number}")
}

/// The slot of a key, by its hash tag if it has one.
fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed.as_bytes()) % SLOTS as u16
}

/// The name of a node; its address where the server is too old to have given it one.
fn node(node: &[Value]) -> Option<String> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    };
    match node {
        [_, _, id, ..] => text(id),
        [host, port] => Some(format!("{}:{}", text(host)?, text(port)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_slot_that_the_specification_says() {
        // From the specification, and by CLUSTER KEYSLOT.
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!((slot("a"), slot("b")), (15495, 3300));
        assert_eq!(slot("hongbao:{a}:leases"), slot("a"));
        assert_eq!(slot("x{}y"), crc16::State::<crc16::XMODEM>::calculate(b"x{}y") % 16384);
    }

    #[test]
    fn every_master_has_a_key_that_it_holds() {
        let ranges = (0..30_u16).map(|number| (number.to_string(), vec![(number * 500, number * 500 + 499)]));
        let slots = Slots::new(ranges);
        for (master, key) in slots.keys().into_iter().enumerate() {
            assert_eq!(slots.master_of(&tag(key)), Some(master));
            assert_eq!(slots.master_of(&format!("shop:{{{}}}:leases", tag(key))), Some(master));
        }
        let nobody = (0..).map(tag).find(|tag| slot(tag) >= 15_000).unwrap();
        assert_eq!(slots.master_of(&nobody), None);
    }

    #[test]
    fn the_answer_of_a_cluster_is_read_by_the_names_of_its_nodes() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |id: &str| Value::Array(vec![text("127.0.0.1"), Value::Int(7000), text(id)]);
        let row = |first, last, id| {
            Value::Array(vec![Value::Int(first), Value::Int(last), node(id), node("a replica")])
        };
        let answer = Value::Array(vec![row(0, 5, "a"), row(6, 10_000, "b"), row(10_001, 16_383, "a")]);
        let slots = Slots::parse(&answer).unwrap();
        assert_eq!(slots.masters().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((slots.master_of("a"), slots.master_of("b")), (Some(0), Some(1)));
        assert!(Slots::parse(&Value::Int(1)).is_err());
        assert!(Slots::parse(&Value::Array(vec![Value::Int(1)])).is_err());
    }
}

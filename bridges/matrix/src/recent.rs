//! A map that forgets what was put into it first.

use std::collections::{HashMap, VecDeque};

/// At most so many entries as it was made for.
pub(crate) struct Recent<V> {
    most: usize,
    found: HashMap<String, V>,
    order: VecDeque<String>,
}

impl<V> Recent<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, found: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.found.get(key)
    }

    pub(crate) fn put(&mut self, key: String, value: V) {
        if self.found.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > self.most {
            if let Some(first) = self.order.pop_front() {
                self.found.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_forgotten() {
        let mut recent = Recent::new(2);
        for key in ["a", "b", "a", "c"] {
            recent.put(key.into(), key.len());
        }
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (None, Some(&1), Some(&1)));
    }
}

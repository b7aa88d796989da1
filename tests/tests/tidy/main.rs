//! House rules as tests, on the source text.
//!
//! Each rule is a function from text to breaches, so that next to the test which holds it against
//! the repository there is one that shows it can fail. A breach reads `file:line: what to do`.

// Also in the helpers, which clippy does not count as tests: a rule that cannot be checked must
// stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod documents;
mod layers;
mod leftovers;
mod packages;
mod plugin;
mod reading;
mod shape;
mod tokens;
mod tree;

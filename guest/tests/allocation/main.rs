//! The draw, held against its table: the exact distribution of every share is computed here with
//! fractions of integers, and the crate's draws must follow it.

// A test that meets something unexpected has to stop at once, and a panic is how it says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use hongbao_guest::allocation::Rule;
use hongbao_guest::allocation::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

mod chi_square;
mod exact;
mod fit;
mod fraction;
mod invariants;
mod mistakes;
mod refusals;

/// The most that one share can be under the default policy: far above every small packet.
const DEFAULT_MAX_SHARE: u64 = 20_000;

const STRATEGIES: [Strategy; 4] =
    [Strategy::DoubleAverage, Strategy::WechatObserved, Strategy::LineCut, Strategy::Equal];

/// How often each value was seen.
type Counts<T> = BTreeMap<T, u64>;

fn rule(strategy: Strategy, total: u64, shares: u32, max_share: u64) -> Rule {
    Rule { strategy, total, shares, max_share }
}

/// A generator of the rule's own, so that adding a case leaves the numbers of the others alone.
fn generator(rule: &Rule) -> ChaCha20Rng {
    let mut seed = [0; 32];
    seed[0..8].copy_from_slice(&rule.total.to_le_bytes());
    seed[8..12].copy_from_slice(&rule.shares.to_le_bytes());
    seed[12..20].copy_from_slice(&rule.max_share.to_le_bytes());
    seed[20] = rule.strategy as u8;
    ChaCha20Rng::from_seed(seed)
}

/// What the crate drew at each position, over many packets.
fn counts_at_each_position(rule: &Rule, packets: u64) -> Vec<Counts<u64>> {
    let mut rng = generator(rule);
    let mut counts = vec![Counts::new(); rule.shares as usize];
    for _ in 0..packets {
        for (position, amount) in rule.draw_all(&mut rng).into_iter().enumerate() {
            *counts[position].entry(amount).or_default() += 1;
        }
    }
    counts
}

//! Bytes that nobody meant: each is refused or loaded, and none stops the program.

use hongbao_host::runtime::{Engine, Plugin};
use hongbao_tests::guests::{Deed, misbehaving};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // Knuth's multiplier; the low bits are poor.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}

/// Loads and looks at these bytes; gives whether they fit. A refusal is one short sentence.
fn fits(engine: &Engine, bytes: &[u8]) -> bool {
    let loaded = Plugin::from_bytes(engine, bytes);
    if let Err(error) = &loaded {
        let said = error.to_string();
        assert!(!said.chars().any(char::is_control) && said.len() < 2_000, "{said}");
        assert_ne!(error.code(), "compiler-failed", "the compiler panicked");
    }
    loaded.is_ok()
}

#[test]
fn random_bytes_are_refused() {
    let (engine, mut numbers) = (Engine::new().unwrap(), Numbers(8));
    for round in 0..400 {
        let mut bytes: Vec<u8> = (0..numbers.below(600)).map(|_| numbers.next() as u8).collect();
        if round % 2 == 0 {
            // Past the header there is more to go wrong.
            bytes.splice(0..0, *b"\0asm\x0d\0\x01\0");
        }
        // A header alone is an empty component, which lacks its exports.
        assert!(!fits(&engine, &bytes));
        assert!(Plugin::inspect(&engine, &bytes).is_err() || bytes.len() == 8);
    }
}

#[test]
fn bits_that_flip_make_no_panic() {
    let (engine, mut numbers) = (Engine::new().unwrap(), Numbers(2026));
    // The made-up plugin compiles quickly; the embedded one has everything.
    for (plugin, rounds) in [(misbehaving(Deed::Nag), 240), (Plugin::EMBEDDED, 40)] {
        let mut refused = 0;
        for _ in 0..rounds {
            let mut bytes = plugin.to_vec();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(bytes.len());
                bytes[at] ^= 1 << numbers.below(8);
            }
            refused += u32::from(!fits(&engine, &bytes));
        }
        assert!(refused > rounds / 4, "{refused} of {rounds}: the bits hardly matter");
    }
}

#[test]
fn parts_that_are_swapped_or_cut_out_make_no_panic() {
    let (engine, mut numbers) = (Engine::new().unwrap(), Numbers(7));
    for _ in 0..200 {
        let mut bytes = misbehaving(Deed::Spin).to_vec();
        let (from, length) = (8 + numbers.below(bytes.len() - 8), numbers.below(64));
        let to = (from + length).min(bytes.len());
        match numbers.below(3) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes[from..to].reverse(),
            _ => bytes[from..to].fill(numbers.next() as u8),
        }
        fits(&engine, &bytes);
    }
}

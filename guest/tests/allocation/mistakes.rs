//! Draws that are wrong on purpose. The comparison that the crate passes must reject each.

use hongbao_guest::allocation::Rule;
use hongbao_guest::allocation::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::chi_square::{Misfit, fit};
use crate::exact::{of_first, of_packets};
use crate::{Counts, DEFAULT_MAX_SHARE, generator, rule};

const PACKETS: u64 = 60_000;

/// Of 200 in 3: uniform on 1..=133.
fn double_average() -> Rule {
    rule(Strategy::DoubleAverage, 200, 3, DEFAULT_MAX_SHARE)
}

/// Compares a first share drawn in some other way with what the rule says.
fn compare(rule: &Rule, mut draw: impl FnMut(&mut ChaCha20Rng) -> u64) -> Result<(), Misfit> {
    let mut rng = generator(rule);
    let mut seen = Counts::new();
    for _ in 0..PACKETS {
        *seen.entry(draw(&mut rng)).or_default() += 1;
    }
    fit(&seen, &of_first(rule))
}

/// One byte: with so small a range, what a modulo favours is plain to see.
fn byte(rng: &mut ChaCha20Rng) -> u64 {
    u64::from(rng.next_u32() as u8)
}

/// Uniform on `1..=most`: a byte that would favour small numbers is drawn again.
fn unbiased(rng: &mut ChaCha20Rng, most: u64) -> u64 {
    loop {
        let byte = byte(rng);
        if byte < 256 / most * most {
            return 1 + byte % most;
        }
    }
}

#[test]
fn an_unbiased_draw_by_other_means_is_accepted() {
    compare(&double_average(), |rng| unbiased(rng, 133)).expect("bytes are not what is wrong below");
}

#[test]
fn a_modulo_of_a_small_range_is_rejected() {
    let misfit = compare(&double_average(), |rng| 1 + byte(rng) % 133);
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

#[test]
fn a_range_that_ends_one_too_early_is_rejected() {
    let misfit = compare(&double_average(), |rng| unbiased(rng, 132));
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

#[test]
fn a_range_that_starts_one_too_late_is_rejected() {
    let misfit = compare(&double_average(), |rng| 1 + unbiased(rng, 132));
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

#[test]
fn a_range_one_too_long_at_either_end_is_rejected() {
    for too_early in [0, 1] {
        let misfit = compare(&double_average(), |rng| unbiased(rng, 134) - too_early);
        assert!(matches!(misfit, Err(Misfit::Impossible(_))), "{misfit:?}");
    }
}

#[test]
fn a_floor_of_one_where_wechat_observed_has_a_tenth_is_rejected() {
    // The average is 20, so nothing is under 2.
    let wechat = rule(Strategy::WechatObserved, 60, 3, DEFAULT_MAX_SHARE);
    compare(&wechat, |rng| (unbiased(rng, 40) - 1).max(2)).expect("the rule itself");
    let misfit = compare(&wechat, |rng| (unbiased(rng, 40) - 1).max(1));
    assert!(matches!(misfit, Err(Misfit::Impossible(_))), "{misfit:?}");
    let misfit = compare(&wechat, |rng| 1 + unbiased(rng, 38));
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

#[test]
fn a_line_cut_whose_cuts_may_fall_together_is_rejected() {
    let line = rule(Strategy::LineCut, 30, 4, DEFAULT_MAX_SHARE);
    let cut = |rng: &mut ChaCha20Rng| unbiased(rng, 29);
    // Three cuts, made again until they are different: the rule by the slowest way.
    let different = |rng: &mut ChaCha20Rng| {
        loop {
            let cuts = [cut(rng), cut(rng), cut(rng)];
            if cuts[0] != cuts[1] && cuts[1] != cuts[2] && cuts[2] != cuts[0] {
                return cuts[0].min(cuts[1]).min(cuts[2]);
            }
        }
    };
    compare(&line, different).expect("the rule itself");
    let misfit = compare(&line, |rng| cut(rng).min(cut(rng)).min(cut(rng)).min(27));
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

#[test]
fn shares_right_one_by_one_but_wrong_together_are_rejected() {
    let line = rule(Strategy::LineCut, 12, 4, DEFAULT_MAX_SHARE);
    let mut rng = generator(&line);
    let (mut packets, mut first) = (Counts::new(), Counts::new());
    for _ in 0..PACKETS {
        // Any part of a random division may come first, but then the larger follow the smaller.
        let mut packet = line.draw_all(&mut rng);
        packet.sort_unstable();
        packet.rotate_left(byte(&mut rng) as usize % 4);
        *first.entry(packet[0]).or_default() += 1;
        *packets.entry(packet).or_default() += 1;
    }
    fit(&first, &of_first(&line)).expect("right one by one");
    let misfit = fit(&packets, &of_packets(&line));
    assert!(matches!(misfit, Err(Misfit::TooFar(_))), "{misfit:?}");
}

//! The rule: each share is half of what remains.

/// The amounts of so many `shares`, one after the other, where so much is `left`: half of it, rounded up, and all of it
/// for the last. At least `floor` stays for each that follows, and none of them has to be more than `most`, as this one
/// is not.
pub fn amounts(mut left: u64, shares: u32, floor: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..u64::from(shares)).rev().map(move |others| {
        let low = left.saturating_sub(others.saturating_mul(most)).max(floor);
        let high = left.saturating_sub(others.saturating_mul(floor)).min(most).max(low);
        let amount = left.div_ceil(2).clamp(low, high);
        left -= amount;
        amount
    })
}

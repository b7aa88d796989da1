//! The rule: each share is half of what remains.

/// Half of what is `left` for so many `shares`, rounded up; the last share takes all of it. At least `floor` stays for
/// each that follows, and none of them has to be more than `most`, as this one is not.
pub fn share(left: u64, shares: u32, floor: u64, most: u64) -> u64 {
    let others = u64::from(shares.saturating_sub(1));
    if others == 0 {
        return left;
    }
    let low = left.saturating_sub(others.saturating_mul(most)).max(floor);
    let high = left.saturating_sub(others.saturating_mul(floor)).min(most).max(low);
    left.div_ceil(2).clamp(low, high)
}

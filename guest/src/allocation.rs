//! Allocation: the amount of a share, drawn from what remains when it is opened.
//!
//! All integers, in minor units. `left` is what remains, `shares` how many shares remain; the
//! last share takes all of it. Every draw leaves at least 1 for each share that follows, and
//! never so much that the shares that follow would have to pass the cap. Where the policy's cap
//! is narrower than a strategy's own range, a draw outside becomes the nearest amount inside:
//! a packet near the most that the policy allows is necessarily near equal.

use rand_core::Rng;

use crate::bindings::hongbao::plugin::policy::Limits;
use crate::chat::money::shown;
use crate::draws::uniform;

/// The largest amount that any store can hold: signed 64-bit integers are the common ground.
pub const MAX_AMOUNT: u64 = i64::MAX as u64;

/// How the amount of a share is drawn from what remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Uniform between 1 and twice the average of what remains, capped at twice the average of the whole packet.
    DoubleAverage,
    /// The rule that public samples of real draws follow: uniform below twice the average of what remains, and at
    /// least a tenth of it.
    WechatObserved,
    /// The first part of a uniformly random division of what remains.
    LineCut,
    /// Every share is the same.
    Equal,
}

impl Strategy {
    /// All of them: the name, and what it does in a sentence.
    pub const ALL: [(Self, &str, &str); 4] = [
        (
            Self::DoubleAverage,
            "double-average",
            "Uniform between 1 and twice the average of what remains, at most twice the whole average.",
        ),
        (
            Self::WechatObserved,
            "wechat-observed",
            "Uniform below twice the average of what remains, and at least a tenth of it.",
        ),
        (Self::LineCut, "line-cut", "The first part of a uniformly random division of what remains."),
        (Self::Equal, "equal", "Every share is the same."),
    ];

    /// The strategy of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map(|(strategy, ..)| strategy)
    }

    /// The name in every interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, ..)| *known == self).map_or("", |(_, name, _)| name)
    }

    pub(crate) fn named(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| format!("there is no strategy {name:?}"))
    }
}

/// What stays the same over a packet's life.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// How a share is drawn.
    pub strategy: Strategy,
    /// The whole packet, in minor units.
    pub total: u64,
    /// Shares of the whole packet.
    pub shares: u32,
    /// The most that one share can be, in minor units.
    pub max_share: u64,
}

/// What nobody has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Minor units.
    pub amount: u64,
    /// How many shares they are for.
    pub shares: u32,
}

/// Whether a packet can be divided at all; otherwise the sentence that says why not.
pub fn check(strategy: Strategy, total: u64, shares: u32, limits: &Limits) -> Result<(), String> {
    if shares == 0 || shares > limits.max_shares {
        return Err(format!("shares must be between 1 and {}, not {shares}", limits.max_shares));
    }
    let by_share = limits.max_share.saturating_mul(u64::from(shares));
    // Callers write minor units, and read what is wrong as money.
    let money = |minor| shown(minor, limits);
    let total_is = money(total);
    if total < u64::from(shares) {
        let (least, one) = (money(shares.into()), money(1));
        return Err(format!("total must be at least {least}, {one} for each share, not {total_is}"));
    }
    if total > by_share {
        let (most, max_share) = (money(by_share), money(limits.max_share));
        return Err(format!("total must be at most {most}, {max_share} for each share, not {total_is}"));
    }
    if total > MAX_AMOUNT {
        return Err(format!("total must be at most {}, not {total_is}", money(MAX_AMOUNT)));
    }
    if strategy == Strategy::Equal && !total.is_multiple_of(u64::from(shares)) {
        return Err(format!("a total of {total_is} cannot be divided equally into {shares} shares"));
    }
    Ok(())
}

impl Rule {
    /// The next share. `remaining` has at least one share and at least 1 for each.
    pub fn draw(&self, remaining: Remaining, rng: &mut impl Rng) -> u64 {
        let Remaining { amount: left, shares } = remaining;
        if shares <= 1 {
            return left;
        }
        let k = u64::from(shares);
        let (low, high) = self.bounds(left, k);
        match self.strategy {
            Strategy::Equal => left / k,
            Strategy::DoubleAverage => {
                let twice = (2 * u128::from(left) / u128::from(k)) as u64;
                uniform(rng, low..=high.min(twice).max(low))
            }
            Strategy::WechatObserved => {
                let average = left / k;
                let drawn = uniform(rng, 0..=2 * average - 1);
                drawn.max(average / 10).max(1).clamp(low, high)
            }
            Strategy::LineCut => first_cut(rng, left - 1, k - 1).clamp(low, high),
        }
    }

    /// A whole packet, in the order of claiming.
    pub fn draw_all(&self, rng: &mut impl Rng) -> Vec<u64> {
        let mut amount = self.total;
        (1..=self.shares)
            .rev()
            .map(|shares| {
                let drawn = self.draw(Remaining { amount, shares }, rng);
                amount -= drawn;
                drawn
            })
            .collect()
    }

    /// Least and most that a share may be, so that the `k - 1` others can still get at least 1
    /// and at most the cap. Were the cap lowered under an open packet, `low` wins over it.
    fn bounds(&self, left: u64, k: u64) -> (u64, u64) {
        let others = k - 1;
        let cap = self.cap();
        let most = left - others;
        let low = left.saturating_sub(others.saturating_mul(cap)).clamp(1, most);
        (low, cap.min(most).max(low))
    }

    /// `double-average` never gives more than twice the average of the whole packet.
    fn cap(&self) -> u64 {
        if self.strategy != Strategy::DoubleAverage {
            return self.max_share;
        }
        let twice = 2 * u128::from(self.total) / u128::from(self.shares.max(1));
        self.max_share.min(self.total).min(twice.min(u128::from(u64::MAX)) as u64)
    }
}

/// The smallest of `cuts` different places chosen among `1..=places`: the length of the first
/// part of a line of `places + 1` that is cut there.
///
/// Floyd's sampling (Bentley and Floyd, "A sample of brilliance", 1987) draws one place a cut from
/// a growing range, and puts the range's end in for a place that is taken already. The end is
/// never smaller than what it stands for, so for the smallest place the draws alone are enough.
fn first_cut(rng: &mut impl Rng, places: u64, cuts: u64) -> u64 {
    let draws = ((places - cuts + 1)..=places).map(|last| uniform(rng, 1..=last));
    draws.min().unwrap_or(places)
}

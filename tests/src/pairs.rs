//! A figure beside its baseline, measured turn by turn, since machines are noisy.

/// A figure and its baseline, both in events a second, measured turn by turn. A goal of nothing is
/// none.
pub struct Pairs {
    name: &'static str,
    goal: f64,
    pairs: Vec<(f64, f64)>,
}

impl Pairs {
    /// Of this name, with this goal for the ratio.
    #[must_use]
    pub const fn new(name: &'static str, goal: f64) -> Self {
        Self { name, goal, pairs: Vec::new() }
    }

    /// One turn.
    pub fn add(&mut self, baseline: f64, ours: f64) {
        self.pairs.push((baseline, ours));
    }

    /// Medians, and the spread of the ratios.
    pub fn print(&self) {
        let ratios = sorted(self.pairs.iter().map(|(baseline, ours)| ours / baseline));
        let baseline = median(&sorted(self.pairs.iter().map(|(baseline, _)| *baseline)));
        let ours = median(&sorted(self.pairs.iter().map(|(_, ours)| *ours)));
        let (least, most) =
            (ratios.first().copied().unwrap_or_default(), ratios.last().copied().unwrap_or_default());
        let (name, goal) = (self.name, self.goal);
        let goal = if goal > 0.0 { format!("{goal:.1}") } else { String::new() };
        println!(
            "{name:<46}{baseline:>9.0}/s{ours:>9.0}/s{:>9.2}{goal:>8}  {least:.2} to {most:.2}",
            median(&ratios)
        );
    }
}

/// In their order.
#[must_use]
pub fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of values in their order; nothing of none.
#[must_use]
pub fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

//! Bar charts for a terminal.

/// A bar of at most `width` columns, in eighths of a column, for `value` of `most`.
pub(super) fn bar(value: f64, most: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if most <= 0.0 || value <= 0.0 {
        return String::new();
    }
    let eighths = ((value / most).min(1.0) * width as f64 * 8.0).round().max(1.0) as usize;
    let last = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{last}", "█".repeat(eighths / 8))
}

/// How many of the sorted `amounts` fall into each of `bins` ranges of equal width: (from, to, count).
pub(super) fn histogram(amounts: &[u64], bins: u64) -> Vec<(u64, u64, usize)> {
    let (Some(&least), Some(&most)) = (amounts.iter().min(), amounts.iter().max()) else {
        return Vec::new();
    };
    let width = ((most - least) / bins.max(1) + 1).max(1);
    let mut ranges = Vec::new();
    let mut from = least;
    while from <= most {
        let to = from.saturating_add(width - 1).min(most);
        let count = amounts.iter().filter(|amount| (from..=to).contains(*amount)).count();
        ranges.push((from, to, count));
        match to.checked_add(1) {
            Some(next) => from = next,
            None => break,
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_amount_falls_into_one_range() {
        for amounts in [vec![1], vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10], vec![5, 5, 5], vec![u64::MAX, 0]] {
            let ranges = histogram(&amounts, 8);
            assert!(ranges.len() <= 8, "{ranges:?}");
            assert_eq!(ranges.iter().map(|(_, _, count)| count).sum::<usize>(), amounts.len());
        }
        assert!(histogram(&[], 8).is_empty());
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(1.0, 1.0, 4), "████");
        assert_eq!(bar(1.0, 2.0, 3), "█▌");
        assert_eq!(bar(0.0, 2.0, 3), "");
        assert_eq!(bar(0.001, 2.0, 3), "▏");
    }
}

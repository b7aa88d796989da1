//! `Currency`: the formatting of amounts for people.

use super::Policy;

/// Currencies that are written with a sign, by it: those of the embedded plugin and the page, too.
const SIGNS: [(&str, &[&str]); 7] = [
    ("¥", &["CNY", "JPY"]),
    ("$", &["USD", "HKD", "TWD", "SGD", "AUD", "CAD"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("₩", &["KRW"]),
    ("₹", &["INR"]),
    ("฿", &["THB"]),
];

/// A tenant's currency. Programs are given minor units, and people what this makes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    /// ISO 4217 code.
    pub code: String,
    /// Digits after the decimal point.
    pub digits: u8,
}

impl Currency {
    /// So many minor units: `¥1,000.00`, or `88.888 KWD` where the currency has no sign.
    #[must_use]
    pub fn show(&self, minor: impl Into<i128>) -> String {
        let minor = minor.into();
        let minus = if minor < 0 { "-" } else { "" };
        let amount = self.digits_of(minor.unsigned_abs());
        let sign = SIGNS.iter().find(|(_, codes)| codes.contains(&&*self.code));
        match sign {
            Some((sign, _)) => format!("{minus}{sign}{amount}"),
            None => format!("{minus}{amount} {}", self.code),
        }
    }

    /// A mean of amounts in minor units, with two digits more. Statistics, and no money.
    #[must_use]
    pub fn show_mean(&self, minor: f64) -> String {
        let finer = Self { digits: self.digits + 2, code: self.code.clone() };
        finer.show((minor * 100.0).round() as i128)
    }

    fn digits_of(&self, minor: u128) -> String {
        let digits = usize::from(self.digits);
        // A digit stands before the point, whatever the amount.
        let all = format!("{minor:0>width$}", width = digits + 1);
        let (whole, fraction) = all.split_at_checked(all.len() - digits).unwrap_or((&all, ""));
        let mut text = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        if fraction.is_empty() { text } else { format!("{text}.{fraction}") }
    }
}

impl From<&Policy> for Currency {
    fn from(policy: &Policy) -> Self {
        Self { code: policy.currency.clone(), digits: policy.currency_digits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, digits: u8) -> Currency {
        Currency { code: code.into(), digits }
    }

    #[test]
    fn sums_and_means_are_shown_too() {
        assert_eq!(of("CNY", 2).show(-100_000), "-¥1,000.00");
        assert_eq!(of("KWD", 3).show(-1), "-0.001 KWD");
        assert_eq!(of("JPY", 0).show(i128::MIN), "-¥170,141,183,460,469,231,731,687,303,715,884,105,728");
        assert_eq!(
            (of("CNY", 2).show_mean(99.874), of("JPY", 0).show_mean(1234.5)),
            ("¥0.9987".into(), "¥1,234.50".into())
        );
    }
}

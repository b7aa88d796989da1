//! Amounts as people write them: exactly, in the tenant's currency, with integers alone.

use super::text::{add, before_one_of, fill, is_one_of, owned, split};
use crate::bindings::hongbao::plugin::policy::Limits;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is there.
    Missing,
    /// Anything but digits with, at most, a point between them.
    Form,
    /// More digits after the point than the currency has.
    Decimals,
    /// The sign or the unit of another currency.
    Foreign,
    Zero,
    /// More than 64 bits hold.
    Large,
}

/// Currencies that are written with a sign, by it.
const SIGNS: [(&str, &[&str]); 7] = [
    ("¥", &["CNY", "JPY"]),
    ("$", &["USD", "HKD", "TWD", "SGD", "AUD", "CAD"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("₩", &["KRW"]),
    ("₹", &["INR"]),
    ("฿", &["THB"]),
];

/// What people put behind an amount in yuan, the longest first.
const YUAN: [&str; 3] = ["块钱", "元", "块"];

/// The sign of a currency; empty where it has none.
#[inline(never)]
fn sign(currency: &str) -> &'static str {
    let mut signs = SIGNS.iter();
    signs.find(|(_, currencies)| is_one_of(currency, currencies)).map_or("", |(sign, _)| sign)
}

/// Minor units of what was typed: `88.8` is 8880 where there are two digits after the point.
///
/// # Errors
/// What is not exactly an amount above zero is none at all: nothing is rounded or guessed.
pub fn parse(typed: &str, limits: &Limits) -> Result<u64, Fault> {
    if typed.is_empty() {
        return Err(Fault::Missing);
    }
    let amount = bare(typed, &limits.currency)?;
    let (whole, fraction) = split(amount, |one| one == '.');
    // An amount that has a point has digits on both of its sides.
    let fraction =
        fraction.strip_prefix('.').map_or(Some(""), |digits| (!digits.is_empty()).then_some(digits));
    let fraction = fraction.ok_or(Fault::Form)?;
    let zeros = usize::from(limits.currency_digits).checked_sub(fraction.len());
    let mut digits = fill("%0%1", &[whole, fraction]);
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Form);
    }
    for _ in 0..zeros.ok_or(Fault::Decimals)? {
        add(&mut digits, "0");
    }
    match number(&digits).ok_or(Fault::Large)? {
        0 => Err(Fault::Zero),
        amount => Ok(amount),
    }
}

/// A number written with the digits of ASCII alone; none where it is another text or too large.
#[inline(never)]
pub fn number(digits: &str) -> Option<u64> {
    let mut number = if digits.is_empty() { None } else { Some(0_u64) };
    for one in digits.bytes() {
        let digit = if one.is_ascii_digit() { Some(u64::from(one - b'0')) } else { None };
        number = number?.checked_mul(10)?.checked_add(digit?);
    }
    number
}

/// The number without the sign or the unit of the tenant's currency.
fn bare<'a>(typed: &'a str, currency: &str) -> Result<&'a str, Fault> {
    // The sign of none is empty, and stands before every text.
    let unsigned = typed.strip_prefix(sign(currency)).unwrap_or(typed);
    let number = before_one_of(unsigned, &YUAN);
    let is_foreign = SIGNS.iter().any(|(sign, _)| unsigned.starts_with(sign));
    if is_foreign || (number.len() < unsigned.len() && currency != "CNY") {
        return Err(Fault::Foreign);
    }
    Ok(number)
}

/// An amount in its currency's digits and nothing else: what [`parse`] reads back.
#[must_use]
#[inline(never)]
pub fn plain(amount: u64, digits: u8) -> String {
    let digits = usize::from(digits);
    let mut number = amount.to_string();
    // A digit stands before the point, whatever the amount.
    while number.len() <= digits {
        number = fill("0%0", &[&number]);
    }
    match number.split_at_checked(number.len() - digits) {
        Some((whole, fraction)) if digits > 0 => fill("%0.%1", &[whole, fraction]),
        _ => number,
    }
}

/// An amount as it is shown: `¥88.88`, or `88.888 KWD` where the currency has no sign.
#[must_use]
#[inline(never)]
pub fn shown(amount: u64, limits: &Limits) -> String {
    let (amount, sign) = (plain(amount, limits.currency_digits), sign(&limits.currency));
    let pattern = if sign.is_empty() { "%1 %2" } else { "%0%1" };
    fill(pattern, &[sign, &amount, &limits.currency])
}

/// An amount to show people how one is written: digits, and the same digit after the point.
#[must_use]
#[inline(never)]
pub fn example(whole: &str, digits: u8) -> String {
    let last = whole.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(whole);
    let mut text = owned(whole);
    for place in 0..digits {
        add(&mut text, if place == 0 { "." } else { "" });
        add(&mut text, last);
    }
    text
}

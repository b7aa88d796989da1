//! Amounts as people write them: exactly, in the tenant's currency, with integers alone.
//!
//! The page reads and shows amounts by the same rules (`host/server/src/page/money.js`), and both are
//! tested with one table, `tests/vectors/amounts.json`. What can be read in two ways is refused: above all,
//! a comma is never dropped and never taken for a decimal point.

use super::digits::{digit, has_digit, is_digit};
use super::text::{
    add, add_one, after_one_of, before_one_of, fill, fold, is_one_of, owned, skip_space, split,
};
use crate::bindings::hongbao::plugin::policy::Limits;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is there.
    Missing,
    /// Anything but digits with, at most, a point between them.
    Form,
    /// Digits with commas, spaces or other separators that can be read in two ways: `1,000`.
    Separator,
    /// More digits after the point than the currency has.
    Decimals,
    /// The sign, the code or the word of another currency.
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
pub(super) const YUAN: [&str; 3] = ["块钱", "元", "块"];
const YEN: [&str; 1] = ["円"];
/// How people write CNY, too.
const RMB: &str = "rmb";
/// What people put behind a number of shares.
const COUNTED: [&str; 3] = ["个", "個", "份"];

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
    let folded = fold(typed);
    let text = skip_space(folded.trim_end());
    if text.is_empty() {
        return Err(Fault::Missing);
    }
    let number = bare(text, &limits.currency)?;
    let (mut digits, places) =
        decimal(number).ok_or(if is_separated(number) { Fault::Separator } else { Fault::Form })?;
    let zeros = usize::from(limits.currency_digits).checked_sub(places);
    for _ in 0..zeros.ok_or(Fault::Decimals)? {
        add(&mut digits, "0");
    }
    match value(&digits).ok_or(Fault::Large)? {
        0 => Err(Fault::Zero),
        amount => Ok(amount),
    }
}

/// A number of shares, or of anything else that is counted: `10`, `10个`. None for what is no number. A
/// zero in front is refused: in `1 050`, `050` is the rest of an amount.
#[must_use]
pub fn count(typed: &str) -> Option<u64> {
    let folded = fold(typed);
    let (number, zero) = ascii(before_one_of(skip_space(folded.trim_end()), &COUNTED).trim_end())?;
    let is_plain = zero && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { value(&number) } else { None }
}

/// What a text that begins as an amount begins with: a digit, or a sign of any currency.
pub(super) fn begins(text: &str) -> bool {
    text.starts_with(is_digit) || SIGNS.iter().any(|(sign, _)| text.starts_with(sign))
}

/// What is in front of `5个` in `88元5个`, and the rest: an amount and a count that nothing parts.
pub(super) fn glued(text: &str) -> Option<(&str, &str)> {
    let behind = |at: usize| after_one_of(text.get(at..)?, &YUAN);
    let counted = text.char_indices().find_map(|(at, _)| behind(at))?;
    let amount = text.get(..text.len() - counted.len())?;
    // `5块5` is 5.50, so only a count that says that it is one is taken for it.
    let is_count = before_one_of(counted, &COUNTED).len() < counted.len();
    (is_count && counted.starts_with(is_digit)).then_some((amount, counted))
}

/// The digits of ASCII, with `.` and `,`; whether there are digits. None where there is anything else, or where
/// digits of two scripts are mixed: people would not agree on their order.
#[inline(never)]
fn ascii(number: &str) -> Option<(String, bool)> {
    let mut text = String::new();
    let mut script = None;
    for one in number.chars() {
        let plain = match one {
            '.' | '٫' => '.',
            ',' | '٬' => ',',
            _ => {
                let (zero, value) = digit(one)?;
                if *script.get_or_insert(zero) != zero {
                    return None;
                }
                char::from(b'0' + value)
            }
        };
        add_one(&mut text, plain);
    }
    Some((text, script.is_some()))
}

/// All digits of a number, and how many of them stand behind its point.
///
/// Groups of three are taken where they can be nothing else: where a point follows (`1,000.50`), or where
/// there are two commas. An amount that has a point has digits on both of its sides.
fn decimal(number: &str) -> Option<(String, usize)> {
    let (plain, _) = ascii(number)?;
    let (whole, rest) = split(&plain, |one| one == '.');
    let fraction = rest.strip_prefix('.');
    let (first, mut behind) = split(whole, |one| one == ',');
    let mut digits = owned(first);
    let mut groups = 1;
    while let Some(next) = behind.strip_prefix(',') {
        let (group, after) = split(next, |one| one == ',');
        if group.len() != 3 {
            return None;
        }
        add(&mut digits, group);
        (groups, behind) = (groups + 1, after);
    }
    let is_grouped = groups > 1;
    let is_clear = fraction.is_some() || groups > 2;
    if first.is_empty() || is_grouped && (!is_clear || first.len() > 3 || first.starts_with('0')) {
        return None;
    }
    let fraction = fraction.unwrap_or("0");
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if rest.is_empty() {
        return Some((digits, 0));
    }
    add(&mut digits, fraction);
    Some((digits, fraction.len()))
}

/// Whether a text is digits with separators between them, as somebody's own country writes numbers.
#[inline(never)]
fn is_separated(number: &str) -> bool {
    // Compared one by one: to look for a character in a text brings in the search for texts, with its panics.
    let is_separator = |one: char| ".,٫٬،'’‘`_·、。:".chars().any(|separator| separator == one);
    let has_ends = number.starts_with(is_digit) && number.ends_with(is_digit);
    has_ends && number.chars().all(|one| is_digit(one) || one.is_whitespace() || is_separator(one))
}

/// A number written with the digits of ASCII alone; none where it is another text or too large.
#[inline(never)]
fn value(digits: &str) -> Option<u64> {
    let mut number = if digits.is_empty() { None } else { Some(0_u64) };
    for one in digits.bytes() {
        let digit = if one.is_ascii_digit() { Some(u64::from(one - b'0')) } else { None };
        number = number?.checked_mul(10)?.checked_add(digit?);
    }
    number
}

/// The number without the sign, the code or the word of the tenant's currency, one on each side at most.
fn bare<'a>(text: &'a str, currency: &str) -> Result<&'a str, Fault> {
    let (code, sign) = (fold(currency), sign(currency));
    // Of a currency without a sign or another name, the code stands for these, too.
    let sign = if sign.is_empty() { &*code } else { sign };
    let other = if currency == "CNY" { RMB } else { &*code };
    let marks = [sign, &code, other];
    // A code with a digit in it cannot be told from the number.
    let marks: &[&str] = if has_digit(&code) { &[] } else { &marks };
    let words: &[&str] = match currency {
        "CNY" => &YUAN,
        "JPY" => &YEN,
        _ => &[],
    };
    let text = after_one_of(text, marks).unwrap_or(text);
    let text = skip_space(text);
    let unmarked = before_one_of(text, marks);
    let number = if unmarked.len() < text.len() { unmarked } else { before_one_of(text, words) };
    let number = number.trim_end();
    if is_foreign(number, currency) { Err(Fault::Foreign) } else { Ok(number) }
}

/// Whether a number has the sign, the code or the word of another currency at one of its ends.
fn is_foreign(number: &str, currency: &str) -> bool {
    let has = |mark: &str| number.starts_with(mark) || number.ends_with(mark);
    let others = SIGNS.iter().filter(|(_, currencies)| !is_one_of(currency, currencies));
    let by_sign = others.clone().any(|(sign, _)| has(sign));
    let mut codes = SIGNS.iter().flat_map(|(_, currencies)| *currencies);
    let by_code = codes.any(|code| *code != currency && has(&fold(code)));
    let by_word = [(&YUAN[..], "CNY"), (&[RMB], "CNY"), (&YEN, "JPY")]
        .iter()
        .any(|(words, of)| *of != currency && words.iter().any(|word| number.ends_with(word)));
    by_sign || by_code || by_word
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

/// An amount as it is shown: `¥1,000.00`, or `88.888 KWD` where the currency has no sign.
#[must_use]
#[inline(never)]
pub fn shown(amount: u64, limits: &Limits) -> String {
    let (amount, sign) = (grouped(&plain(amount, limits.currency_digits)), sign(&limits.currency));
    let pattern = if sign.is_empty() { "%1 %2" } else { "%0%1" };
    fill(pattern, &[sign, &amount, &limits.currency])
}

/// A comma before each three digits in front of the point.
#[inline(never)]
fn grouped(number: &str) -> String {
    let (whole, fraction) = split(number, |one| one == '.');
    let mut text = String::new();
    for (place, one) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            add(&mut text, ",");
        }
        add_one(&mut text, one);
    }
    add(&mut text, fraction);
    text
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

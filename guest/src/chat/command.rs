//! Parsing of commands.
//!
//! Words are parted by any white space. Full-width letters, digits and signs are those of ASCII,
//! and Chinese words need no space behind them. What is quoted from the text (a greeting, a
//! mention) is left as it was typed.

use super::digits::has_digit;
use super::money::{self, Fault};
use super::text::{after_one_of, fill, fold, is_one_of, quote, skip_space, split, word};
use super::words::{self, Voice};
use crate::allocation::Strategy;
use crate::bindings::exports::hongbao::plugin::chat::{Mention, Problem};

/// What somebody wants.
pub(super) enum Command<'a> {
    Help,
    Best,
    Send(Wish<'a>),
}

/// A packet as it was typed.
pub(super) struct Wish<'a> {
    pub strategy: Option<Strategy>,
    pub total: u64,
    pub shares: u32,
    /// Places among the mentions. Empty for everybody.
    pub to: Vec<u32>,
    /// Empty where none was typed.
    pub greeting: &'a str,
}

const COMMANDS: [&str; 3] = ["/hongbao", "/红包", "/紅包"];
const HELP: [&str; 5] = ["", "help", "?", "帮助", "幫助"];
const BEST: [&str; 6] = ["best", "手气最佳", "手气", "最佳", "手氣最佳", "手氣"];
const EACH: [&str; 3] = ["每人", "每个", "每個"];
const TO: [&str; 4] = ["发给", "發給", "给", "給"];

/// What follows the command's own word; none where the command is another.
pub(super) fn ours(text: &str) -> Option<&str> {
    let (first, rest) = word(text.trim_end());
    if is_one_of(&fold(first), &COMMANDS) {
        return Some(rest);
    }
    // People write no space where they see one already: `/红包88元 5个`, `/红包最佳`.
    let rest = after_one_of(text, &COMMANDS)?.trim_end();
    let next = fold(word(rest).0);
    // A letter of ASCII goes on with the word: `/hongbaobest` is another command.
    let is_word = !next.starts_with(|one: char| one.is_ascii_alphabetic());
    let is_whole = is_one_of(&next, &HELP) || is_one_of(&next, &BEST);
    let begins = money::begins(&next) || after_one_of(&next, &EACH).or(after_one_of(&next, &TO)).is_some();
    (is_word && (is_whole || begins)).then_some(rest)
}

/// What is wanted, or the problem with it.
pub(super) fn read<'a>(
    text: &'a str,
    mentions: &'a [Mention],
    voice: &Voice,
) -> Result<Command<'a>, Problem> {
    let (first, rest) = word(text);
    let folded = fold(first);
    let wish = if is_one_of(&folded, &HELP) {
        return Ok(Command::Help);
    } else if is_one_of(&folded, &BEST) {
        return Ok(Command::Best);
    } else if let Some(rest) = following("each", &EACH, text) {
        each(rest, voice)
    } else if let Some(rest) = following("to", &TO, text) {
        exclusive(rest, mentions, voice)
    } else if has_digit(&folded) {
        lucky(first, rest, voice)
    } else {
        Err(voice.problem("unknown-form", &words::NO_FORM, &[&quote(first)]))
    };
    wish.map(Command::Send)
}

/// What follows the English word, or one of the Chinese ones, which need no space behind them.
#[inline(never)]
fn following<'a>(english: &str, chinese: &[&str], text: &'a str) -> Option<&'a str> {
    let (first, rest) = word(text);
    if fold(first) == english {
        return Some(rest);
    }
    after_one_of(text, chinese).map(skip_space)
}

/// `88.88 10 Happy new year`, or `88元10个 新年快乐`
fn lucky<'a>(first: &'a str, rest: &'a str, voice: &Voice) -> Result<Wish<'a>, Problem> {
    let (total, (count, greeting)) = match money::glued(first) {
        Some((total, count)) => (total, (count, rest)),
        None => (first, word(rest)),
    };
    Ok(Wish {
        strategy: None,
        total: amount(total, voice)?,
        shares: shares(count, voice)?,
        to: Vec::new(),
        greeting,
    })
}

/// `5 x 10 Happy new year`, with or without spaces around the sign, and without the sign.
fn each<'a>(text: &'a str, voice: &Voice) -> Result<Wish<'a>, Problem> {
    let (first, after) = word(text);
    let (each, count, greeting) = match money::glued(first) {
        Some((each, count)) => (each, count, after),
        None => {
            let each = split(first, is_times).0;
            let rest = skip_space(text.get(each.len()..).unwrap_or_default());
            let (count, greeting) = word(skip_space(rest.strip_prefix(is_times).unwrap_or(rest)));
            (each, count, greeting)
        }
    };
    let (share, shares) = (amount(each, voice)?, shares(count, voice)?);
    let Some(total) = share.checked_mul(shares.into()) else {
        return Err(no_amount(Fault::Large, &fill("%0 x %1", &[each, count]), voice));
    };
    Ok(Wish { strategy: Some(Strategy::Equal), total, shares, to: Vec::new(), greeting })
}

/// `@bob @carol 20 Happy new year`
fn exclusive<'a>(text: &'a str, mentions: &'a [Mention], voice: &Voice) -> Result<Wish<'a>, Problem> {
    let mut rest = text;
    let mut unread = (0..).zip(mentions);
    let mut next = unread.next();
    let mut to = Vec::new();
    while let Some((place, mention, after)) = mention(rest, &mut unread, &mut next, mentions) {
        let is_named = |other: &u32| mentions.get(*other as usize).is_some_and(|it| it.user == mention.user);
        if to.iter().any(is_named) {
            return Err(voice.problem(
                "repeated-mention",
                &words::REPEATED_MENTION,
                &[&quote(&mention.text)],
            ));
        }
        to.push(place);
        rest = after;
    }
    let (next, greeting) = word(rest);
    if to.is_empty() && next.is_empty() {
        return Err(voice.problem("unknown-mention", &words::NO_MENTION, &[]));
    }
    if to.is_empty() || next.starts_with(['@', '＠']) {
        return Err(voice.problem("unknown-mention", &words::BAD_MENTION, &[&quote(next)]));
    }
    let total = amount(next, voice)?;
    let shares = u32::try_from(to.len()).unwrap_or(u32::MAX);
    Ok(Wish { strategy: None, total, shares, to, greeting })
}

/// The mention that the text begins with, and what follows it.
///
/// Mentions stand in the order of the text, so two people of one name are told apart by their
/// turn. A platform may name somebody once who stands there twice; then it is nobody's turn, and
/// of those who fit the longest is meant, `@Bob Smith` rather than `@Bob`.
fn mention<'a, 'm>(
    text: &'a str,
    unread: &mut impl Iterator<Item = (u32, &'m Mention)>,
    next: &mut Option<(u32, &'m Mention)>,
    all: &'m [Mention],
) -> Option<(u32, &'m Mention, &'a str)> {
    let fits = |(place, mention): (u32, &'m Mention)| Some((place, mention, after(mention, text)?));
    if let Some(found) = next.and_then(fits) {
        *next = unread.next();
        return Some(found);
    }
    (0..).zip(all).filter_map(fits).min_by_key(|(.., rest)| rest.len())
}

/// What follows the mention in a text that begins with it. `@bob` is not the beginning of `@bobby`.
fn after<'a>(mention: &Mention, text: &'a str) -> Option<&'a str> {
    let name = mention.text.trim_end();
    let rest = text.strip_prefix(name)?;
    let next = split(rest, |one| !(one.is_whitespace() || matches!(one, ',' | '，' | '、'))).1;
    let is_whole = rest.is_empty() || next.len() < rest.len();
    (is_whole && !name.is_empty()).then_some(next)
}

#[inline(never)]
fn amount(typed: &str, voice: &Voice) -> Result<u64, Problem> {
    money::parse(&fold(typed), voice.limits).map_err(|fault| no_amount(fault, typed, voice))
}

#[inline(never)]
fn no_amount(fault: Fault, typed: &str, voice: &Voice) -> Problem {
    let phrase = match fault {
        Fault::Missing => &words::NO_AMOUNT,
        Fault::Form => &words::BAD_AMOUNT,
        Fault::Separator => &words::BAD_SEPARATOR,
        Fault::Decimals => &words::BAD_DECIMALS,
        Fault::Foreign => &words::BAD_CURRENCY,
        Fault::Zero => &words::ZERO_AMOUNT,
        Fault::Large => &words::LARGE_AMOUNT,
    };
    let digits = voice.limits.currency_digits;
    let (example, places) = (money::example("88", digits), words::number(digits.into()));
    let parts = [&*quote(typed), &*example, &*voice.limits.currency, &*places];
    voice.problem("invalid-amount", phrase, &parts)
}

#[inline(never)]
fn shares(typed: &str, voice: &Voice) -> Result<u32, Problem> {
    let most = voice.limits.max_shares;
    let shares = money::count(typed).and_then(|number| u32::try_from(number).ok());
    shares.filter(|shares| (1..=most).contains(shares)).ok_or_else(|| {
        let phrase = if typed.is_empty() { &words::NO_SHARES } else { &words::BAD_SHARES };
        voice.problem("invalid-shares", phrase, &[&quote(typed), &words::number(most.into())])
    })
}

fn is_times(one: char) -> bool {
    matches!(one, 'x' | 'X' | 'ｘ' | 'Ｘ' | '×' | '*' | '＊')
}

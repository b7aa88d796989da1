//! Texts: words taken out of messages, parts put into sentences.
//!
//! Out of line throughout: copied into each of their many uses, these few lines would make up a
//! third of the component.

#[inline(never)]
pub(super) fn owned(text: &str) -> String {
    text.into()
}

#[inline(never)]
pub(super) fn add(text: &mut String, more: &str) {
    text.push_str(more);
}

#[inline(never)]
fn add_one(text: &mut String, one: char) {
    text.push(one);
}

/// A sentence with its parts: `%0` to `%9`, which are taken as they are, whatever is in them.
#[inline(never)]
pub(super) fn fill(pattern: &str, parts: &[&str]) -> String {
    let mut text = String::new();
    for (index, piece) in pattern.split('%').enumerate() {
        let place = if index > 0 { piece.bytes().next() } else { None };
        let part = place.and_then(|digit| parts.get(usize::from(digit.wrapping_sub(b'0'))));
        add(&mut text, part.copied().unwrap_or_default());
        add(&mut text, piece.get(usize::from(place.is_some())..).unwrap_or_default());
    }
    text
}

/// What was typed, for naming it within a sentence: short, and on one line.
///
/// Marks of direction are left out: one that is never closed would turn the sentence around.
#[inline(never)]
pub(super) fn quote(typed: &str) -> String {
    const LONGEST: usize = 32;
    let turns =
        |one| matches!(one, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut quoted = String::new();
    for (count, one) in typed.chars().filter(|one| !one.is_control() && !turns(*one)).enumerate() {
        if count == LONGEST {
            add(&mut quoted, "…");
            break;
        }
        add_one(&mut quoted, one);
    }
    quoted
}

/// Full-width characters as those of ASCII, capital letters as small ones.
#[inline(never)]
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::new();
    for typed in word.chars() {
        let narrow = match typed {
            '！'..='～' => char::from_u32(u32::from(typed) - 0xfee0).unwrap_or(typed),
            '￥' => '¥',
            '￡' => '£',
            '￦' => '₩',
            _ => typed,
        };
        add_one(&mut folded, narrow.to_ascii_lowercase());
    }
    folded
}

#[inline(never)]
pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.contains(&word)
}

/// What follows the first of the beginnings that the text has.
#[inline(never)]
pub(super) fn after_one_of<'a>(text: &'a str, beginnings: &[&str]) -> Option<&'a str> {
    beginnings.iter().find_map(|beginning| text.strip_prefix(beginning))
}

/// What stands before the first of the ends that the text has; the whole text where it has none.
#[inline(never)]
pub(super) fn before_one_of<'a>(text: &'a str, ends: &[&str]) -> &'a str {
    ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text)
}

/// The first word of a text that begins with one, and the words that follow it.
#[inline(never)]
pub(super) fn word(text: &str) -> (&str, &str) {
    let (word, rest) = split(text, char::is_whitespace);
    (word, skip_space(rest))
}

#[inline(never)]
pub(super) fn skip_space(text: &str) -> &str {
    split(text, |one| !one.is_whitespace()).1
}

/// Before and from the first character that is wanted.
#[inline(never)]
pub(super) fn split(text: &str, wanted: fn(char) -> bool) -> (&str, &str) {
    text.find(wanted).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

//! Texts: words taken out of messages, parts put into sentences.
//!
//! Out of line throughout: copied into each of their many uses, these few lines would make up a
//! third of the component.

use super::digits::is_digit;

#[inline(never)]
pub(super) fn owned(text: &str) -> String {
    text.into()
}

#[inline(never)]
pub(super) fn add(text: &mut String, more: &str) {
    text.push_str(more);
}

#[inline(never)]
pub(super) fn add_one(text: &mut String, one: char) {
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
#[inline(never)]
pub(crate) fn quote(typed: &str) -> String {
    const LONGEST: usize = 32;
    let mut quoted = String::new();
    let is_from_right = typed.chars().any(is_from_right);
    if is_from_right {
        add(&mut quoted, ISOLATED);
    }
    let shown = typed.chars().filter(|one| !one.is_control() && !turns(*one));
    for (count, one) in shown.enumerate() {
        if count == LONGEST {
            add(&mut quoted, "…");
            break;
        }
        add_one(&mut quoted, one);
    }
    if is_from_right {
        add(&mut quoted, END_OF_ISOLATE);
    }
    quoted
}

/// What stands between these two is set by its own direction, and leaves that of the sentence alone.
const ISOLATED: &str = "\u{2068}";
const END_OF_ISOLATE: &str = "\u{2069}";

/// Whether a letter is written from right to left.
fn is_from_right(one: char) -> bool {
    matches!(one, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

/// What somebody wrote, on a line of its own: without the marks that turn what a platform puts behind it.
#[inline(never)]
pub(super) fn unturned(written: &str) -> String {
    let mut text = String::new();
    for one in written.chars().filter(|one| !turns(*one)) {
        add_one(&mut text, one);
    }
    text
}

/// Whether a character turns the direction of the text behind it: one that is never closed would turn the
/// whole sentence around.
pub(super) fn turns(one: char) -> bool {
    matches!(one, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether nobody sees a character, and nothing is read differently without it. Such marks come with what is
/// pasted. U+202E is none of them: it shows the text behind it in reverse.
fn is_unseen(one: char) -> bool {
    matches!(
        one,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202d}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// Full-width characters as those of ASCII, capital letters as small ones, and nothing that is unseen.
#[inline(never)]
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::new();
    for typed in word.chars().filter(|one| !is_unseen(*one)) {
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
///
/// Spaces that keep together what they stand between part no digits: they group those of one number, as in
/// French `1\u{202f}050,00`. Taken for two words, it would be an amount of 1 in 50 shares.
#[inline(never)]
pub(super) fn word(text: &str) -> (&str, &str) {
    let mut before = None;
    for (at, one) in text.char_indices() {
        let (word, rest) = text.split_at_checked(at).unwrap_or((text, ""));
        if one.is_whitespace() {
            let after = rest.chars().nth(1);
            let groups = matches!(one, '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}');
            if !(groups && [before, after].iter().flatten().filter(|one| is_digit(**one)).count() == 2) {
                return (word, skip_space(rest));
            }
        }
        before = Some(one);
    }
    (text, "")
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

//! Cards rendered as text for a terminal.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::terminal;
use hongbao_domain::{Card, Field, Theme, UserId};

/// Columns within a card's frame.
const WIDTH: usize = 58;
/// Where a label is longer, each stands on a line of its own.
const LABEL: usize = 20;

/// A card in a frame of its theme's colour, if there are colours.
pub(super) fn card(number: usize, only: Option<&UserId>, card: &Card, in_colour: bool) -> String {
    let heading = match only {
        Some(user) => format!("{number} · for {user} alone"),
        None => number.to_string(),
    };
    let heading = format!(" {} ", wrap(&heading, WIDTH - 2).swap_remove(0));
    let (title, rest) = (wrap(&card.title, WIDTH), lines(card));
    let widest = title.iter().chain(&rest).map(|line| line.width()).max().unwrap_or(0);
    let width = widest.max(heading.width()).max(24);
    let paint = |code: &str, text: &str| match in_colour {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let colour = |text: &str| paint(colour_of(card.theme), text);
    let mut text = String::new();
    let _ =
        writeln!(text, "  {}", colour(&format!("╭─{heading}{}╮", "─".repeat(width + 1 - heading.width()))));
    let bold = title.iter().map(|line| (line, true));
    for (line, is_bold) in bold.chain(rest.iter().map(|line| (line, false))) {
        // Chinese characters take two columns, which the formatter's own padding does not know.
        let pad = " ".repeat(width.saturating_sub(line.width()));
        let line = if is_bold { paint("1", line) } else { line.clone() };
        let _ = writeln!(text, "  {side} {line}{pad} {side}", side = colour("│"));
    }
    let _ = writeln!(text, "  {}", colour(&format!("╰{}╯", "─".repeat(width + 2))));
    text
}

/// Everything below the title: body, fields and buttons, each after an empty line but the first.
fn lines(card: &Card) -> Vec<String> {
    let mut lines = Vec::new();
    if !card.body.is_empty() {
        lines.extend(wrap(&card.body, WIDTH));
    }
    if !card.fields.is_empty() {
        lines.push(String::new());
        let widest = card.fields.iter().map(|field| label(field).width()).max().unwrap_or(0);
        let beside = |it| field_beside(it, widest);
        lines.extend(
            card.fields.iter().flat_map(|it| if widest > LABEL { field_below(it) } else { beside(it) }),
        );
    }
    if !card.buttons.is_empty() {
        lines.push(String::new());
        for button in &card.buttons {
            lines.extend(wrap(&format!("[{}]  press {}", button.label, button.action), WIDTH));
        }
    }
    lines
}

/// A user's name stands in place of the label.
fn label(field: &Field) -> String {
    terminal::line(field.user.as_ref().map_or(&field.label, UserId::as_str))
}

/// The value behind its label.
fn field_beside(field: &Field, column: usize) -> Vec<String> {
    let pad = |text: &str| format!("{text}{}  ", " ".repeat(column.saturating_sub(text.width())));
    let labels = [pad(&label(field))].into_iter().chain(std::iter::repeat(pad("")));
    let lines = wrap(&field.value, WIDTH - column - 2).into_iter();
    labels.zip(lines).map(|(label, line)| format!("{label}{line}").trim_end().to_owned()).collect()
}

/// The value below its label.
fn field_below(field: &Field) -> Vec<String> {
    let value = wrap(&field.value, WIDTH - 2).into_iter().map(|line| format!("  {line}"));
    wrap(&label(field), WIDTH).into_iter().chain(value).collect()
}

/// Lines of at most so many columns, broken between words where there are any.
pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n').map(terminal::line) {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && line.width() + word.trim_end().width() > most {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            for one in word.chars() {
                line.push(one);
                if line.trim_end().width() > most {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, one.to_string()));
                }
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

const fn colour_of(theme: Theme) -> &'static str {
    match theme {
        Theme::Sealed => "31",
        Theme::Opened => "33",
        Theme::Finished => "32",
        Theme::Expired => "90",
        Theme::Plain => "36",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(title: &str, body: &str) -> Card {
        Card {
            packet: None,
            private: true,
            theme: Theme::Plain,
            title: title.into(),
            body: body.into(),
            fields: Vec::new(),
            buttons: Vec::new(),
        }
    }

    #[test]
    fn lines_break_between_words_and_where_there_are_none() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a\n\nb", 7), ["a", "", "b"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("恭喜发财大吉", 5), ["恭喜", "发财", "大吉"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn every_line_of_a_frame_is_as_wide() {
        let user = UserId::new("卡罗").unwrap();
        for body in ["", "恭喜发财 🧧", &"word ".repeat(100), &"字".repeat(400)] {
            let card = Card {
                fields: vec![Field { user: None, label: "标签".into(), value: body.into() }],
                ..plain("红包 🧧", body)
            };
            let text = super::card(7, Some(&user), &card, false);
            let widths: Vec<usize> = text.lines().map(|line| line.width()).collect();
            assert!(widths.iter().all(|width| *width == widths[0] && *width <= WIDTH + 6), "{text}");
        }
        let long = UserId::new("x".repeat(256)).unwrap();
        let text = super::card(7, Some(&long), &plain("", ""), false);
        assert!(text.lines().all(|line| line.width() <= WIDTH + 6), "{text}");
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let card = Card { theme: Theme::Sealed, ..plain("红包", "好") };
        let (grey, red) = (super::card(1, None, &card, false), super::card(1, None, &card, true));
        assert!(red.contains("\u{1b}[31m│\u{1b}[0m \u{1b}[1m红包\u{1b}[0m"), "{red:?}");
        let without = red.replace("\u{1b}[31m", "").replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(without, grey);
    }
}

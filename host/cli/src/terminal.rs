//! Sanitising of untrusted text for a terminal.
//!
//! Terminals differ in how they treat marks of direction, and obey control characters. So neither reaches one:
//! isolates, which a chat understands, would do as much harm as what they are to keep in.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use hongbao_domain::{is_unseen, one_line};

/// Columns of a name in a table. What is longer is there in full with `--json`.
const NAME: usize = 40;
/// Marks on one letter. Real languages need up to three; more are heaped up to reach into other lines.
const MOST_MARKS: usize = 4;

/// On one line, without anything that moves the cursor or turns the text around.
pub(super) fn line(text: &str) -> String {
    let mut marks = 0;
    let is_shown = |one: &char| {
        marks = if one.width() == Some(0) { marks + 1 } else { 0 };
        marks <= MOST_MARKS
    };
    one_line(text).chars().filter(|one| !is_unseen(*one)).filter(is_shown).collect()
}

/// As [`line`], and not so long that it breaks a table.
pub(super) fn name(text: &str) -> String {
    let line = line(text);
    if line.width() <= NAME {
        return line;
    }
    let mut short = String::new();
    for one in line.chars() {
        short.push(one);
        if short.width() >= NAME {
            short.pop();
            break;
        }
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text() {
        assert_eq!(line("\u{1b}[2Jbob\r\n\u{9b}1A\u{202e}lice\u{2066}\u{feff}\u{7}"), " [2Jbob   1Alice ");
        assert_eq!(line("卡罗 👨\u{200d}👩\u{200d}👧 ☎\u{fe0f}"), "卡罗 👨\u{200d}👩\u{200d}👧 ☎\u{fe0f}");
        let heaped = format!("z{}a", "\u{301}".repeat(200));
        assert_eq!(line(&heaped).chars().count(), 2 + MOST_MARKS);
        assert_eq!(line("e\u{301}\u{323}"), "e\u{301}\u{323}");
    }

    #[test]
    fn a_long_name_is_cut_by_columns() {
        assert_eq!(name(&"x".repeat(NAME)), "x".repeat(NAME));
        for long in [
            "x".repeat(256),
            "字".repeat(85),
            "👍".repeat(60),
            format!("e{}", "\u{301}".repeat(100)).repeat(50),
        ] {
            let cut = name(&long);
            assert!(
                cut.width() <= NAME && cut.width() >= NAME - 1 && cut.ends_with('…'),
                "{cut} {}",
                cut.width()
            );
        }
    }
}

//! Sanitising of untrusted text for output.

/// Whether a character turns the direction of the text behind it.
#[must_use]
pub const fn turns(one: char) -> bool {
    matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether nobody sees a character, so that a text looks the same without it. Joiners are none of these: without
/// them, a family falls into four people.
#[must_use]
pub const fn is_unseen(one: char) -> bool {
    matches!(one, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
        || turns(one)
}

/// A text as one line that turns nothing around it: control characters and line ends are spaces, marks of
/// direction are gone.
#[must_use]
pub fn one_line(text: &str) -> String {
    let is_gap = |one: char| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}');
    text.chars().filter(|one| !turns(*one)).map(|one| if is_gap(one) { ' ' } else { one }).collect()
}

/// A number with its noun, and whatever else goes with the number: `1 packet`, `2 packets`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text of several lines, each of which closes the marks of direction that it opens: what stands behind it
/// is read as it was meant. A mark that closes what was not opened is gone.
#[must_use]
pub fn closed(text: &str) -> String {
    if !text.contains(turns) {
        return text.to_owned();
    }
    text.split('\n').map(closed_line).collect::<Vec<_>>().join("\n")
}

const POP_EMBEDDING: char = '\u{202c}';
const POP_ISOLATE: char = '\u{2069}';

fn closed_line(line: &str) -> String {
    // What closes each of those that are open, the innermost last.
    let mut open: Vec<char> = Vec::new();
    let mut text = String::with_capacity(line.len());
    for one in line.chars() {
        match one {
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => open.push(POP_EMBEDDING),
            '\u{2066}'..='\u{2068}' => open.push(POP_ISOLATE),
            // Closes what is innermost, or nothing: an isolate is not closed from within an embedding's end.
            POP_EMBEDDING => {
                if open.last() != Some(&POP_EMBEDDING) {
                    continue;
                }
                open.pop();
            }
            // The end of an isolate ends the embeddings within it.
            POP_ISOLATE => {
                let Some(at) = open.iter().rposition(|close| *close == POP_ISOLATE) else {
                    continue;
                };
                text.extend(open.drain(at + 1..).rev());
                open.pop();
            }
            _ => {}
        }
        text.push(one);
    }
    text.extend(open.into_iter().rev());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let packets = |count| counted(count, "packet", "packets");
        assert_eq!([packets(0), packets(1), packets(2)], ["0 packets", "1 packet", "2 packets"]);
    }

    #[test]
    fn one_line_has_neither_ends_nor_turns() {
        assert_eq!(one_line("a\u{202e}b\nc\u{1b}[31m\u{9b}d\u{2028}e\u{2066}f"), "ab c [31m d ef");
        assert_eq!(one_line("👨\u{200d}👩\u{200d}👧 红包 é"), "👨\u{200d}👩\u{200d}👧 红包 é");
    }

    #[test]
    fn every_line_closes_what_it_opens() {
        let cases = [
            ("plain", "plain"),
            ("\u{202e}abc", "\u{202e}abc\u{202c}"),
            ("a\u{202e}b\nc", "a\u{202e}b\u{202c}\nc"),
            ("\u{2068}a\u{2069}", "\u{2068}a\u{2069}"),
            ("\u{2068}\u{202e}a\u{2069} b", "\u{2068}\u{202e}a\u{202c}\u{2069} b"),
            ("\u{2067}a\u{202b}b", "\u{2067}a\u{202b}b\u{202c}\u{2069}"),
            // Nothing is open, or something else is.
            ("a\u{2069}b\u{202c}c", "abc"),
            ("\u{2066}a\u{202c}b\u{2069}", "\u{2066}ab\u{2069}"),
            // Marks that open nothing stay.
            ("\u{200f}a\u{200e}", "\u{200f}a\u{200e}"),
        ];
        for (text, expected) in cases {
            assert_eq!(closed(text), expected, "{text:?}");
            assert_eq!(closed(expected), expected, "{text:?} again");
        }
    }
}

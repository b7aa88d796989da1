//! Rust's text as words and marks, without comments and literals: as much of a lexer as the rules
//! need. Numbers count as words. Macros are not expanded.

/// A word, `::` or another mark, and the line it stands on, from 1.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

impl Token<'_> {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

/// A path such as `std::fmt`, wherever it stands; a single word is one too. `use` groups are taken
/// apart: `use a::{b, c::*};` is `a::b` and `a::c::*`.
pub struct Named {
    pub segments: Vec<String>,
    pub line: usize,
}

pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut rest, mut line, mut found) = (text, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let literal = comment(rest).or_else(|| string(rest)).or_else(|| quote(rest));
        let length = literal.unwrap_or_else(|| {
            let length = token_length(rest, first);
            if !first.is_whitespace() {
                found.push(Token { text: &rest[..length], line });
            }
            length
        });
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn is_word(one: char) -> bool {
    one == '_' || one.is_alphanumeric()
}

fn token_length(rest: &str, first: char) -> usize {
    if is_word(first) {
        rest.find(|one| !is_word(one)).unwrap_or(rest.len())
    } else if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let step = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth += 1, 2).1,
            [b'*', b'/', ..] => (depth -= 1, 2).1,
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// Strings of every kind: `"…"`, `b"…"`, `c"…"`, `r#"…"#` and their mixtures.
fn string(rest: &str) -> Option<usize> {
    let raw = ["r", "br", "cr"].into_iter().find_map(|prefix| {
        let after = rest.strip_prefix(prefix)?;
        let fences = after.len() - after.trim_start_matches('#').len();
        let body = after[fences..].strip_prefix('"')?;
        Some((body, format!("\"{}", "#".repeat(fences))))
    });
    if let Some((body, end)) = raw {
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(rest.len() - body.len() + length);
    }
    let body = ["\"", "b\"", "c\""].into_iter().find_map(|start| rest.strip_prefix(start))?;
    let mut escaped = false;
    let length = body.find(|one| {
        let ends = one == '"' && !escaped;
        escaped = one == '\\' && !escaped;
        ends
    });
    Some(rest.len() - body.len() + length.map_or(body.len(), |at| at + 1))
}

/// A character, or a lifetime.
fn quote(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let mut ahead = body.chars();
    let first = ahead.next()?;
    if first == '\\' {
        let escaped = 1 + ahead.next()?.len_utf8();
        return Some(1 + escaped + body[escaped..].find('\'')? + 1);
    }
    if ahead.next() == Some('\'') {
        return Some(1 + first.len_utf8() + 1);
    }
    Some(1 + body.find(|one| !is_word(one)).unwrap_or(body.len()))
}

/// Every path that the tokens name.
pub fn paths(tokens: &[Token]) -> Vec<Named> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(token) = tokens.get(at) {
        at = if token.is_word() { follow(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Reads the path that starts at `at`, after `before`; gives the place behind it.
fn follow(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let line = tokens[at].line;
    let mut segments = before.to_vec();
    loop {
        segments.push(tokens[at].text.into());
        let next = tokens.get(at + 2).filter(|_| is(tokens, at + 1, "::"));
        match next {
            Some(token) if token.is_word() || token.text == "*" => at += 2,
            Some(token) if token.text == "{" => return group(tokens, at + 3, &segments, found),
            _ => break,
        }
    }
    // `a::{self}` is `a`.
    if segments.len() > 1 && segments.ends_with(&["self".into()]) {
        segments.pop();
    }
    found.push(Named { segments, line });
    at + 1
}

/// Reads what stands between the braces of a `use`; gives the place behind it.
fn group(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text {
            "}" => return at + 1,
            "as" => at += 2,
            text if token.is_word() || text == "*" => at = follow(tokens, at, before, found),
            _ => at += 1,
        }
    }
    at
}

pub fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(
            words(r##"a "b \" c" d r#"e " f"# g b"h" 'i' '\'' '\u{6a}' '"' k"##),
            ["a", "d", "g", "k"]
        );
        assert_eq!(words("fn a<'b>(c: &'b str)"), ["fn", "a", "<", ">", "(", "c", ":", "&", "str", ")"]);
        assert_eq!(words("r#type \"open"), ["r", "#", "type"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let lines: Vec<_> = tokens("a\n/*\n\n*/ b \"\n\" c").into_iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 4, 5]);
    }

    #[test]
    fn groups_are_taken_apart() {
        let text = "use a::{self, b::{c, d as e}, f::*}; g::<h>::i(j) crate::k";
        let found: Vec<_> = paths(&tokens(text)).into_iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(found, ["use", "a", "a::b::c", "a::b::d", "a::f::*", "g", "h", "i", "j", "crate::k"]);
    }
}

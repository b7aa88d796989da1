//! How long files and functions may be.
//!
//! Simplifications. A body is what stands between the first `{` after a function's name, outside of
//! `()` and `[]`, and its partner; a const block in a return type would be taken for the body.
//! Functions that a macro makes up are not seen. One inside of another counts for both.

use crate::tokens::{Token, is, tokens};
use crate::tree::{assert_none, files};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

fn breaches(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        found.push(format!("{path}: {lines} lines, of {FILE_LINES} at most; split it by what it does"));
    }
    let tokens = tokens(text);
    for at in 0..tokens.len() {
        let named = is(&tokens, at, "fn") && tokens.get(at + 1).is_some_and(Token::is_word);
        let Some(last) = named.then(|| last_line(&tokens[at..])).flatten() else { continue };
        let (name, first) = (tokens[at + 1].text, tokens[at].line);
        let lines = last - first + 1;
        if lines > FUNCTION_LINES {
            found.push(format!("{path}:{first}: `{name}` has {lines} lines, of {FUNCTION_LINES} at most"));
        }
    }
    found
}

/// The line of the brace that closes the function's body; none where it has no body.
fn last_line(tokens: &[Token]) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for token in tokens {
        match token.text {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            ";" if brackets == 0 && braces == 0 => return None,
            "{" if brackets == 0 || braces > 0 => braces += 1,
            "}" if braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn files_and_functions_fit_the_eye() {
    let sources = files("", &["rs"]);
    assert_none(&sources.iter().flat_map(|source| breaches(&source.path, &source.text)).collect::<Vec<_>>());
}

#[test]
fn a_long_file_is_found() {
    assert!(breaches("a.rs", &"//\n".repeat(FILE_LINES)).is_empty());
    assert_eq!(breaches("a.rs", &"//\n".repeat(FILE_LINES + 1)).len(), 1);
}

#[test]
fn a_long_function_is_found() {
    let function =
        |lines: usize| format!("fn a(b: [u8; 2]) -> char\n{{{}    '}}' // }}\n}}", "\n".repeat(lines - 3));
    assert!(breaches("a.rs", &function(FUNCTION_LINES)).is_empty());
    let found = breaches("a.rs", &function(FUNCTION_LINES + 1));
    assert_eq!(found, ["a.rs:1: `a` has 71 lines, of 70 at most"]);
    let other = format!("trait A {{ fn b(); }}\n{}fn c() {{}}\ntype D = fn(u8);\n{{}}", "\n".repeat(100));
    assert!(breaches("a.rs", &other).is_empty());
}

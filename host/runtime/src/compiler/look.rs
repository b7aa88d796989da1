//! Inspection of a component before it is compiled: amount and shape of its code.
//!
//! It walks over the sections and judges sizes alone, which takes some milliseconds. What breaks the
//! rules of WebAssembly is left to the compiler, which has the words for it.

use wasmparser::{FunctionBody, Parser, Payload};

use super::CompileLimits;
use crate::plugin::PluginError;

/// Functions of one plugin. The embedded one has some hundreds.
const MOST_FUNCTIONS: u64 = 50_000;
/// Bytes of one function. Compiling takes more than proportionally longer for a long one.
const MOST_FUNCTION_BYTES: u64 = 512 << 10;
/// Locals of one function. A few bytes declare many.
const MOST_LOCALS: u64 = 10_000;

/// What was counted so far.
#[derive(Default)]
struct Counted {
    functions: u64,
    code_bytes: u64,
}

/// Refuses what is too large to be tried.
pub(super) fn look(bytes: &[u8], limits: &CompileLimits) -> Result<(), PluginError> {
    let mut counted = Counted::default();
    // Nested modules and components are walked over as well.
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::CodeSectionEntry(body)) => counted.function(&body, limits)?,
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

impl Counted {
    fn function(&mut self, body: &FunctionBody<'_>, limits: &CompileLimits) -> Result<(), PluginError> {
        let range = body.range();
        let bytes = u64::try_from(range.end.saturating_sub(range.start)).unwrap_or(u64::MAX);
        self.functions += 1;
        self.code_bytes += bytes;
        most("functions", self.functions, MOST_FUNCTIONS)?;
        most("bytes of code", self.code_bytes, limits.code_bytes)?;
        most("bytes in one function", bytes, MOST_FUNCTION_BYTES)?;
        most("locals in one function", locals(body), MOST_LOCALS)
    }
}

/// None where they cannot be read, which the compiler tells.
fn locals(body: &FunctionBody<'_>) -> u64 {
    let Ok(groups) = body.get_locals_reader() else { return 0 };
    groups.into_iter().map_while(Result::ok).map(|(count, _)| u64::from(count)).sum()
}

fn most(of: &'static str, found: u64, most: u64) -> Result<(), PluginError> {
    if found <= most { Ok(()) } else { Err(PluginError::TooMuchCode { of, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plugin;

    fn limits(code_bytes: u64) -> CompileLimits {
        CompileLimits { code_bytes, ..CompileLimits::default() }
    }

    /// A core module whose only function has this body, its length included.
    fn module(locals: &[u8], instructions: usize) -> Vec<u8> {
        let mut body = locals.to_vec();
        body.extend(std::iter::repeat_n(1, instructions));
        body.push(0x0b);
        let leb = |number: usize| {
            let digit = |at: u32| (number >> (7 * at)) as u8 & 0x7f;
            [digit(0) | 0x80, digit(1) | 0x80, digit(2) | 0x80, digit(3)]
        };
        let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec();
        bytes.extend(leb(body.len() + 5));
        bytes.push(1);
        bytes.extend(leb(body.len()));
        bytes.extend(body);
        bytes
    }

    fn refusal(bytes: &[u8]) -> String {
        look(bytes, &CompileLimits::default()).unwrap_err().to_string()
    }

    #[test]
    fn the_embedded_plugin_is_far_below_the_limits() {
        assert!(look(Plugin::EMBEDDED, &limits(512 << 10)).is_ok());
        let refused = look(Plugin::EMBEDDED, &limits(1 << 10)).unwrap_err();
        assert_eq!(refused.code(), "too-much-code");
        assert!(refused.to_string().contains("more than 1024 bytes of code"), "{refused}");
    }

    #[test]
    fn one_long_function_and_many_locals_are_refused() {
        assert!(look(&module(&[0], 1000), &CompileLimits::default()).is_ok());
        let long = refusal(&module(&[0], 600 << 10));
        assert!(long.contains("more than 524288 bytes in one function"), "{long}");
        // Two groups of 8191 locals of i32.
        let many = refusal(&module(&[2, 0xff, 0x3f, 0x7f, 0xff, 0x3f, 0x7f], 1));
        assert!(many.contains("more than 10000 locals in one function"), "{many}");
    }

    #[test]
    fn what_is_cut_short_is_the_compilers_to_judge() {
        let whole = module(&[0], 1000);
        assert!(look(&whole[..whole.len() - 10], &CompileLimits::default()).is_ok());
        assert!(look(b"no wasm", &CompileLimits::default()).is_ok());
    }
}

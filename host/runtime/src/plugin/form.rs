//! The kind of a file by its first bytes, before it is parsed.

use super::{Plugin, PluginError};

/// The two forms of WebAssembly that a file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What a plugin is.
    Component,
    /// What a compiler makes, and `hongbao plugin pack` makes a component of.
    CoreModule,
}

const MAGIC: [u8; 4] = *b"\0asm";
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];

impl Form {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::CoreModule => "core-module",
        }
    }

    /// Of these bytes. What has neither of the two versions is left to the compiler's judgement.
    ///
    /// # Errors
    /// When it is too large, no WebAssembly, or only the beginning of some.
    pub fn of(bytes: &[u8]) -> Result<Self, PluginError> {
        if bytes.len() as u64 > Plugin::MAX_BYTES {
            return Err(PluginError::TooLarge);
        }
        let Some((magic, rest)) = bytes.split_first_chunk() else {
            let is_beginning = !bytes.is_empty() && MAGIC.starts_with(bytes);
            return Err(if is_beginning { PluginError::Truncated } else { PluginError::NotWebAssembly });
        };
        if *magic != MAGIC {
            return Err(if is_text(bytes) { PluginError::Text } else { PluginError::NotWebAssembly });
        }
        let (version, sections) = rest.split_first_chunk::<4>().ok_or(PluginError::Truncated)?;
        if !are_whole(sections) {
            return Err(PluginError::Truncated);
        }
        Ok(if *version == CORE_MODULE { Self::CoreModule } else { Self::Component })
    }
}

/// WebAssembly's text form is one or more expressions in parentheses, after comments.
fn is_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let code = text.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with(";;"));
    code.is_some_and(|line| line.starts_with('('))
}

/// Whether each section of a file is as long as it says: an identifier, the length of what
/// follows as a LEB128, what follows.
fn are_whole(mut sections: &[u8]) -> bool {
    while let Some((_identifier, rest)) = sections.split_first() {
        let Some((length, body)) = leb128(rest) else { return false };
        let Some(after) = usize::try_from(length).ok().and_then(|length| body.get(length..)) else {
            return false;
        };
        sections = after;
    }
    true
}

/// A number of at most 32 bits, and what is after it.
fn leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at_checked(last + 1)?;
    let value = digits.iter().rev().fold(0, |value, digit| value << 7 | u64::from(digit & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_plugin_is_whole_and_every_beginning_of_it_is_not() {
        assert_eq!(Form::of(Plugin::EMBEDDED).unwrap(), Form::Component);
        let ends = (1..Plugin::EMBEDDED.len()).step_by(97).chain([1, 4, 7, Plugin::EMBEDDED.len() - 1]);
        // What ends where a section ends is whole as far as its form goes.
        let whole = ends.filter(|end| Form::of(&Plugin::EMBEDDED[..*end]).is_ok()).count();
        assert!(whole < 3, "{whole}");
    }

    #[test]
    fn a_length_may_have_five_digits_and_no_more() {
        assert_eq!(leb128(&[0x80, 0x80, 0x80, 0x80, 0x01, 9]), Some((1 << 28, &[9][..])));
        assert_eq!(leb128(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), None);
        assert_eq!(leb128(&[]), None);
    }
}

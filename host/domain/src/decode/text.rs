//! Decoding of UTF-8 text, with or without a byte-order mark.
//!
//! Editors of Windows, PowerShell and Excel write the mark. It says nothing in UTF-8, and in front of a
//! JSON object, a TOML key or a PEM block it would make the first of them unreadable.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// The byte-order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why bytes are no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// A mark says that it is in this encoding.
    Encoding(&'static str),
    /// There is no character at this byte, counted from 0.
    Byte(usize),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(name) => write!(f, "the text is in {name}; save it as UTF-8"),
            Self::Byte(at) => write!(f, "the text is not in UTF-8, from byte {at} on"),
        }
    }
}

impl std::error::Error for TextError {}

/// Bytes without the byte-order mark of UTF-8. That of another encoding is an error.
fn unmarked(bytes: &[u8]) -> Result<&[u8], TextError> {
    // The mark of UTF-32 begins with that of UTF-16.
    const OTHERS: [(&[u8], &str); 4] = [
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ];
    match OTHERS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        Some((_, name)) => Err(TextError::Encoding(name)),
        None => Ok(bytes.strip_prefix(MARK).unwrap_or(bytes)),
    }
}

/// A text without its byte-order mark.
pub fn text(bytes: &[u8]) -> Result<&str, TextError> {
    let bytes = unmarked(bytes)?;
    std::str::from_utf8(bytes).map_err(|error| TextError::Byte(error.valid_up_to()))
}

/// A file as a text without its byte-order mark.
///
/// # Errors
/// When it cannot be read, or is no text; then of the kind `InvalidData`.
pub fn read_text(file: &Path) -> io::Result<String> {
    text(&fs::read(file)?).map(str::to_owned).map_err(invalid)
}

/// A file in PEM, for a reader that takes a mark for a part of the first block. What stands between the
/// blocks may be in any encoding.
///
/// # Errors
/// When it cannot be read, or is in UTF-16 or UTF-32; then of the kind `InvalidData`.
pub fn read_pem(file: &Path) -> io::Result<Vec<u8>> {
    unmarked(&fs::read(file)?).map(<[u8]>::to_vec).map_err(invalid)
}

fn invalid(error: TextError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_skipped_once() {
        assert_eq!(text(b"\xef\xbb\xbfabc"), Ok("abc"));
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbfabc"), Ok("\u{feff}abc"));
        assert_eq!(text("微信".as_bytes()), Ok("微信"));
        assert_eq!(text(b""), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_told_by_its_encoding_or_its_place() {
        for (bytes, name) in [
            (&b"\xff\xfea\0"[..], "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0a", "UTF-32"),
        ] {
            assert_eq!(text(bytes), Err(TextError::Encoding(name)));
        }
        assert_eq!(text(b"ab\xff"), Err(TextError::Byte(2)));
        assert_eq!(text(b"\xd0\xc2\xc4\xea"), Err(TextError::Byte(0)), "GBK");
    }
}

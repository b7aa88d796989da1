//! A line reader for untrusted input: each line is read to its end, and none takes more
//! memory than a line may have.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, stdin};
use std::path::Path;

use super::exit::InputError;
use hongbao_domain::decode::{self, TextError};

/// Longest line.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// A line that is not empty, its number, and its text or what is wrong with it.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) content: Result<String, String>,
}

pub(super) struct Lines {
    log: Box<dyn BufRead>,
    number: u64,
    is_over: bool,
}

impl Lines {
    /// Of a file; `-` is standard input.
    pub(super) fn of(file: &Path) -> Result<Self, InputError> {
        if file.as_os_str() == "-" {
            return Ok(Self::new(Box::new(BufReader::new(stdin()))));
        }
        let opened = File::open(file).and_then(|opened| match opened.metadata()?.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(opened),
        });
        match opened {
            Ok(file) => Ok(Self::new(Box::new(BufReader::new(file)))),
            Err(source) => Err(InputError::File { file: file.display().to_string(), source }),
        }
    }

    fn new(log: Box<dyn BufRead>) -> Self {
        Self { log, number: 0, is_over: false }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        while !self.is_over {
            let mut bytes = Vec::new();
            let read = self.log.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            self.number += 1;
            let content = if read as u64 == MAX_LINE_BYTES && !bytes.ends_with(b"\n") {
                self.skip_line()?;
                Err(format!("a line may have at most {MAX_LINE_BYTES} bytes"))
            } else {
                self.text(&bytes)
            };
            if !content.as_ref().is_ok_and(|text| text.trim_ascii().is_empty()) {
                return Ok(Some(Line { number: self.number, content }));
            }
        }
        Ok(None)
    }

    /// A byte-order mark stands at the beginning of a file, and within it where files were joined.
    fn text(&mut self, bytes: &[u8]) -> Result<String, String> {
        decode::text(bytes).map(str::to_owned).map_err(|error| match error {
            TextError::Encoding(_) if self.number == 1 => {
                // Its line feeds are none of ours: every further line would be another error.
                self.is_over = true;
                error.to_string()
            }
            _ => "the line is not valid UTF-8".to_owned(),
        })
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.log.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            let is_over = end.is_some() || buffer.is_empty();
            self.log.consume(length);
            if is_over {
                return Ok(());
            }
        }
    }
}

impl Iterator for Lines {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(log: &'static [u8]) -> Vec<(u64, bool)> {
        let lines = Lines::new(Box::new(log));
        lines.map(|line| line.unwrap()).map(|line| (line.number, line.content.is_ok())).collect()
    }

    #[test]
    fn empty_lines_count_but_are_no_events() {
        assert_eq!(numbers(b"{}\n\n  \r\n{}"), [(1, true), (4, true)]);
        assert_eq!(numbers(b""), []);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_line() {
        let log: &[u8] = b"\xef\xbb\xbf{}\r\n\xef\xbb\xbf\r\n\xef\xbb\xbf{}";
        let lines: Vec<_> = Lines::new(Box::new(log)).map(|line| line.unwrap().content.unwrap()).collect();
        assert_eq!(lines, ["{}\r\n", "{}"]);
    }

    #[test]
    fn a_file_in_another_encoding_is_one_error() {
        let log: Vec<u8> = "\u{feff}{}\n{}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let lines: Vec<_> =
            Lines::new(Box::new(io::Cursor::new(log))).map(|line| line.unwrap().content).collect();
        assert_eq!(lines, [Err("the text is in UTF-16; save it as UTF-8".to_owned())]);
    }

    #[test]
    fn a_broken_line_does_not_break_the_next() {
        assert_eq!(numbers(b"\xff\xff\n{}\n\xff\xfe\n{}"), [(1, false), (2, true), (3, false), (4, true)]);
        let mut long = vec![b'x'; 3 << 20];
        long.extend(b"\n{}\n");
        assert_eq!(numbers(long.leak()), [(1, false), (2, true)]);
    }
}

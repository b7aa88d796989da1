//! The log on standard error.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::args::{Cli, Command, LogForm};

pub(super) fn to_stderr(cli: &Cli) {
    let by_default = match (&cli.command, cli.verbose) {
        (Command::Serve(_), 0) => "info",
        (Command::Serve(_), _) => "debug",
        (_, 0) => "warn",
        (_, 1) => "info",
        (_, _) => "debug",
    };
    let form =
        if let Command::Serve(args) = &cli.command { args.log.unwrap_or_default() } else { LogForm::Text };
    let filter = EnvFilter::try_from_env("HONGBAO_LOG").unwrap_or_else(|_| EnvFilter::new(by_default));
    // https://no-color.org
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_colourful = stderr().is_terminal() && !is_plain;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(is_colourful);
    // A program that embeds this may have its own log already, which is then used.
    let _ = match form {
        LogForm::Text => log.fmt_fields(debug_fn(field).delimited(" ")).try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
}

/// A field of an event in text. An event is one line whatever stands in it: what a plugin, a server or a
/// caller says could otherwise be taken for a line of its own.
fn field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    let mut line = OneLine(writer);
    match field.name() {
        "message" => write!(line, "{value:?}"),
        name => write!(line, "{name}={value:?}"),
    }
}

/// Writes control characters, and what ends a line to some readers, as Rust escapes them.
struct OneLine<W>(W);

impl<W: fmt::Write> fmt::Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_special = |one: char| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}');
        text.chars().try_for_each(|one| match is_special(one) {
            true => write!(self.0, "{}", one.escape_default()),
            false => self.0.write_char(one),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut text = String::new();
        write!(OneLine(&mut text), "hi {:?}\r\n\u{1b}[31m\u{2028}微信\t\u{85}", "a\nb").unwrap();
        assert_eq!(text, "hi \"a\\nb\"\\r\\n\\u{1b}[31m\\u{2028}微信\\t\\u{85}");
    }
}

//! The log on standard error.

use std::env;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal as _, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::args::{Cli, Command, LogForm};

const VARIABLE: &str = "HONGBAO_LOG";

/// Starts the log. A filter in the environment that cannot be used is said, and the default is used: a
/// service must not stay down for the sake of its log.
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
    let (filter, complaint) = match filter() {
        Ok(filter) => (filter.unwrap_or_else(|| EnvFilter::new(by_default)), None),
        Err(complaint) => (EnvFilter::new(by_default), Some(complaint)),
    };
    // https://no-color.org
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_colourful = stderr().is_terminal() && !is_plain;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(is_colourful);
    // A program that embeds this may have its own log already, which is then used.
    let _ = match form {
        LogForm::Text => log.fmt_fields(debug_fn(field).delimited(" ")).try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
    if let Some(complaint) = complaint {
        tracing::warn!("{VARIABLE}: {complaint}; the default, {by_default}, is used");
    }
}

/// What the environment asks for; or what is wrong with it.
fn filter() -> Result<Option<EnvFilter>, String> {
    let Some(value) = env::var_os(VARIABLE) else { return Ok(None) };
    let value = value.to_str().ok_or("it is not text in UTF-8")?.trim();
    if value.is_empty() {
        return Ok(None);
    }
    parse(value).map(Some)
}

fn parse(value: &str) -> Result<EnvFilter, String> {
    for directive in value.split(',').map(str::trim) {
        // A word that is no level would be taken for the name of a module, and turn all others off.
        let is_word = !directive.is_empty() && directive.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_level = directive.parse::<LevelFilter>().is_ok();
        if is_word && !is_level && !["hongbao", "plugin"].contains(&directive) {
            return Err(format!(
                "{} is none of error, warn, info, debug, trace and off",
                super::one_line(directive)
            ));
        }
    }
    EnvFilter::builder().parse(value).map_err(|error| format!("it is no filter: {error}"))
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
    fn a_filter_that_means_nothing_is_said() {
        for value in ["info", "debug,hyper=off", "hongbao_host::store=trace", "off", "plugin=debug", "WARN"] {
            assert!(parse(value).is_ok(), "{value}");
        }
        for value in ["verbose", "info,debgu", "hongbao_host=loud", "a=b=c", "[}=info"] {
            assert!(parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let mut text = String::new();
        write!(OneLine(&mut text), "hi {:?}\r\n\u{1b}[31m\u{2028}微信\t\u{85}", "a\nb").unwrap();
        assert_eq!(text, "hi \"a\\nb\"\\r\\n\\u{1b}[31m\\u{2028}微信\\t\\u{85}");
    }
}

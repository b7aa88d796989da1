//! The log on standard error.

use std::env;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, stderr};

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
        LogForm::Json => log.with_writer(|| Escaped(stderr())).json().flatten_event(true).try_init(),
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

/// A field of an event in text. An event is one line whatever stands in it, and a value ends where it ends: what
/// a plugin, a server or a caller says could otherwise be taken for a line or a field of its own. So the
/// words of plugins stand in quotation marks, and so does a value that has a space, such as a name.
fn field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    let (mut line, said) = (OneLine(writer), format!("{value:?}"));
    let is_of_a_plugin = field.callsite().0.metadata().target() == "plugin";
    match field.name() {
        "message" if is_of_a_plugin => write!(line, "{said:?}"),
        "message" => write!(line, "{said}"),
        name if is_one_value(&said) => write!(line, "{name}={said}"),
        name => write!(line, "{name}={said:?}"),
    }
}

/// Whether nobody takes a value for more than one: it is a word, or in quotation marks that it does not end itself.
fn is_one_value(said: &str) -> bool {
    let is_word = |text: &str| !text.contains(|one: char| one.is_whitespace() || matches!(one, '"' | '='));
    let within = said.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let is_quoted = |text: &str| {
        // What an odd number of backslashes stands in front of is escaped.
        let mut is_escaped = false;
        let ends = text.chars().any(|one| {
            let ends = one == '"' && !is_escaped;
            is_escaped = one == '\\' && !is_escaped;
            ends
        });
        !ends && !is_escaped
    };
    is_word(said) || within.is_some_and(is_quoted)
}

/// Whether a reader may take it for an end of the line, or shows what is behind it in another place.
fn is_special(one: char) -> bool {
    one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') || hongbao_domain::turns(one)
}

/// Writes those as JSON escapes them: such as are not in ASCII stand nowhere but in a text. An event is written at once.
struct Escaped<W>(W);

impl<W: io::Write> io::Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut escaped = String::with_capacity(text.len());
        for one in text.chars() {
            if one == '\u{7f}' || !one.is_ascii() && is_special(one) {
                for unit in one.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            } else {
                escaped.push(one);
            }
        }
        self.0.write_all(escaped.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes those as Rust escapes them.
struct OneLine<W>(W);

impl<W: fmt::Write> fmt::Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
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
        for value in ["info", "debug,hyper=off", "hongbao_store=trace", "off", "plugin=debug", "WARN"] {
            assert!(parse(value).is_ok(), "{value}");
        }
        for value in ["verbose", "info,debgu", "hongbao_store=loud", "a=b=c", "[}=info"] {
            assert!(parse(value).is_err(), "{value}");
        }
    }

    /// Where a log is written.
    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What is written in text while this is done.
    fn logged(act: impl FnOnce()) -> String {
        let (written, log) = (Shared::default(), tracing_subscriber::fmt().without_time().with_ansi(false));
        let writer = written.clone();
        let log = log.with_writer(move || writer.clone()).fmt_fields(debug_fn(field).delimited(" "));
        tracing::subscriber::with_default(log.finish(), act);
        written.text()
    }

    #[test]
    fn what_others_say_is_neither_a_line_nor_a_field_of_ours() {
        const FAKE: &str = "hi\n INFO hongbao_server::notes: administration key=1 tenant=\"acme\"";
        let text = logged(|| tracing::info!(target: "plugin", tenant = "evil", "{FAKE}"));
        assert_eq!(
            text,
            " INFO plugin: \"hi\\n INFO hongbao_server::notes: administration key=1 tenant=\\\"acme\\\"\" tenant=\"evil\"\n"
        );
        let name = "x\" outcome=\"ok";
        let text = logged(|| tracing::info!(target: "x", tenant = %name, n = 7, of = name, "done"));
        let quoted = "\"x\\\" outcome=\\\"ok\"";
        assert_eq!(text, format!(" INFO x: done tenant={quoted} n=7 of={quoted}\n"));
    }

    #[test]
    fn in_json_what_others_say_is_one_value() {
        let said = "hi\n{\"level\":\"INFO\",\"message\":\"administration\"}\u{2028}微信\u{202e}\u{85}\u{7f}";
        let (written, log) = (Shared::default(), tracing_subscriber::fmt().json().flatten_event(true));
        let writer = written.clone();
        let log = log.with_writer(move || Escaped(writer.clone())).finish();
        let act = || tracing::info!(target: "plugin", tenant = "x\",\"a\":\"b", "{said}");
        tracing::subscriber::with_default(log, act);
        let text = written.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("\\u2028微信\\u202e\\u0085\\u007f"), "{text}");
        assert!(!text.contains(['\u{2028}', '\u{202e}', '\u{85}', '\u{7f}']), "{text}");
        let line: serde_json::Value = hongbao_domain::decode::json(text.trim().as_bytes()).unwrap();
        let told = (&line["message"], &line["tenant"], &line["target"], line.get("a"));
        assert_eq!(told, (&said.into(), &"x\",\"a\":\"b".into(), &"plugin".into(), None));
    }

    #[test]
    fn a_value_is_a_word_or_stands_in_quotation_marks() {
        for one in ["", "7", "acme", "a/b", "\"\"", "\"a b\"", "\"a \\\" b=c\"", "\"\\\\\""] {
            assert!(is_one_value(one), "{one}");
        }
        for more in ["a b", "a=b", "\"", "\"a\" b", "\"a\" b=\"c\"", "\"a\\\\\" b=\"c\"", "\"a\\\""] {
            assert!(!is_one_value(more), "{more}");
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let mut text = String::new();
        write!(OneLine(&mut text), "hi {:?}\r\n\u{1b}[31m\u{2028}微信\t\u{85}\u{202e}", "a\nb").unwrap();
        assert_eq!(text, "hi \"a\\nb\"\\r\\n\\u{1b}[31m\\u{2028}微信\\t\\u{85}\\u{202e}");
    }
}

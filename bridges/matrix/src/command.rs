//! Commands in messages.
//!
//! Clients keep `/` for themselves, so a command begins with `!`. What follows is passed on as it was typed: amounts are
//! read by Hongbao's plugin, and by nobody else.

use crate::event::Text;
use crate::hongbao::Mention;

/// The longest text that Hongbao takes, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// Names of commands, each with the language that its users read.
const NAMES: [(&str, &str); 3] = [("hongbao", ""), ("红包", "zh-Hans"), ("紅包", "zh-Hant")];

/// A command as it is passed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Begins with a slash.
    pub(crate) text: String,
    /// Empty where the name does not tell.
    pub(crate) language: &'static str,
    /// A room other than the one that it was typed in, by its id or an alias.
    pub(crate) room: Option<String>,
    pub(crate) mentions: Vec<Mention>,
}

/// The command that a text is; none where it is another text.
pub(crate) fn read(text: &Text) -> Option<Command> {
    let typed = text.body.trim_start().strip_prefix(['!', '！'])?;
    let (name, language) = NAMES.iter().find(|(name, _)| begins_with(typed, name))?;
    let (head, rest) = typed.split_at_checked(name.len())?;
    // A letter goes on with an English word: `!hongbaobest` is another command. Chinese needs no space.
    if name.is_ascii() && rest.starts_with(|next: char| next.is_alphanumeric() || next == '_') {
        return None;
    }
    let (room, rest) = other_room(rest);
    let mentions = if rest.len() > LONGEST { Vec::new() } else { mentions(rest, text.formatted.as_deref()) };
    Some(Command { text: format!("/{head}{rest}"), language, room, mentions })
}

fn begins_with(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
}

/// A room that is named first, and the rest with the space in front of it: `#family:example.org 88 5`.
fn other_room(rest: &str) -> (Option<String>, &str) {
    let typed = rest.trim_start();
    let end = typed.find(char::is_whitespace).unwrap_or(typed.len());
    let (word, after) = typed.split_at(end);
    let is_alias = word.starts_with('#') && word.contains(':');
    let is_id = word.starts_with('!') && word.len() > 1;
    let is_room = rest.len() > typed.len() && (is_alias || is_id) && word.len() <= 255;
    if is_room { (Some(word.to_owned()), after) } else { (None, rest) }
}

/// Who is mentioned, in the order of the text: links of the HTML, and ids that were typed as such.
fn mentions(rest: &str, html: Option<&str>) -> Vec<Mention> {
    let typed = rest.split_whitespace().filter(|word| word.starts_with('@') && word.contains(':'));
    let typed = typed.map(|word| Mention { text: word.to_owned(), user: word.to_owned() });
    let linked = html.map(links).unwrap_or_default();
    let mut found: Vec<(usize, Mention)> = Vec::new();
    for mention in linked.into_iter().chain(typed) {
        let taken = |at: &usize| !found.iter().any(|(other, _)| other == at);
        let place = rest.match_indices(mention.text.as_str()).map(|(at, _)| at).find(taken);
        let is_user = mention.user.len() <= 255 && !mention.user.chars().any(char::is_control);
        if let Some(at) = place.filter(|_| is_user && !mention.text.is_empty()) {
            found.push((at, mention));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, mention)| mention).take(100).collect()
}

/// Links to users, as clients write them: `<a href="https://matrix.to/#/@bob:example.org">Bob</a>`.
fn links(html: &str) -> Vec<Mention> {
    const START: &str = "<a href=\"https://matrix.to/#/";
    let parts = html.split(START).skip(1);
    let link = |part: &str| {
        let (target, after) = part.split_once("\">")?;
        let user = percent_encoding::percent_decode_str(target).decode_utf8().ok()?;
        let text = unescaped(after.split_once("</a>")?.0);
        user.starts_with('@').then(|| Mention { text, user: user.into_owned() })
    };
    parts.filter_map(link).collect()
}

fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> Text {
        Text { body: body.into(), formatted: None, thread: None }
    }

    /// What is passed on, the language, and the other room.
    #[track_caller]
    fn check(body: &str, passed_on: &str, language: &str, room: Option<&str>) {
        let command = read(&text(body)).unwrap_or_else(|| panic!("{body:?} is no command"));
        assert_eq!((command.text.as_str(), command.language), (passed_on, language));
        assert_eq!(command.room.as_deref(), room);
    }

    #[test]
    fn a_command_is_passed_on_as_it_was_typed() {
        check("!hongbao 88.88 10 恭喜发财", "/hongbao 88.88 10 恭喜发财", "", None);
        check("  ！HongBao  1,000.50 3", "/HongBao  1,000.50 3", "", None);
        check("!hongbao", "/hongbao", "", None);
        check("!hongbao\n1 1", "/hongbao\n1 1", "", None);
        check("!红包88元5个 新年快乐", "/红包88元5个 新年快乐", "zh-Hans", None);
        check("!紅包 手氣", "/紅包 手氣", "zh-Hant", None);
    }

    #[test]
    fn other_texts_are_no_commands() {
        for body in [
            "",
            "!",
            "hongbao 1 1",
            "/hongbao 1 1",
            "!!hongbao 1 1",
            "!hongbaobest",
            "!hongbao1 1",
            "!hong",
            "!红",
            "say !红包 1 1",
        ] {
            assert_eq!(read(&text(body)), None, "{body:?}");
        }
    }

    #[test]
    fn a_room_may_be_named_first() {
        check("!hongbao #family:a.org 8 2 hi", "/hongbao 8 2 hi", "", Some("#family:a.org"));
        check("!hongbao !abc 8 2", "/hongbao 8 2", "", Some("!abc"));
        check("!hongbao !abc:a.org", "/hongbao", "", Some("!abc:a.org"));
        check("!红包 #f:a.org 8 2", "/红包 8 2", "zh-Hans", Some("#f:a.org"));
        check("!hongbao ! 8 2", "/hongbao ! 8 2", "", None);
        check("!hongbao #1 8 2", "/hongbao #1 8 2", "", None);
        let long = format!("!hongbao #{}:a.org 8 2", "f".repeat(300));
        assert_eq!(read(&text(&long)).unwrap().room, None);
    }

    #[test]
    fn who_is_mentioned_is_found_in_the_order_of_the_text() {
        let html = "!hongbao to <a href=\"https://matrix.to/#/@bob:a.org\">Bob &amp; Co</a> and \
                    <a href=\"https://matrix.to/#/%40carol%3Aa.org\">Carol</a> 20 \
                    <a href=\"https://matrix.to/#/!room:a.org\">room</a>";
        let body = "!hongbao to @dave:a.org Bob & Co Carol 20 room";
        let command = read(&Text { formatted: Some(html.into()), ..text(body) }).unwrap();
        let found: Vec<_> = command.mentions.iter().map(|it| (it.text.as_str(), it.user.as_str())).collect();
        let wanted = [("@dave:a.org", "@dave:a.org"), ("Bob & Co", "@bob:a.org"), ("Carol", "@carol:a.org")];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_html_says_and_the_text_does_not_mentions_nobody() {
        let html = "<a href=\"https://matrix.to/#/@bob:a.org\">Bob</a><a href=\"https://matrix.to/#/@x:a.org\"></a><a href=\"";
        let command = read(&Text { formatted: Some(html.into()), ..text("!hongbao 1 1 hi") }).unwrap();
        assert_eq!(command.mentions, []);
    }

    #[test]
    fn people_of_one_name_are_told_apart_by_their_turn() {
        let html = "<a href=\"https://matrix.to/#/@b1:a.org\">Bob</a> <a href=\"https://matrix.to/#/@b2:a.org\">Bob</a>";
        let command = read(&Text { formatted: Some(html.into()), ..text("!hongbao to Bob Bob 2") }).unwrap();
        let users: Vec<_> = command.mentions.iter().map(|it| it.user.as_str()).collect();
        assert_eq!(users, ["@b1:a.org", "@b2:a.org"]);
    }

    #[test]
    fn a_megabyte_is_read_at_once() {
        let body = format!("!hongbao {}", "@a:b ".repeat(200_000));
        let began = std::time::Instant::now();
        let command = read(&text(&body)).unwrap();
        assert!(command.text.len() > LONGEST && command.mentions.is_empty());
        assert!(began.elapsed().as_secs() < 1);
    }
}

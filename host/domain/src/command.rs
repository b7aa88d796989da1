//! The recognition of commands in messages, and of the reader's language.
//!
//! This is the one place that decides whether a message is a command. Keyboards, editors and platforms put much
//! in front of a slash or into it that nobody sees; a plugin is given none of that.

use super::text::is_unseen;
use super::{Mention, Message, Presser};

/// A text as a command: a slash, the command's name in small letters, and behind a space the rest as it was
/// typed. None where the text is no command.
///
/// White space, control characters and whatever nobody sees are skipped in front. The slash and the name may be
/// full-width. A name behind an `@` that nobody mentions is the bot's own (`/hongbao@MyBot 88 5`) and left out.
#[must_use]
pub fn command(text: &str, mentions: &[Mention]) -> Option<String> {
    let typed = text.trim_start_matches(is_skipped).strip_prefix(['/', '／', '∕', '⁄'])?;
    let typed = typed.trim_start_matches(is_skipped);
    let ends = |one: char| one.is_whitespace() || matches!(one, '@' | '＠');
    let (name, rest) = typed.split_at_checked(typed.find(ends).unwrap_or(typed.len()))?;
    let mut command = String::from("/");
    command.extend(name.chars().filter(|one| !is_unseen(*one)).map(narrow).flat_map(char::to_lowercase));
    let is_person = mentions.iter().any(|mention| {
        let name = mention.text.trim_end();
        !name.is_empty() && rest.starts_with(name)
    });
    if is_person {
        return Some(command + rest);
    }
    let rest = match rest.starts_with(['@', '＠']) {
        true => rest.find(char::is_whitespace).and_then(|at| rest.get(at..)).unwrap_or_default(),
        false => rest,
    };
    let rest = rest.trim_start_matches(|one| is_skipped(one) && one != REVERSED);
    if rest.is_empty() {
        return Some(command);
    }
    // Who reverses the command reverses the amounts in it, and is not taken at another word than is seen.
    let front = text.get(..text.len() - rest.len()).unwrap_or_default();
    let mark = if front.contains(REVERSED) { "\u{202e}" } else { "" };
    Some(format!("{command} {mark}{rest}"))
}

/// Shows what stands behind it in reverse: `8.88` as `88.8`.
const REVERSED: char = '\u{202e}';

/// Whether a character in front of a command, or within its name, is none of it.
fn is_skipped(one: char) -> bool {
    one.is_whitespace() || one.is_control() || is_unseen(one)
}

/// A full-width character as that of ASCII.
fn narrow(one: char) -> char {
    match one {
        '！'..='～' => char::from_u32(u32::from(one) - 0xfee0).unwrap_or(one),
        _ => one,
    }
}

/// The one of these languages that fits best what a platform says of a reader; the first where none does.
///
/// Platforms say it as BCP 47 tags (`zh-Hans-CN`), as locales of POSIX (`zh_CN.UTF-8`), as what a browser
/// accepts (`zh-CN,zh;q=0.9`), or not at all (empty, `*`, `C`).
#[must_use]
pub fn language(said: &str, known: &[String]) -> String {
    let wanted = subtags(said);
    let fits = |tag: &String| {
        let tag = subtags(tag);
        let same = wanted.iter().zip(&tag).take_while(|(wanted, known)| wanted == known).count();
        // Of two that fit as well, the more general one.
        (same, usize::MAX - tag.len())
    };
    let mut best = known.first();
    for tag in known {
        let is_better = best.is_none_or(|best| fits(tag) > fits(best));
        if fits(tag).0 > 0 && is_better {
            best = Some(tag);
        }
    }
    best.cloned().unwrap_or_else(|| "en".into())
}

/// The parts of a tag in small letters. Chinese gets the script in which its country writes it.
fn subtags(tag: &str) -> Vec<String> {
    let end = tag.find(['.', '@', ',', ';']).unwrap_or(tag.len());
    let parts = tag.get(..end).unwrap_or_default().trim().split(['-', '_']);
    let is_subtag =
        |part: &&str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut tags: Vec<String> = parts.take_while(is_subtag).map(str::to_ascii_lowercase).collect();
    let Some(first) = tags.first_mut() else {
        return tags;
    };
    if matches!(first.as_str(), "cmn" | "yue") {
        "zh".clone_into(first);
    }
    let has_script = tags.get(1).is_some_and(|part| part.len() == 4);
    let script = match tags.get(1).map(String::as_str) {
        Some("tw" | "hk" | "mo") => "hant",
        Some("cn" | "sg" | "my") => "hans",
        _ => return tags,
    };
    if !has_script && tags.first().is_some_and(|first| first == "zh") {
        tags.insert(1, script.into());
    }
    tags
}

impl Message {
    /// As a plugin that answers in these languages is given it; None where it is no command.
    #[must_use]
    pub fn into_command(mut self, languages: &[String]) -> Option<Self> {
        self.text = command(&self.text, &self.mentions)?;
        self.language = language(&self.language, languages);
        Some(self)
    }
}

impl Presser {
    /// As a plugin that answers in these languages is given them.
    #[must_use]
    pub fn normalised(mut self, languages: &[String]) -> Self {
        self.language = language(&self.language, languages);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::UserId;
    use super::*;

    fn mention(text: &str) -> Mention {
        Mention { text: text.into(), user: UserId::new("u").unwrap() }
    }

    #[test]
    fn whatever_nobody_sees_changes_no_command() {
        let texts = [
            "/hongbao 88 5",
            "／hongbao 88 5",
            "∕hongbao 88 5",
            " /hongbao 88 5",
            "\n\r\n\t/hongbao 88 5",
            "\u{3000}／hongbao\u{3000}88 5",
            "\u{a0}\u{2005}\u{202f}/hongbao\u{a0}88 5",
            "\u{feff}/hongbao 88 5",
            "\u{200b}\u{200e}\u{200f}/hongbao 88 5",
            "\u{2068}\u{202a}/\u{2060}hong\u{ad}bao\u{200b} 88 5",
            "\0\u{7}\u{85}\u{2028}/hongbao\n88 5",
            "/HongBao 88 5",
            "／ＨＯＮＧＢＡＯ　88 5",
            "/ hongbao 88 5",
            "/hongbao@MyBot 88 5",
            "／hongbao＠my_bot_2\n88 5",
            "/hongbao@红包机器人 88 5",
        ];
        for text in texts {
            assert_eq!(command(text, &[]).as_deref(), Some("/hongbao 88 5"), "{text:?}");
        }
    }

    #[test]
    fn what_follows_the_name_stays_as_it_was_typed() {
        let cases = [
            ("/红包 8 2 Ａ\u{200d}b\n@Bob ", "/红包 8 2 Ａ\u{200d}b\n@Bob "),
            ("/红包８８元 ５个", "/红包88元 ５个"),
            ("/hongbao", "/hongbao"),
            ("/hongbao@MyBot", "/hongbao"),
            ("/hongbao to @Bob 5", "/hongbao to @Bob 5"),
            ("//hongbao", "//hongbao"),
            ("/", "/"),
        ];
        for (text, expected) in cases {
            assert_eq!(command(text, &[mention("@Bob")]).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_person_is_not_taken_for_a_bot() {
        let people = [mention(""), mention("@Bob Smith ")];
        assert_eq!(command("/红包给@Bob Smith 5", &people).as_deref(), Some("/红包给@Bob Smith 5"));
        assert_eq!(command("/红包@Bob Smith 20 5", &people).as_deref(), Some("/红包@Bob Smith 20 5"));
        assert_eq!(command("/红包@Bob 20 5", &people).as_deref(), Some("/红包 20 5"));
    }

    #[test]
    fn what_is_shown_in_reverse_stays_so() {
        for text in ["/hongbao \u{202e}8.88 2", "\u{202e}/hongbao 8.88 2", "/hong\u{202e}bao \u{200e} 8.88 2"]
        {
            assert_eq!(command(text, &[]).as_deref(), Some("/hongbao \u{202e}8.88 2"), "{text:?}");
        }
        assert_eq!(command("\u{202e}/hongbao", &[]).as_deref(), Some("/hongbao"));
    }

    #[test]
    fn without_a_slash_in_front_it_is_no_command() {
        for text in
            ["", " ", "hongbao 1 2", "a/hongbao", "、红包 1 2", "\\hongbao", "\u{feff}", "@bot /hongbao 1 2"]
        {
            assert_eq!(command(text, &[]), None, "{text:?}");
        }
    }

    #[test]
    fn a_reader_gets_the_language_that_fits_best() {
        let known = ["en", "zh"].map(String::from);
        let cases = [
            ("zh", "zh"),
            ("zh_CN", "zh"),
            ("zh-Hans-CN", "zh"),
            ("ZH", "zh"),
            ("zh_CN.utf8@pinyin", "zh"),
            ("zh-TW", "zh"),
            ("cmn-Hans-CN", "zh"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            (" zh ", "zh"),
            ("en_US.UTF-8", "en"),
            ("EN-gb", "en"),
            ("fr-FR", "en"),
            ("*", "en"),
            ("", "en"),
            ("C", "en"),
            ("C.UTF-8", "en"),
            ("zhuang", "en"),
            ("中文", "en"),
            ("\u{202e}\0", "en"),
            ("-", "en"),
        ];
        for (said, expected) in cases {
            assert_eq!(language(said, &known), expected, "{said:?}");
        }
        assert_eq!(language(&"zh-".repeat(10_000), &known), "zh");
        assert_eq!(language("zh", &[]), "en");
    }

    #[test]
    fn scripts_and_regions_are_told_apart_where_a_plugin_does() {
        let known = ["en-GB", "en", "zh-Hans", "zh-Hant", "pt-BR"].map(String::from);
        let cases = [
            ("zh-TW", "zh-Hant"),
            ("zh_HK", "zh-Hant"),
            ("zh-CN", "zh-Hans"),
            ("zh", "zh-Hans"),
            ("zh-hant-cn", "zh-Hant"),
            ("en-US", "en"),
            ("en-GB-oed", "en-GB"),
            ("pt", "pt-BR"),
            ("de", "en-GB"),
        ];
        for (said, expected) in cases {
            assert_eq!(language(said, &known), expected, "{said}");
        }
    }
}

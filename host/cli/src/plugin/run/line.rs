//! Parsing of script lines.

use hongbao_domain::{Mention, UserId, command};

/// The contract's own bounds of a message.
const MOST_BYTES: usize = 4096;
const MOST_MENTIONS: usize = 100;

/// A user, and the language that they read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) user: UserId,
    pub(super) language: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Say {
        by: Person,
        text: String,
        mentions: Vec<Mention>,
    },
    /// `card` is the number of a card; without one, the latest that has the button.
    Press {
        by: Person,
        action: String,
        card: Option<usize>,
    },
    Advance {
        ms: u64,
    },
    LoseCache,
    /// The last message or press once more, as if its answer had been lost.
    Again,
}

impl Deed {
    /// None for a comment; otherwise the deed, or the sentence that says what is wrong.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(None);
        }
        let time = line.strip_prefix('+').or_else(|| line.strip_prefix("advance "));
        Ok(Some(match (line, time) {
            ("again", _) => Self::Again,
            ("lose-cache", _) => Self::LoseCache,
            (_, Some(time)) => Self::Advance { ms: duration(time.trim())? },
            _ => Self::by_somebody(line)?,
        }))
    }

    fn by_somebody(line: &str) -> Result<Self, String> {
        let Some((name, text)) = line.split_once([':', '：']) else {
            return Err("this is none of `alice: /command`, `bob: press BUTTON`, `+1h`, `again`, \
                        `lose-cache` and `# comment`"
                .into());
        };
        let (name, language) = name.trim().split_once('@').unwrap_or((name.trim(), "en"));
        let user = UserId::new(name).map_err(|error| format!("a user {error}"))?;
        let by = Person { user, language: language.to_owned() };
        let text = text.trim();
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["press"] => Err("name a button, as in `bob: press grab`".into()),
            ["press", action] => Ok(Self::Press { by, action: (*action).to_owned(), card: None }),
            ["press", action, card] => match card.parse() {
                Ok(card) => Ok(Self::Press { by, action: (*action).to_owned(), card: Some(card) }),
                Err(_) => Err(format!("{card:?} is no card's number; write one, as in `bob: press open 2`")),
            },
            ["press", ..] => {
                Err("a press names a button and at most a card, as in `bob: press open 2`".into())
            }
            _ if command(text, &[]).is_none() => {
                Err("a plugin hears only messages that begin with a slash, and `press BUTTON`".into())
            }
            words => said(by, text, words),
        }
    }
}

fn said(by: Person, text: &str, words: &[&str]) -> Result<Deed, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("a message has at most {MOST_BYTES} bytes, not {}", text.len()));
    }
    let mentions: Vec<Mention> = words.iter().filter_map(|word| mention(word)).collect();
    if mentions.len() > MOST_MENTIONS {
        return Err(format!("a message has at most {MOST_MENTIONS} mentions, not {}", mentions.len()));
    }
    Ok(Deed::Say { by, text: text.to_owned(), mentions })
}

/// `@bob,` mentions bob.
fn mention(word: &str) -> Option<Mention> {
    let text = word.trim_end_matches([',', '，', '、']);
    let user = UserId::new(text.strip_prefix('@')?).ok()?;
    Some(Mention { text: text.to_owned(), user })
}

/// `25h` in milliseconds.
fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time; write a number with ms, s, min, h or d, as in `+25h`");
    let digits = text.find(|one: char| !one.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, language: &str) -> Person {
        Person { user: UserId::new(name).unwrap(), language: language.into() }
    }

    fn deed(line: &str) -> Deed {
        Deed::parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_line_is_a_deed() {
        let (by, action) = (person("bob", "en"), "open".to_owned());
        assert_eq!(
            deed("  bob: press open"),
            Deed::Press { by: by.clone(), action: action.clone(), card: None }
        );
        assert_eq!(deed("bob ：press open 12"), Deed::Press { by, action, card: Some(12) });
        let by = person("卡罗", "zh-CN");
        let mention = |text: &str| Mention { text: text.into(), user: UserId::new(&text[1..]).unwrap() };
        let text = "/红包 给 @bob, @卡罗 20: 好".to_owned();
        let mentions = vec![mention("@bob"), mention("@卡罗")];
        assert_eq!(deed("卡罗@zh-CN: /红包 给 @bob, @卡罗 20: 好"), Deed::Say { by, text, mentions });
        assert_eq!((deed("again"), deed("lose-cache")), (Deed::Again, Deed::LoseCache));
        assert_eq!(Deed::parse("# bob: press open"), Ok(None));
    }

    #[test]
    fn a_time_has_a_unit() {
        let times = [("+1h", 3_600_000), ("advance 25h", 90_000_000), ("+ 90 s", 90_000), ("+0ms", 0)];
        for (line, ms) in times {
            assert_eq!(deed(line), Deed::Advance { ms }, "{line}");
        }
        for line in ["+", "+1", "+h", "+-1h", "+1w", "+1.5h", "advance x", "+99999999999999999999d", "+1红"]
        {
            assert!(Deed::parse(line).unwrap_err().contains("is no time"), "{line}");
        }
    }

    #[test]
    fn what_is_no_deed_is_told_what_one_is() {
        let long = format!("bob: /{}", "x".repeat(MOST_BYTES));
        let many = format!("bob: /x {}", "@a ".repeat(MOST_MENTIONS + 1));
        let cases = [
            ("nonsense", "this is none of"),
            (": /x", "a user must be 1 to 256 bytes, not 0"),
            ("bob: press", "name a button"),
            ("bob: press open x", "\"x\" is no card's number"),
            ("bob: press open 1 2", "at most a card"),
            ("bob: hello", "begin with a slash"),
            (long.as_str(), "at most 4096 bytes, not 4097"),
            (many.as_str(), "at most 100 mentions, not 101"),
        ];
        for (line, expected) in cases {
            let said = Deed::parse(line).unwrap_err();
            assert!(said.contains(expected), "{line}: {said}");
        }
    }
}

//! Sentences of the bridge itself. All others are the plugin's.

/// A sentence in English and in Chinese.
pub(crate) struct Phrase(&'static str, &'static str);

pub(crate) const ENCRYPTED: Phrase = Phrase(
    "This room is encrypted. I see your reactions, so everybody can take shares here; but I cannot read \
     messages, so commands do nothing here. To send a packet to this room, write to me in a room that is not \
     encrypted, where only you and I are, and name this one: !hongbao %0 88.88 10 Happy new year",
    "这个房间是加密的。我看得见表情回应，所以大家都能在这里抢红包；但我读不到消息，所以命令在这里无效。想在这里发红包，请在一个只有你我、\
     未加密的房间里写上这个房间：!红包 %0 88.88 10 恭喜发财",
);
pub(crate) const FOREIGN: Phrase = Phrase(
    "Users of %0 cannot send or take packets here: the operator of this bridge has not allowed that server.",
    "%0 的用户不能在这里收发红包：本桥的运营者没有允许该服务器。",
);
pub(crate) const MANY_NEW: Phrase = Phrase(
    "Too many new users of %0 came within the last hour; react again later.",
    "过去一小时内来自 %0 的新用户太多，请稍后再试。",
);
pub(crate) const LONG: Phrase =
    Phrase("This command is too long; nothing was sent.", "这条命令太长，没有发出红包。");
pub(crate) const NO_ROOM: Phrase = Phrase(
    "%0: there is no such room in which we both are; nothing was sent.",
    "%0：没有这样一个你我都在的房间，没有发出红包。",
);
pub(crate) const MUTE: Phrase = Phrase(
    "You or I may not write in that room; nothing was sent.",
    "你或我不能在那个房间发言，没有发出红包。",
);
pub(crate) const SENT: Phrase = Phrase("Sent to %0.", "已发到 %0。");
pub(crate) const BROKEN: Phrase = Phrase(
    "This could not be carried out, although it was tried several times: %0",
    "尝试多次仍未能完成：%0",
);
pub(crate) const UNKNOWN: Phrase = Phrase("There is no such command.", "没有这个命令。");
pub(crate) const MEANT: Phrase =
    Phrase("There is no such command. Did you mean %0?", "没有这个命令。你是想输入 %0 吗？");

impl Phrase {
    /// In the language of a BCP 47 tag.
    pub(crate) fn say(&self, language: &str, part: &str) -> String {
        let text = if is_chinese(language) { self.1 } else { self.0 };
        text.replace("%0", part)
    }
}

fn is_chinese(language: &str) -> bool {
    language.get(..2).is_some_and(|first| first.eq_ignore_ascii_case("zh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_in_the_readers_language() {
        assert_eq!(SENT.say("en", "#a:b"), "Sent to #a:b.");
        assert_eq!(SENT.say("zh-Hans", "#a:b"), "已发到 #a:b。");
        assert_eq!(SENT.say("", "x"), "Sent to x.");
        assert_eq!(SENT.say("é", "x"), "Sent to x.");
    }
}

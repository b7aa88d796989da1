//! All sentences for users, in English and in Chinese.

use super::money;
use super::text::{fill, owned};
use crate::bindings::exports::hongbao::plugin::chat::{Problem, Reply};
use crate::bindings::hongbao::plugin::policy::Limits;

/// A sentence in both languages. `%0` to `%9` are places for parts, which are not looked into.
pub(super) struct Phrase {
    pub english: &'static str,
    pub chinese: &'static str,
}

const fn both(english: &'static str, chinese: &'static str) -> Phrase {
    Phrase { english, chinese }
}

/// Who is spoken to, and in which money.
pub(super) struct Voice<'a> {
    chinese: bool,
    pub limits: &'a Limits,
}

impl<'a> Voice<'a> {
    /// `tag` is a BCP 47 tag. Whoever does not read Chinese reads English.
    pub fn new(tag: &str, limits: &'a Limits) -> Self {
        let chinese = tag.get(..2).is_some_and(|language| language.eq_ignore_ascii_case("zh"));
        Self { chinese, limits }
    }

    #[inline(never)]
    pub fn word(&self, phrase: &Phrase) -> &'static str {
        if self.chinese { phrase.chinese } else { phrase.english }
    }

    #[inline(never)]
    pub fn say(&self, phrase: &Phrase, parts: &[&str]) -> String {
        fill(self.word(phrase), parts)
    }

    #[inline(never)]
    pub fn money(&self, amount: u64) -> String {
        money::shown(amount, self.limits)
    }

    #[inline(never)]
    pub fn problem(&self, code: &str, phrase: &Phrase, parts: &[&str]) -> Problem {
        Problem { code: owned(code), message: self.say(phrase, parts) }
    }

    #[inline(never)]
    pub fn refuse(&self, code: &str, phrase: &Phrase, parts: &[&str]) -> Reply {
        Reply::Problem(self.problem(code, phrase, parts))
    }

    /// A span of time in its largest unit, never longer than it was: `8.3 s`, `2 min`.
    #[inline(never)]
    pub fn span(&self, ms: u64) -> String {
        const MINUTE: u64 = 60_000;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let (number, digits, unit) = match ms {
            ..MINUTE => (ms / 100, 1, &SECONDS),
            MINUTE..HOUR => (ms / MINUTE, 0, &MINUTES),
            HOUR..DAY => (ms / HOUR, 0, &HOURS),
            DAY.. => (ms / DAY, 0, &DAYS),
        };
        self.say(unit, &[&money::plain(number, digits)])
    }
}

#[inline(never)]
pub(super) fn number(number: u64) -> String {
    money::plain(number, 0)
}

/// A form of the command: how it is typed, an amount to type it with, and what it does.
pub(super) struct Form {
    pub typed: Phrase,
    pub whole: &'static str,
    pub does: Phrase,
}

pub(super) const FORMS: [Form; 5] = [
    Form {
        typed: both("/hongbao %0 10 Happy new year", "/红包 %0 10 新年快乐"),
        whole: "88",
        does: both("Sends %0 in 10 shares, with a greeting", "发一个%0的红包，10人来抢，附上祝福"),
    },
    Form {
        typed: both("/hongbao each %0 x 10", "/红包 每人 %0 x 10"),
        whole: "5",
        does: both("Sends 10 shares of %0 each", "发10个红包，每个%0"),
    },
    Form {
        typed: both("/hongbao to @bob %0", "/红包 给 @bob %0"),
        whole: "6",
        does: both(
            "Sends %0 that only @bob can open; name as many as you like",
            "发%0的专属红包，只有点名的人能领",
        ),
    },
    Form {
        typed: both("/hongbao best", "/红包 最佳"),
        whole: "",
        does: both("Shows who had the best luck with the latest red packet", "看看最近一个红包谁手气最佳"),
    },
    Form {
        typed: both("/hongbao help", "/红包 帮助"),
        whole: "",
        does: both("Shows this help", "显示这份帮助"),
    },
];

pub(super) const HELP: Phrase = both("How to send red packets", "红包怎么发");
pub(super) const GREETING: Phrase = both("Best wishes!", "恭喜发财，大吉大利");

// What cards say.
pub(super) const PACKET: Phrase = both("Red packet 🧧", "红包 🧧");
pub(super) const FROM: Phrase = both("From", "发红包的人");
pub(super) const SENT: Phrase = both("sent a red packet", "发了一个红包");
pub(super) const KIND: Phrase = both("Kind", "类型");
pub(super) const LUCKY: Phrase = both("lucky draw", "拼手气红包");
pub(super) const EQUAL: Phrase = both("the same for all", "普通红包");
pub(super) const EXCLUSIVE: Phrase = both("exclusive", "专属红包");
pub(super) const FOR: Phrase = both("For", "领取人");
pub(super) const MAY_OPEN: Phrase = both("may open it", "可以领取");
pub(super) const SHARES: Phrase = both("Shares", "个数");
pub(super) const SHARES_IN_ALL: Phrase = both("%0, %1 in all", "%0个，共%1");
pub(super) const TAKEN_IN: Phrase = both("All taken in", "抢光用时");
pub(super) const SAVED: Phrase = both("It is on its way to your wallet.", "已存入零钱");
pub(super) const NO_SEAT: Phrase = both("Your turn has passed. Grab again!", "手慢了一步，再抢一次吧");
pub(super) const EXHAUSTED: Phrase = both("Too late, every share is taken", "手慢了，红包派完了");
pub(super) const EXPIRED: Phrase = both("This red packet has expired", "该红包已过期");
pub(super) const FINISHED: Phrase = both("Every share is taken", "红包已被抢光");
pub(super) const DETAILS: Phrase = both("Who got what", "领取详情");
pub(super) const CLAIMED: Phrase = both("%0/%1 shares opened, %2/%3", "已领取%0/%1个，共%2/%3");
pub(super) const REFUNDED: Phrase = both("%0 went back to the sender", "已退回%0");
pub(super) const REFUNDING: Phrase = both("%0 is going back to the sender", "剩余%0将退回");
pub(super) const BEST: Phrase = both("Best luck", "手气最佳");
pub(super) const BEST_MARK: Phrase = both(" · best luck", " · 手气最佳");
pub(super) const BEST_SO_FAR: Phrase = both(" · best luck so far", " · 暂时手气最佳");
pub(super) const AND_MORE: Phrase = both("… and %0 more", "……还有%0人");

pub(super) const GRAB: Phrase = both("Grab", "抢红包");
pub(super) const OPEN: Phrase = both("Open", "开");
pub(super) const SEE_DETAILS: Phrase = both("See everyone's luck", "看看大家的手气");

const SECONDS: Phrase = both("%0 s", "%0秒");
const MINUTES: Phrase = both("%0 min", "%0分钟");
const HOURS: Phrase = both("%0 h", "%0小时");
const DAYS: Phrase = both("%0 d", "%0天");

// What is wrong with what was typed: %0 is what was, %1 what is expected.
pub(super) const NO_FORM: Phrase = both(
    "I do not understand “%0”. Type /hongbao help to see what I do.",
    "看不懂“%0”，发送“/红包 帮助”看看怎么用",
);
pub(super) const NO_AMOUNT: Phrase =
    both("The amount is missing. Write one like %1.", "没有写金额，请写成 %1 这样");
pub(super) const BAD_AMOUNT: Phrase =
    both("“%0” is not an amount. Write one like %1.", "“%0”不是金额，请写成 %1 这样");
pub(super) const BAD_SEPARATOR: Phrase = both(
    "“%0” can be read in two ways. Write digits alone, with a point before the decimals, like %1.",
    "“%0”有不止一种读法，请只写数字和小数点，写成 %1 这样",
);
pub(super) const BAD_DECIMALS: Phrase = both(
    "“%0” has too many digits after the point: %2 has %3. Write one like %1.",
    "“%0”的小数位太多：%2最多%3位，请写成 %1 这样",
);
pub(super) const BAD_CURRENCY: Phrase = both(
    "“%0” is in another currency: amounts are in %2 here. Write one like %1.",
    "“%0”的币种不对：这里用%2，请写成 %1 这样",
);
pub(super) const ZERO_AMOUNT: Phrase =
    both("“%0” is nothing at all. Write an amount like %1.", "“%0”等于没发，请写成 %1 这样的金额");
pub(super) const LARGE_AMOUNT: Phrase =
    both("“%0” is more than anybody can send. Write an amount like %1.", "“%0”太大了，请写成 %1 这样的金额");
pub(super) const NO_SHARES: Phrase =
    both("The number of shares is missing: write 1 to %1.", "没有写红包个数，请写 1 到 %1");
pub(super) const BAD_SHARES: Phrase =
    both("“%0” is not a number of shares: write 1 to %1.", "“%0”不是红包个数，请写 1 到 %1");
pub(super) const NO_MENTION: Phrase =
    both("The people are missing. Name them with @, before the amount.", "没有写发给谁，请在金额前用 @ 点名");
pub(super) const BAD_MENTION: Phrase =
    both("I do not know “%0”. Pick people from the list that @ opens.", "不认识“%0”，请用 @ 从列表里选人");
pub(super) const REPEATED_MENTION: Phrase = both("“%0” is named twice.", "“%0”点了两次名");

// Why a packet is not sent. The parts of the first six are those of `refused`.
pub(super) const MANY_SHARES: Phrase =
    both("%1 shares are too many: the most is %4.", "%1个太多了，最多%4个");
pub(super) const LITTLE_TOTAL: Phrase =
    both("%0 is too little for %1 shares: the least is %2.", "%0不够%1个人分，最少%2");
pub(super) const LARGE_TOTAL: Phrase =
    both("%0 is too much for %1 shares: the most is %3.", "%0发给%1个人太多了，最多%3");
pub(super) const UNEVEN_TOTAL: Phrase =
    both("%0 cannot be divided equally into %1 shares.", "%0不能平均分成%1份");
pub(super) const LONG_GREETING: Phrase =
    both("The greeting is too long: the most is %5 characters.", "祝福语太长了，最多%5个字");
pub(super) const BAD_GREETING: Phrase =
    both("The greeting must be one line of plain text.", "祝福语只能是一行普通文字");
pub(super) const TO_ONESELF: Phrase =
    both("You cannot take a share of your own red packet. Name others.", "不能领自己发的红包，请点别人的名");
pub(super) const REFUSED: Phrase = both("This cannot be sent: %6.", "红包发不出去：%6");
pub(super) const POOR: Phrase =
    both("Your wallet holds %0, which is not enough for %1.", "零钱只有%0，不够发%1");
pub(super) const KEY_REUSED: Phrase = both(
    "Another red packet was sent with this message before. Type a new message.",
    "这条消息已经发过别的红包，请重新发一条",
);
pub(super) const NOT_SENT: Phrase = both(
    "Too many hands at once. Your red packet was not sent: please try again in a moment.",
    "现在人太多了，红包没有发出去，请稍后再试",
);
pub(super) const MAYBE_SENT: Phrase = both(
    "The server does not answer. Your red packet may have been sent: look with /hongbao best first.",
    "服务器没有响应，红包可能已经发出：再发之前请先用“/红包 最佳”看看",
);
pub(super) const NONE_YET: Phrase =
    both("There has been no red packet here yet. Send the first!", "这里还没有人发过红包，来发第一个吧");

// What becomes of a button.
pub(super) const UNAVAILABLE: Phrase =
    both("The server does not answer. Please try again.", "服务器没有响应，请再试一次");
pub(super) const BUSY: Phrase = both("Too many hands at once. Please try again.", "抢的人太多了，请再试一次");
pub(super) const INTERNAL: Phrase = both("Something went wrong here.", "出了点问题");
pub(super) const NOT_FOUND: Phrase = both("This red packet does not exist.", "没有这个红包");
pub(super) const NOT_ELIGIBLE: Phrase = both("This red packet is for others.", "这个红包是发给别人的");
pub(super) const UNKNOWN_ACTION: Phrase = both("There is no button “%0”.", "没有“%0”这个按钮");

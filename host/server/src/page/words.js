// Every word of the page, in English and in Chinese, and the language that is spoken now.

import { liked, like } from "./session.js";

const EN = {
  title: "Hongbao",
  lead: "A chat room with red packets. Send one, grab one, see who is lucky.",
  yourName: "Your name",
  nameHint: "Each window is another person: open a second one to play with yourself.",
  suggestedNames: "Suggested names",
  join: "Join the room",
  refused: "Your session has ended. Join again under the same name.",
  left: "You have left the room.",
  theme: "Light or dark",
  otherLanguage: "中文",
  otherLanguageShort: "中",
  otherLanguageName: "切换到中文",
  skip: "Skip to writing a message",
  room: "%0",
  openWallet: "Open your wallet. Balance:",
  history: "Your red packets",
  conversation: "Conversation",
  empty: "Nothing was said here today. Say hello, or send the first red packet.",
  newest: "To the newest",
  writeMessage: "Write a message",
  message: "Message",
  messageHint: "Message or /command",
  unknownCommand: "There is no command %0. Type / to see all of them.",
  unknownCommandLike: "There is no command %0. Did you mean %1?",
  suggestions: "Suggestions",
  send: "Send message",
  sendPacket: "Send a red packet",
  people: "People",
  you: "you",
  leave: "Leave",
  close: "Close",
  kind: "Kind",
  lucky: "Lucky draw",
  equal: "The same for all",
  forOne: "For one person",
  person: "For",
  noPeople: "Nobody else is here yet",
  total: "In all",
  amountTotal: "Amount in all (%0)",
  amountEach: "Amount of each share (%0)",
  amountOne: "Amount (%0)",
  shares: "Number of shares",
  greeting: "Greeting",
  greetingHint: "Best wishes!",
  putIn: "Put money in",
  amount_missing: "Write an amount like %0.",
  amount_form: "“%1” is not an amount. Write one like %0.",
  amount_separator: "“%1” can be read in two ways. Write digits alone, with a point before the decimals, like %0.",
  amount_decimals: "“%1” has too many digits after the point. Write an amount like %0.",
  amount_foreign: "“%1” is in another currency: amounts are in %2 here. Write one like %0.",
  amount_zero: "“%1” is nothing at all. Write an amount like %0.",
  amount_large: "“%1” is more than anybody can send. Write an amount like %0.",
  badShares: "Write a number of shares from 1 to %0.",
  badPerson: "Pick a person.",
  badGreeting: "The greeting is too long: at most %0 characters.",
  wallet: "Wallet",
  balance: "Balance",
  statement: "Statement",
  more: "More",
  received: "Received",
  sentTab: "Sent",
  nothingYet: "Nothing yet",
  kind_funded: "Money put in",
  kind_sent: "Red packet sent",
  kind_received: "Red packet received",
  kind_refunded: "Red packet returned",
  kind_withdrawn: "Money taken out",
  kind_cancelled: "Money not paid out, and back",
  takeOut: "Take money out",
  amountOut: "Amount to take out (%0)",
  onItsWay: "%0 is on its way to your bank.",
  state_open: "open",
  state_finished: "all taken",
  state_expired: "expired",
  from: "From %0",
  sharesTaken: "%0 of %1 opened",
  opened: "opened by you",
  packetOf: "Red packet from %0",
  notShown: "This red packet cannot be shown now.",
  showAgain: "Try again",
  reconnecting: "Reconnecting…",
  notSent: "Not sent.",
  sendAgain: "Send again",
  problem: "Something went wrong. Please try again.",
  problem_noanswer: "The server does not answer. Please try again.",
};

const ZH = {
  title: "红包",
  lead: "一个能发红包的聊天室：发一个，抢一个，看谁手气最佳。",
  yourName: "你的名字",
  nameHint: "每个窗口是一个人：再开一个窗口，就能和自己玩。",
  suggestedNames: "推荐的名字",
  join: "进入聊天室",
  refused: "登录已失效，请用同一个名字重新进入。",
  left: "你已离开聊天室。",
  theme: "浅色或深色",
  otherLanguage: "English",
  otherLanguageShort: "EN",
  otherLanguageName: "Switch to English",
  skip: "跳到写消息",
  room: "%0",
  openWallet: "打开零钱，余额：",
  history: "我的红包",
  conversation: "聊天记录",
  empty: "今天还没有人说话。打个招呼，或者发第一个红包吧。",
  newest: "看最新消息",
  writeMessage: "写消息",
  message: "消息",
  messageHint: "消息，或 / 命令",
  unknownCommand: "没有 %0 这个命令，输入 / 看看有哪些。",
  unknownCommandLike: "没有 %0 这个命令。你是不是想输入 %1？",
  suggestions: "建议",
  send: "发送消息",
  sendPacket: "发红包",
  people: "成员",
  you: "我",
  leave: "离开",
  close: "关闭",
  kind: "类型",
  lucky: "拼手气红包",
  equal: "普通红包",
  forOne: "专属红包",
  person: "发给谁",
  noPeople: "还没有别人在这里",
  total: "共计",
  amountTotal: "总金额（%0）",
  amountEach: "单个金额（%0）",
  amountOne: "金额（%0）",
  shares: "红包个数",
  greeting: "祝福语",
  greetingHint: "恭喜发财，大吉大利",
  putIn: "塞钱进红包",
  amount_missing: "请写金额，例如 %0。",
  amount_form: "“%1”不是金额，请写成 %0 这样。",
  amount_separator: "“%1”有不止一种读法，请只写数字和小数点，写成 %0 这样。",
  amount_decimals: "“%1”的小数位太多，请写成 %0 这样。",
  amount_foreign: "“%1”的币种不对：这里用%2，请写成 %0 这样。",
  amount_zero: "“%1”等于没发，请写成 %0 这样的金额。",
  amount_large: "“%1”太大了，请写成 %0 这样的金额。",
  badShares: "请写红包个数，1 到 %0。",
  badPerson: "请选一个人。",
  badGreeting: "祝福语太长了，最多%0个字。",
  wallet: "零钱",
  balance: "余额",
  statement: "账单",
  more: "更多",
  received: "收到的红包",
  sentTab: "发出的红包",
  nothingYet: "还没有记录",
  kind_funded: "充值",
  kind_sent: "发出红包",
  kind_received: "收到红包",
  kind_refunded: "红包退款",
  kind_withdrawn: "提现",
  kind_cancelled: "提现退回",
  takeOut: "提现",
  amountOut: "提现金额（%0）",
  onItsWay: "%0 正在转到你的银行卡。",
  state_open: "进行中",
  state_finished: "已抢光",
  state_expired: "已过期",
  from: "来自 %0",
  sharesTaken: "已领取 %0/%1 个",
  opened: "你已领取",
  packetOf: "%0 的红包",
  notShown: "现在无法显示这个红包。",
  showAgain: "再试一次",
  reconnecting: "正在重新连接…",
  notSent: "没有发出。",
  sendAgain: "重新发送",
  problem: "出了点问题，请再试一次。",
  problem_noanswer: "服务器没有响应，请再试一次。",
  "problem_insufficient-funds": "零钱不够。",
  "problem_invalid-argument": "这个红包不符合规则，请检查金额、个数和祝福语。",
  "problem_key-reused": "这个红包已经发过了，请重新填写。",
  "problem_not-found": "没有找到。",
  "problem_rate-limited": "操作太快了，请稍等一下。",
  problem_busy: "现在人太多了，请稍后再试。",
  problem_suspended: "服务暂停一会儿，请稍后再试。",
  problem_unavailable: "服务暂时不可用，请稍后再试。",
  problem_unauthenticated: "登录已失效，请重新进入。",
  "problem_plugin-failed": "红包插件出了故障，钱都在，请再试一次。",
  "problem_timed-out": "等得太久了，请再试一次。",
};

const ALL = { en: EN, zh: ZH };
const first = (navigator.languages ?? [navigator.language])
  .map((tag) => String(tag).slice(0, 2).toLowerCase())
  .find((language) => language in ALL);
const chosen = liked("language");
let spoken = chosen in ALL ? chosen : (first ?? "en");

export const language = () => spoken;

export function speak(next) {
  spoken = next;
  like("language", next);
}

export const otherLanguage = () => (spoken === "en" ? "zh" : "en");

/** A sentence with its parts, `%0`, `%1`: people's own words turn nothing around them. */
export const say = (key, ...parts) => ALL[spoken][key].replace(/%(\d)/g, (_, place) => isolated(String(parts[place])));

/** Characters that turn the direction of what follows them, or are written from right to left. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name as it is shown: what stands beside it is not turned, and neither is the name. */
export const named = (user) => String(user ?? "").replace(TURNS, "");

/**
 * Somebody's words within a sentence: marks of direction are left out, since one that is never closed would turn the
 * whole sentence around, and what is written from right to left is kept apart from the rest.
 */
export function isolated(words) {
  const plain = named(words);
  return FROM_RIGHT.test(plain) ? `\u2068${plain}\u2069` : plain;
}

/** What was typed, for naming it within a sentence: short, and on one line. */
export function quoted(typed) {
  const shown = [...typed.replace(/\p{Cc}+/gu, " ").trim()];
  return shown.length > 32 ? `${shown.slice(0, 32).join("")}…` : shown.join("");
}

/** Fills in the words of the page, or of a part of it. */
export function fillIn(root) {
  for (const at of root.querySelectorAll("[data-t]")) at.textContent = say(at.dataset.t);
  for (const at of root.querySelectorAll("[data-t-label]")) at.setAttribute("aria-label", say(at.dataset.tLabel));
  for (const at of root.querySelectorAll("[data-t-placeholder]")) at.placeholder = say(at.dataset.tPlaceholder);
}

/** Why something was not done, as one sentence. */
export function because(problem) {
  const code = problem.status === 0 ? "noanswer" : problem.code;
  return ALL[spoken][`problem_${code}`] ?? (sentence(problem.detail) || say("problem"));
}

function sentence(text) {
  if (!text) return "";
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?。！？]$/.test(begun) ? begun : `${begun}.`;
}

/** A time of today, or a day with its time. */
export function when(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  const day = isToday ? {} : { month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(spoken, { ...day, hour: "2-digit", minute: "2-digit" }).format(ms);
}

// Amounts: integers in minor units, written and read exactly, as BigInt throughout. The plugin reads amounts
// by the same rules (guest/src/chat/money.rs), and both are tested with tests/vectors/amounts.json.

let currency = "CNY";
let digits = 2;

export function setCurrency(name, places) {
  currency = name;
  digits = places;
}

/** Currencies that are written with a sign, by it. */
const SIGNS = {
  "¥": ["CNY", "JPY"],
  "$": ["USD", "HKD", "TWD", "SGD", "AUD", "CAD"],
  "€": ["EUR"],
  "£": ["GBP"],
  "₩": ["KRW"],
  "₹": ["INR"],
  "฿": ["THB"],
};
/** What people put behind an amount, the longest first. */
const WORDS = { CNY: ["块钱", "元", "块"], JPY: ["円"] };
const RMB = "rmb";
/** What people put behind a number of shares. */
const COUNTED = ["个", "個", "份"];
/** The digit zero of each script whose digits are read; the others follow it. */
const ZEROS = ["0", "\u0660", "\u06f0", "\u0966"];
const DIGIT = "[0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f]";
/** Digits with separators between them, as somebody's own country writes numbers. */
const SEPARATED = new RegExp(`^${DIGIT}(?:[.,٫٬،'’‘\`_·、。:\\s\u0085]*${DIGIT})*$`);
/** What nobody sees, and nothing is read differently without it. Not U+202E: it shows a text in reverse. */
const UNSEEN = /[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]/g;
const MOST = 2n ** 64n - 1n;

/** The currency's sign, or its code where it has none. */
export const symbol = () => Object.keys(SIGNS).find((sign) => SIGNS[sign].includes(currency)) ?? currency;

/** `100000` is `1,000.00` where there are two digits after the point. */
function plain(amount) {
  const all = String(BigInt(amount)).padStart(digits + 1, "0");
  const whole = all.slice(0, all.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  return digits ? `${whole}.${all.slice(-digits)}` : whole;
}

/** An amount as it is shown: `¥1,000.00`, or `88.888 KWD` where the currency has no sign. */
export function shown(amount) {
  const value = BigInt(amount);
  const size = plain(value < 0n ? -value : value);
  const sign = symbol();
  const text = sign === currency ? `${size} ${sign}` : sign + size;
  return value < 0n ? `−${text}` : text;
}

/** A movement on an account: always with plus or minus. */
export const signed = (amount) => (BigInt(amount) > 0n ? `+${shown(amount)}` : shown(amount));

/** An amount to show people how one is written. */
export const example = () => `8${digits ? `.${"8".repeat(digits)}` : ""}`;

/**
 * What was typed as `{ amount }` in minor units, or as `{ fault }`, which says why it is none: `missing`, `form`,
 * `separator` (it can be read in two ways), `decimals`, `foreign`, `zero`, `large`. Nothing is rounded or guessed.
 */
export function parse(typed) {
  const text = trim(fold(typed));
  if (!text) return { fault: "missing" };
  const number = bare(text);
  if (isForeign(number)) return { fault: "foreign" };
  const read = decimal(number);
  if (!read) return { fault: SEPARATED.test(number) ? "separator" : "form" };
  if (read.fraction.length > digits) return { fault: "decimals" };
  const amount = BigInt(read.whole + read.fraction.padEnd(digits, "0"));
  if (amount > MOST) return { fault: "large" };
  return amount > 0n ? { amount } : { fault: "zero" };
}

/** A count of shares from 1 to `most`; null for anything else. */
export function parseCount(typed, most) {
  const number = ascii(before(trim(fold(typed)), COUNTED));
  // A zero in front is refused: in `1 050`, `050` is the rest of an amount.
  const count = number && /^[1-9]\d{0,8}$/.test(number) ? Number(number) : 0;
  return count >= 1 && count <= most ? count : null;
}

/** Full-width characters as those of ASCII, capital letters as small ones, and nothing that is unseen. */
function fold(typed) {
  const narrow = { "￥": "¥", "￡": "£", "￦": "₩" };
  return typed
    .replace(UNSEEN, "")
    .replace(/[！-～]/g, (one) => String.fromCharCode(one.charCodeAt(0) - 0xfee0))
    .replace(/[￥￡￦]/g, (one) => narrow[one])
    .replace(/[A-Z]/g, (one) => one.toLowerCase());
}

const trim = (text) => text.replace(/^[\s\u0085]+/, "").replace(/[\s\u0085]+$/, "");

/** Without the first of these ends, or of these beginnings, that the text has. */
const before = (text, ends) => trim(text.slice(0, text.length - (ends.find((end) => text.endsWith(end)) ?? "").length));
const after = (text, beginnings) => trim(text.slice((beginnings.find((one) => text.startsWith(one)) ?? "").length));

/** The number without the sign, the code or the word of the currency, one on each side at most. */
function bare(text) {
  const code = currency.toLowerCase();
  // A code with a digit in it cannot be told from the number.
  const marks = /\d/.test(code) ? [] : [symbol().toLowerCase(), code, ...(currency === "CNY" ? [RMB] : [])];
  const number = after(text, marks);
  const unmarked = before(number, marks);
  return unmarked.length < number.length ? unmarked : before(number, WORDS[currency] ?? []);
}

/** Whether a number has the sign, the code or the word of another currency at one of its ends. */
function isForeign(number) {
  const others = Object.entries(SIGNS).filter(([, of]) => !of.includes(currency)).map(([sign]) => sign);
  const codes = Object.values(SIGNS).flat().filter((code) => code !== currency).map((code) => code.toLowerCase());
  const words = Object.entries({ ...WORDS, CNY: [...WORDS.CNY, RMB] }).filter(([of]) => of !== currency);
  return [...others, ...codes].some((mark) => number.startsWith(mark) || number.endsWith(mark))
    || words.flatMap(([, of]) => of).some((word) => number.endsWith(word));
}

/** The digits of ASCII, with `.` and `,`; null where there is anything else, or digits of two scripts. */
function ascii(number) {
  let script = null;
  let text = "";
  for (const one of number) {
    const zero = ZEROS.find((first) => one >= first && one.codePointAt(0) < first.codePointAt(0) + 10);
    if (one === "." || one === "٫") text += ".";
    else if (one === "," || one === "٬") text += ",";
    else if (zero === undefined || (script ?? zero) !== zero) return null;
    else {
      script = zero;
      text += one.codePointAt(0) - zero.codePointAt(0);
    }
  }
  return text;
}

/**
 * The digits in front of the point and behind it. Groups of three are taken where they can be nothing else:
 * where a point follows (`1,000.50`), or where there are two commas.
 */
function decimal(number) {
  const form = /^(?:(\d+)|([1-9]\d{0,2}(?:,\d{3}){2,}|[1-9]\d{0,2},\d{3}(?=\.)))(?:\.(\d+))?$/;
  const [, whole, groups, fraction = ""] = (ascii(number) ?? "").match(form) ?? [];
  if (whole === undefined && groups === undefined) return null;
  return { whole: whole ?? groups.replace(/,/g, ""), fraction };
}

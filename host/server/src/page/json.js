// JSON with exact integers. JavaScript's own reader rounds integers beyond 2^53 and its own writer refuses
// BigInt, and not every browser gives a reviver the source of a number (or has JSON.rawJSON). So numbers that
// would be rounded pass through as strings that begin with a mark nobody can guess.

/** The fields that hold money: BigInt also where they are small, so that code meets one type. */
const AMOUNTS = new Set([
  "amount", "balance", "best_amount", "claimed_amount", "large_from", "max_share", "refunded", "total",
]);
/** A string as a whole, or a number: digits within a string are none. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

const fresh = () => `${crypto.getRandomValues(new Uint32Array(4)).join("-")}:`;

/** Reads JSON: amounts, and every other integer that a Number would round, are BigInt. */
export function parse(text) {
  const mark = fresh();
  const isRounded = (token) => /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
  const marked = text.replace(TOKENS, (token) => (isRounded(token) ? `"${mark}${token}"` : token));
  return JSON.parse(marked, (key, value) => {
    if (typeof value === "string" && value.startsWith(mark)) return BigInt(value.slice(mark.length));
    return AMOUNTS.has(key) && Number.isSafeInteger(value) ? BigInt(value) : value;
  });
}

/** Writes JSON, with BigInt as an integer. */
export function stringify(value) {
  const mark = fresh();
  const marked = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? mark + one : one));
  return marked.replace(new RegExp(`"${mark}(-?\\d+)"`, "g"), "$1");
}

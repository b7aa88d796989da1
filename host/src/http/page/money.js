// Amounts: integers in minor units, written and read exactly. No floats.

let currency = "CNY";
let digits = 2;

export function setCurrency(name, places) {
  currency = name;
  digits = places;
}

export const places = () => digits;

/** `8880` is `88.80` where there are two digits after the point. */
export function plain(amount) {
  const all = String(BigInt(amount)).padStart(digits + 1, "0");
  const whole = all.slice(0, all.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  return digits ? `${whole}.${all.slice(-digits)}` : whole;
}

/** An amount with the sign of its currency. */
export function shown(amount) {
  const value = BigInt(amount);
  const size = plain(value < 0n ? -value : value);
  const sign = symbol();
  const text = /^\w+$/.test(sign) ? `${size} ${sign}` : sign + size;
  return value < 0n ? `−${text}` : text;
}

/** A movement on an account: always with plus or minus. */
export const signed = (amount) => (BigInt(amount) > 0n ? `+${shown(amount)}` : shown(amount));

export function symbol() {
  try {
    const style = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
    return new Intl.NumberFormat("en", style).formatToParts(0).find(({ type }) => type === "currency").value;
  } catch {
    return currency;
  }
}

/** Minor units of what was typed; null for what is not exactly an amount above zero. */
export function parse(typed) {
  const narrow = typed.normalize("NFKC").replace(/[\s,¥$€£]/g, "");
  const [, whole, fraction = ""] = narrow.match(/^(\d{1,15})(?:\.(\d+))?$/) ?? [];
  if (whole === undefined || fraction.length > digits) return null;
  const amount = BigInt(whole + fraction.padEnd(digits, "0"));
  return amount > 0n && amount <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(amount) : null;
}

/** A count of shares from 1 to `most`; null for anything else. */
export function parseCount(typed, most) {
  const narrow = typed.normalize("NFKC").trim();
  const count = /^\d{1,9}$/.test(narrow) ? Number(narrow) : 0;
  return count >= 1 && count <= most ? count : null;
}

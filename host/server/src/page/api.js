// Calls of the HTTP API. Every call that is made here may be made again: it reads, carries a key of
// its own, or has the same answer when it is asked for twice.

import { pause } from "./dom.js";
import { parse, stringify } from "./json.js";
import { forget, session } from "./session.js";

const RETRIES = 2;
const PATIENCE_MS = 15_000;
/** Whoever has to wait longer is told so instead. */
const LONGEST_WAIT_S = 8;

/** Why a call was not done: a problem document, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, { code = "", detail = "", title = "" } = {}, retryAfter = null) {
    super(detail || title || code || String(status));
    Object.assign(this, { status, code, detail: detail || title, retryAfter });
  }

  /**
   * Whether the call may have been carried out all the same: the answer was lost, or is not known yet. Then what is
   * sent again keeps its key. After any other refusal nothing was done, and what is sent again is a new request.
   */
  get leavesOpen() {
    return this.code === "in-progress" || this.status === 0 || this.status >= 500 || [408, 429].includes(this.status);
  }

  /** Whether the same call may be well a little later. */
  get passes() {
    // A plugin that broke would break again.
    if (this.code === "plugin-failed") return false;
    return this.code === "in-progress" || [0, 429, 502, 503, 504].includes(this.status);
  }
}

/** The headers that say who is asking. */
export const identity = () => ({ authorization: `Bearer ${session().key}` });

export const path = (...parts) => "/" + parts.map(encodeURIComponent).join("/");

const query = (fields) => {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? "?" + new URLSearchParams(given) : "";
};

export const get = (where, fields = {}) => repeated("GET", where + query(fields));
export const post = (where, body, key) => repeated("POST", where, body, key);

async function repeated(method, where, body, key) {
  for (let tried = 0; ; tried++) {
    try {
      return await once(method, where, body, key ? { "idempotency-key": key, ...identity() } : identity());
    } catch (problem) {
      const wait = problem.retryAfter ?? 0.4 * 2 ** tried;
      if (!problem.passes || tried >= RETRIES || wait > LONGEST_WAIT_S) throw problem;
      await pause(1000 * wait * (1 + Math.random() / 4));
    }
  }
}

async function once(method, where, body, headers) {
  const request = { method, headers: { accept: "application/json", ...headers } };
  request.signal = AbortSignal.timeout(PATIENCE_MS);
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = stringify(body);
  }
  let response;
  let answer;
  try {
    response = await fetch(where, request);
    answer = read(await response.text());
  } catch {
    throw new Problem(0, { code: "no-answer" });
  }
  if (response.ok) return answer;
  const after = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const problem = new Problem(response.status, answer, Number.isNaN(after) ? null : after);
  if (problem.status === 401 && session()) forget("refused");
  throw problem;
}

/** What is no JSON says nothing: a proxy's own page, for example. */
function read(text) {
  try {
    return parse(text) ?? {};
  } catch {
    return {};
  }
}

/** A session for a name; none of the key that may be there is shown. */
export const join = (name) => once("POST", "/demo/session", { name }, {});

/** A key that nobody else has; also where the page was not served securely. */
export function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

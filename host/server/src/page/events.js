// Live events of the room: a stream of server-sent events, read with fetch since EventSource cannot
// say who is asking. A lost stream is taken up again where it ended, after growing pauses.

import { identity, path } from "./api.js";
import { pause } from "./dom.js";
import { parse } from "./json.js";
import { forget, session } from "./session.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** The server says something every 15 s; silence this long is a dead connection. */
const SILENCE_MS = 40_000;
/** Before everything: the room's latest news come first, so that a newcomer sees what was said. */
const BEGINNING = "0-0";

/**
 * Listens until the returned function is called.
 * `on.event(name, data, at_ms)` for each event, `on.state("live" | "reconnecting")`, and
 * `on.begin()` once the first stream has begun.
 */
export function listen(on) {
  const run = { last: BEGINNING, stopped: false, cut: () => {}, wake: () => {} };
  follow(on, run);
  const online = () => run.wake();
  addEventListener("online", online);
  return () => {
    run.stopped = true;
    removeEventListener("online", online);
    run.cut();
    run.wake();
  };
}

async function follow(on, run) {
  let failures = 0;
  let begun = false;
  while (!run.stopped) {
    const heard = () => {
      failures = 0;
      on.state("live");
    };
    const opened = () => {
      heard();
      if (!begun) on.begin();
      begun = true;
    };
    await stream(on, run, opened, heard).catch(() => {});
    if (run.stopped) return;
    on.state("reconnecting");
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures++);
    await Promise.race([
      pause(longest / 2 + (Math.random() * longest) / 2),
      new Promise((resolve) => {
        run.wake = resolve;
      }),
    ]);
  }
}

async function stream(on, run, opened, heard) {
  const cut = new AbortController();
  run.cut = () => cut.abort();
  let watch = setTimeout(run.cut, SILENCE_MS);
  try {
    const headers = { accept: "text/event-stream", "last-event-id": run.last, ...identity() };
    const where = path("v1", "rooms", session().room, "events");
    const response = await fetch(where, { headers, signal: cut.signal, cache: "no-store" });
    if (response.status === 401) forget("refused");
    if (!response.ok || !response.body) throw new Error(String(response.status));
    opened();
    const read = parser((id, name, data) => dispatch(on, run, id, name, data));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || run.stopped) return;
      clearTimeout(watch);
      watch = setTimeout(run.cut, SILENCE_MS);
      heard();
      read(value);
    }
  } finally {
    clearTimeout(watch);
    cut.abort();
  }
}

function dispatch(on, run, id, name, data) {
  let value;
  try {
    value = parse(data);
  } catch {
    return;
  }
  on.event(name, value, Number.parseInt(id, 10) || Date.now());
  if (id) run.last = id;
}

/** Takes pieces of a stream as they come, and tells of each event that is whole. */
export function parser(tell) {
  let rest = "";
  let [id, name, data] = ["", "", []];
  const field = (line) => {
    if (line === "") {
      if (data.length) tell(id, name || "message", data.join("\n"));
      [name, data] = ["", []];
      return;
    }
    const at = line.indexOf(":");
    const key = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (key === "data") data.push(value);
    else if (key === "event") name = value;
    else if (key === "id" && !value.includes("\0")) id = value;
  };
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(field);
  };
}

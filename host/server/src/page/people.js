// The people whom this room has heard of, or who have joined: for the list at the side, for mentions, for packets.

import { get } from "./api.js";
import { avatar, byId, el, pause } from "./dom.js";
import { session } from "./session.js";
import { named, say } from "./words.js";

/** The room tells of somebody only once they say or send something, so whoever joined in silence is asked for. */
const LOOK_EVERY_MS = 4000;

const seen = new Set();
let whenMet = () => {};

export const onMeet = (listener) => {
  whenMet = listener;
};

export const meet = (user) => meetAll([user]);

function meetAll(users) {
  const strangers = users.filter((user) => user && !seen.has(user));
  if (!strangers.length) return;
  for (const user of strangers) seen.add(user);
  drawPeople();
  whenMet();
}

/** Looks who has joined, as long as this session lasts. */
export async function lookAround() {
  const { key } = session();
  while (session()?.key === key) {
    if (document.visibilityState === "visible") {
      // It is asked again soon, so nobody is told of an answer that did not come.
      const { people: joined = [] } = await get("/demo/people").catch(() => ({}));
      if (session()?.key === key) meetAll(joined);
    }
    await pause(LOOK_EVERY_MS);
  }
}

export const forgetPeople = () => seen.clear();

export const others = () => [...seen].filter((user) => user !== session()?.user);
export const people = () => [...seen];

export function drawPeople() {
  const own = session()?.user;
  const rows = [...seen].sort((a, b) => (b === own) - (a === own) || a.localeCompare(b));
  byId("people").replaceChildren(...rows.map((user) =>
    el("li", { "data-person": user }, avatar(user), el("span", { class: "who", dir: "auto", text: named(user) }),
      user === own ? el("span", { class: "aside", text: `(${say("you")})` }) : null)));
}

/** Who is named in a text, in the text's order: the longest name that fits, as a whole word. */
export function mentionsIn(text) {
  const names = people().sort((a, b) => b.length - a.length);
  const found = [];
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const user = names.find((name) => text.startsWith(name, at + 1) && /^($|[\s,，、.!?。！？])/.test(text.slice(at + 1 + name.length)));
    if (user) found.push({ text: `@${user}`, user });
  }
  return found.slice(0, 100);
}

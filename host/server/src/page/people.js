// The people whom this room has heard of: for the list at the side, for mentions, for packets.

import { avatar, byId, el } from "./dom.js";
import { session } from "./session.js";
import { named, say } from "./words.js";

const seen = new Set();

export function meet(user) {
  if (!user || seen.has(user)) return;
  seen.add(user);
  drawPeople();
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

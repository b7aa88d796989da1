// The conversation: what people say and the packets between it, in the order of time.

import { avatar, byId, el } from "./dom.js";
import { meet } from "./people.js";
import { session } from "./session.js";
import { fillIn, named, say, when } from "./words.js";

const messages = new Map();
/** More than this in one page makes it slow; the oldest go. */
const MOST_ITEMS = 400;

const log = () => byId("log");
const atEnd = () => log().scrollHeight - log().scrollTop - log().clientHeight < 120;
const latest = () => Number(log().lastElementChild?.dataset.at ?? 0);

export function clearRoom() {
  messages.clear();
  const empty = byId("empty");
  empty.hidden = false;
  log().replaceChildren(empty);
}

export function toEnd() {
  log().scrollTop = log().scrollHeight;
  byId("newest").hidden = true;
}

/** What changes the log keeps the end in sight for whoever was there. */
export function keepingEnd(change) {
  const stay = atEnd();
  change();
  if (stay) toEnd();
  else byId("newest").hidden = atEnd();
}

/** Puts an item where its time belongs; without a time, at the end. */
export function place(item, at = latest()) {
  item.dataset.at = String(at);
  keepingEnd(() => {
    byId("empty").hidden = true;
    let before = log().lastElementChild;
    while (before && Number(before.dataset.at ?? 0) > at) before = before.previousElementSibling;
    if (before) before.after(item);
    else log().prepend(item);
    const items = log().querySelectorAll(":scope > .item:not([data-packet])");
    if (items.length > MOST_ITEMS) items[0].remove();
  });
}

/** An item of the log: somebody's face and name, and what they bring. */
export function itemOf(user, at, ...content) {
  const own = user === session()?.user;
  return el("div", { class: `item${own ? " own" : ""}` }, avatar(user),
    el("div", { class: "item-body" },
      el("p", { class: "item-name" }, el("span", { class: "who", dir: "auto", text: named(user) }),
        own ? el("span", { class: "visually-hidden", text: ` (${say("you")})` }) : null,
        at ? el("time", { class: "aside", datetime: new Date(at).toISOString(), text: when(at) }) : null),
      ...content));
}

/** A message as it is heard. One that was written here is there already. */
export function hear({ id, sender, text }, at) {
  meet(sender);
  const known = messages.get(id);
  if (known) return settle(known, at);
  const item = itemOf(sender, at, bubble(text));
  item.dataset.message = id;
  messages.set(id, item);
  place(item, at);
}

function bubble(text) {
  const parts = text.split(/(@\S+)/);
  return el("p", { class: "bubble", dir: "auto" }, ...parts.map((part) => (
    part.startsWith("@") ? el("strong", { class: "mention", text: part }) : part)));
}

/** A message that is on its way. */
export function write(id, text) {
  const item = itemOf(session().user, Date.now(), bubble(text));
  item.dataset.message = id;
  item.dataset.pending = "";
  messages.set(id, item);
  place(item);
  toEnd();
}

function settle(item, at) {
  delete item.dataset.pending;
  item.querySelector(".not-sent")?.remove();
  if (at) item.dataset.at = String(at);
}

/** A message that was answered: a command leaves no trace in the room. */
export function sent(id, said) {
  const item = messages.get(id);
  if (!item) return;
  settle(item);
  if (!said) {
    item.remove();
    messages.delete(id);
  }
}

/** A message that is not on its way any more: it can be sent again under the same id. */
export function failed(id, why, again) {
  const item = messages.get(id);
  if (!item) return;
  delete item.dataset.pending;
  item.querySelector(".not-sent")?.remove();
  item.querySelector(".item-body").append(el("p", { class: "not-sent", role: "alert" }, `${say("notSent")} ${why} `,
    el("button", { type: "button", class: "button quiet", text: say("sendAgain"), onclick: () => {
      item.querySelector(".not-sent").remove();
      item.dataset.pending = "";
      again();
    } })));
}

export function roomInOtherWords() {
  for (const own of log().querySelectorAll(".own .item-name .visually-hidden")) own.textContent = ` (${say("you")})`;
  for (const time of log().querySelectorAll("time")) time.textContent = when(Date.parse(time.dateTime));
  fillIn(log());
}

export function startRoom() {
  byId("newest").addEventListener("click", () => {
    toEnd();
    byId("message").focus();
  });
  let wasAtEnd = true;
  log().addEventListener("scroll", () => {
    wasAtEnd = atEnd();
    if (wasAtEnd) byId("newest").hidden = true;
  }, { passive: true });
  // A keyboard that comes up on a phone hides nothing that was in sight.
  new ResizeObserver(() => wasAtEnd && toEnd()).observe(log());
}

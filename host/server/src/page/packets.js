// The room's packets: one card for each, which is asked of the plugin again whenever it changes.

import { get, path, post } from "./api.js";
import { roomCard, senderOf } from "./card.js";
import { byId, el, pause } from "./dom.js";
import { meet } from "./people.js";
import { itemOf, keepingEnd, place } from "./room.js";
import { session } from "./session.js";
import { language, say } from "./words.js";

/** As many as one page of the room shows when it is opened. */
const LATEST = 20;
/** As many cards as are asked for at the same time, and the rest after each: a service bears only so
 *  many calls of one person in a second. */
const AT_ONCE = 2;
const REST_MS = 120;

const packets = new Map();
const waiting = [];
let asking = 0;
let press = () => {};

export const onPress = (listener) => {
  press = listener;
};

export function clearPackets() {
  packets.clear();
  waiting.length = 0;
}

function packet(id) {
  if (!packets.has(id)) {
    const standing = { claimed: 0, shares: 0, opened: false };
    packets.set(id, { id, at: undefined, version: -1, asked: 0, awaited: 0, standing, card: null, item: null });
  }
  return packets.get(id);
}

/** The room's card, as a reply brought it or as `show` answered. */
export function drawPacket(card) {
  const one = packet(card.packet);
  one.card = card;
  one.sender ??= senderOf(card);
  for (const { user } of card.fields) meet(user);
  draw(one);
}

function draw(one) {
  const view = one.card ? roomCard(one.card, one.standing, press) : unknown(one);
  if (!one.item) {
    one.item = itemOf(one.sender, one.at ?? Date.now(), view);
    Object.assign(one.item.dataset, { packet: one.id, state: one.card?.theme ?? "unknown" });
    one.item.tabIndex = -1;
    one.item.setAttribute("role", "group");
    one.item.setAttribute("aria-label", say("packetOf", one.sender ?? ""));
    return place(one.item, one.at);
  }
  keepingEnd(() => {
    const old = one.item.querySelector(".card");
    const focused = old.contains(document.activeElement) && document.activeElement.dataset.action;
    old.replaceWith(view);
    one.item.dataset.state = one.card?.theme ?? "unknown";
    one.item.setAttribute("aria-label", say("packetOf", one.sender ?? ""));
    // Whoever stood on a button stands on it again, or on the card.
    if (focused) (view.querySelector(`[data-action="${focused}"]`) ?? one.item).focus();
  });
}

/** A packet that the plugin could not show. */
function unknown(one) {
  return el("div", { class: "card", "data-state": "expired" },
    el("div", { class: "card-top" }, el("div", { class: "card-words" }, el("p", { class: "card-title", text: say("notShown") }))),
    el("div", { class: "card-buttons" }, el("button", {
      type: "button", class: "card-button normal", "data-action": "show", text: say("showAgain"), onclick: () => show(one),
    })));
}

/** Asks for the card as it stands now. Of several answers the one that was asked for last counts. */
function show(one) {
  one.asked += 1;
  one.awaited += 1;
  waiting.push([one, one.asked]);
  // What was asked for last is at the end of the room, where people look.
  while (asking < AT_ONCE && waiting.length) ask(...waiting.pop());
}

async function ask(one, turn) {
  asking += 1;
  const user = session()?.user;
  let rest = 0;
  try {
    if (turn !== one.asked) return;
    rest = REST_MS;
    const where = path("v1", "packets", one.id, "actions", "show");
    const { replies } = await post(where, { user, language: language() });
    if (turn !== one.asked || user !== session()?.user) return;
    const reply = replies.find(({ kind, card }) => kind === "card" && !card.private);
    if (reply) drawPacket(reply.card);
    else if (!one.card) draw(one);
  } catch {
    if (user === session()?.user && !one.card) draw(one);
  } finally {
    await pause(rest);
    asking -= 1;
    one.awaited -= 1;
    if (waiting.length) ask(...waiting.pop());
  }
}

/** News of a packet. Returns whether it is news: not of a version that was seen before. */
export function packetNews(name, news, at) {
  const one = packet(news.packet);
  if (news.version <= one.version) return false;
  one.version = news.version;
  one.sender ??= news.sender;
  one.at ??= at;
  meet(news.sender);
  stand(one, news);
  if (name !== "progress") show(one);
  else if (one.card) draw(one);
  // A card that is asked for already would never come if each share asked for it anew.
  else if (!one.awaited) show(one);
  return true;
}

function stand(one, { claimed_shares: claimed, shares }) {
  // Shares are never given back: of two numbers, the larger is the later.
  Object.assign(one.standing, { claimed: Math.max(one.standing.claimed, claimed), shares });
}

/** Marks a packet of which the reader has a share. */
export function markOpened(id) {
  const one = packet(id);
  if (one.standing.opened) return;
  one.standing.opened = true;
  if (one.card && one.item) draw(one);
}

/** The room's latest packets, each as it stands now. */
export async function loadPackets() {
  const { items } = await get(path("v1", "rooms", session().room, "packets"), { limit: LATEST });
  for (const item of [...items].sort((a, b) => a.sent_at_ms - b.sent_at_ms)) {
    const one = packet(item.packet);
    one.sender ??= item.sender;
    one.at ??= item.sent_at_ms;
    meet(item.sender);
    stand(one, item);
    show(one);
  }
  const received = await get(path("v1", "users", session().user, "received"), { limit: 50 });
  for (const { packet: id } of received.items) markOpened(id);
}

/** A packet that was sent from here: its card is asked for before the room hears of it. */
export function bring(id, sender) {
  packet(id).sender ??= sender;
  show(packet(id));
}

export function showAllAgain() {
  for (const one of packets.values()) show(one);
}

/** Where the focus goes when a packet's dialog closes and its button is gone. */
export const cardOf = (id) => packets.get(id)?.item ?? byId("message");

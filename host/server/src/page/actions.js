// Buttons and answers: a pressed button asks the plugin, and each part of an answer goes to its place.

import { path, post } from "./api.js";
import { privateCard } from "./card.js";
import { byId, openDialog, pause, toast, whileBusy } from "./dom.js";
import { cardOf, drawPacket, markOpened } from "./packets.js";
import { meet } from "./people.js";
import { session } from "./session.js";
import { because, language } from "./words.js";

/** As long as the coin turns at least: an answer at once would spoil the moment. */
const TURN_MS = 900;

let whenMoneyMoves = () => {};
export const onMoney = (listener) => {
  whenMoneyMoves = listener;
};

/** A button of a card was pressed. */
export function press(packet, action, button) {
  return whileBusy(button, async () => {
    const isCoin = button.classList.contains("coin");
    button.classList.toggle("turning", isCoin);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    try {
      const where = path("v1", "packets", packet, "actions", action);
      const asked = post(where, { user: session().user, language: language() });
      const [{ replies }] = await Promise.all([asked, pause(isCoin && !still ? TURN_MS : 0)]);
      take(replies);
    } catch (problem) {
      if (session()) toast(because(problem), "problem");
    } finally {
      button.classList.remove("turning");
    }
  });
}

/** Each part of an answer goes to its place: the room, the dialog, or a passing line. */
export function take(replies) {
  for (const reply of replies) {
    if (reply.kind === "card" && reply.card.private) showPrivate(reply.card);
    else if (reply.kind === "card") showRoom(reply.card);
    else if (reply.kind === "notice") toast(reply.text);
    else if (reply.kind === "problem") toast(reply.message, "problem");
  }
}

function showRoom(card) {
  if (card.packet) drawPacket(card);
  else showPrivate(card);
}

function showPrivate(card) {
  const dialog = byId("packet-dialog");
  const before = byId("packet-view").querySelector(".envelope");
  const view = privateCard(card, press);
  const reveals = card.theme === "opened" && dialog.open && before?.dataset.packetView === card.packet;
  view.classList.toggle("revealing", reveals);
  byId("packet-view").replaceChildren(view);
  dialog.dataset.state = card.theme;
  for (const { user } of card.fields) meet(user);
  openDialog(dialog, () => (card.packet ? cardOf(card.packet) : byId("message")));
  (view.querySelector(".coin") ?? byId("packet-title")).focus();
  if (card.theme === "opened") {
    markOpened(card.packet);
    whenMoneyMoves();
  }
}

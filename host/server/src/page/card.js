// Draws the plugin's cards. A card says what is shown, and this file how: on the room's wall, as a
// sealed envelope with a coin to press, or as a sheet with amounts and people.

import { avatar, el } from "./dom.js";
import { isolated, named, say } from "./words.js";

const lines = (text) => String(text ?? "").split("\n").filter(Boolean);

/** Who the card is from: the first person that it names. */
export const senderOf = (card) => card.fields.find(({ user }) => user)?.user;

/** `3/5` with a bar; said in words to those who listen. */
function progress({ claimed, shares }) {
  const bar = el("progress", { max: shares, value: claimed, "aria-label": say("sharesTaken", claimed, shares) });
  return el("p", { class: "progress", "data-progress": `${claimed}/${shares}` }, bar,
    el("span", { "aria-hidden": "true", text: `${claimed}/${shares}` }));
}

function buttons(card, press) {
  if (!card.buttons.length) return null;
  return el("div", { class: "card-buttons" }, ...card.buttons.map(({ action, label, emphasis }) =>
    el("button", {
      type: "button",
      class: `card-button ${emphasis === "primary" ? "primary" : "normal"}`,
      "data-action": action,
      text: label,
      onclick: (event) => press(card.packet, action, event.currentTarget),
    })));
}

/** A line of a card: a person with a value, or a label with one. */
function field({ user, label, value }, sender) {
  const [head, ...rest] = value.split(" · ");
  const isFrom = user && user === sender && !rest.length;
  const marks = rest.map((part) =>
    el("span", { class: /^[+\d]/.test(part) ? "aside" : "badge", text: part }));
  return el("li", { class: `field${user ? " person" : ""}`, "data-user": user ?? undefined },
    user && !isFrom ? avatar(user) : null,
    el("span", { class: "field-label" }, el("span", { class: "who", dir: "auto", text: user ? named(user) : label }),
      user && label.startsWith("#") ? el("span", { class: "aside", text: ` ${label}` }) : null),
    el("span", { class: "field-value" }, el("span", { text: head }), ...marks));
}

const fields = (card, all = card.fields, sender = undefined) =>
  all.length ? el("ul", { class: "fields" }, ...all.map((one) => field(one, sender))) : null;

/** The room's card about a packet. `standing` is `{claimed, shares, opened}`, as far as it is known. */
export function roomCard(card, standing, press) {
  const [greeting, ...rest] = lines(card.body);
  const parts = [
    el("div", { class: "card-top" },
      el("span", { class: "seal", "aria-hidden": "true" }),
      el("div", { class: "card-words" },
        el("p", { class: "card-greeting", dir: "auto", text: greeting ?? card.title }),
        greeting ? el("p", { class: "card-title", text: card.title }) : null,
        ...rest.map((text) => el("p", { class: "card-line", dir: "auto", text })))),
    fields(card, card.fields, senderOf(card)),
    card.theme === "sealed" && standing.shares ? progress(standing) : null,
    standing.opened ? el("p", { class: "mine", text: `✓ ${say("opened")}` }) : null,
    buttons(card, press),
  ];
  return el("div", { class: "card", "data-state": card.theme, "data-opened": standing.opened }, ...parts.filter(Boolean));
}

/** What the dialog shows of a card for the reader alone. */
export function privateCard(card, press) {
  return card.buttons.some(({ action }) => action === "open") ? envelope(card, press) : sheet(card, press);
}

/** A sealed envelope: the coin on it opens. */
function envelope(card, press) {
  const { action, label } = card.buttons.find((button) => button.action === "open");
  const sender = senderOf(card);
  const from = card.fields.find(({ user }) => user === sender);
  return el("div", { class: "envelope", "data-state": card.theme, "data-packet-view": card.packet },
    el("div", { class: "flap", "aria-hidden": "true" }),
    el("div", { class: "envelope-words" },
      sender ? avatar(sender) : null,
      el("h2", { id: "packet-title", tabindex: "-1", text: sender ? `${isolated(sender)} ${from.value}` : card.title }),
      ...lines(card.body).map((text) => el("p", { class: "envelope-greeting", dir: "auto", text }))),
    el("button", {
      type: "button",
      class: "coin",
      "data-action": action,
      onclick: (event) => press(card.packet, action, event.currentTarget),
    }, el("span", { class: "coin-face", text: label })),
    el("p", { class: "envelope-foot", "aria-hidden": "true", text: "福" }));
}

/** An amount, a list of who got what, help, or that it is too late. */
function sheet(card, press) {
  const sender = senderOf(card);
  const isOpened = card.theme === "opened";
  const words = lines(card.body);
  const title = el("h2", { id: "packet-title", class: isOpened ? "amount" : "", tabindex: "-1", text: card.title });
  const greeting = words.shift();
  const head = isOpened
    ? [sender ? el("p", { class: "sheet-from" }, avatar(sender), el("span", { text: say("packetOf", sender) })) : null,
       words.length ? el("p", { class: "sheet-greeting", dir: "auto", text: greeting }) : null, title,
       ...(words.length ? words : [greeting]).map((text) => el("p", { class: "sheet-line", dir: "auto", text }))]
    : [title, greeting ? el("p", { class: "sheet-greeting", dir: "auto", text: greeting }) : null,
       ...words.map((text) => el("p", { class: "sheet-line", dir: "auto", text }))];
  const rest = isOpened ? card.fields.filter(({ user }) => user !== sender) : card.fields;
  return el("div", { class: "opened-sheet", "data-state": card.theme, "data-packet-view": card.packet },
    el("div", { class: "arch", "aria-hidden": "true" }),
    el("div", { class: "opened-head" }, ...head.filter(Boolean)),
    fields(card, rest),
    buttons(card, press));
}

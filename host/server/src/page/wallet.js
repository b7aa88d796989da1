// The wallet and the history: what a person has, and what came and went.

import { get, path } from "./api.js";
import { byId, closable, el, openDialog, pause, toast, whileBusy } from "./dom.js";
import { shown, signed } from "./money.js";
import { openPayout, startPayout } from "./payout.js";
import { session } from "./session.js";
import { because, say, when } from "./words.js";

const PAGE = 20;
/** Money is credited a little after it was won: when to look again. */
const LATER_MS = [300, 1200, 3000, 8000];

let balance = null;
let looking = 0;

export function startWallet() {
  closable(byId("wallet"));
  closable(byId("history"));
  byId("balance").addEventListener("click", () => {
    openDialog(byId("wallet"), () => byId("balance"));
    lookAtBalance();
    openPayout();
    statement.begin();
  });
  startPayout(() => {
    lookAtBalance();
    statement.begin();
  });
  byId("history-open").addEventListener("click", () => {
    openDialog(byId("history"), () => byId("history-open"));
    choose(byId("tab-received"));
  });
  for (const tab of tabs()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", turnTabs);
  }
}

/** Reads the balance, and shows it. Returns whether it is another than before. */
export async function lookAtBalance() {
  const wallet = await get(path("v1", "users", session().user, "wallet")).catch(() => null);
  if (!wallet) return false;
  const changed = balance !== wallet.balance;
  balance = wallet.balance;
  drawBalance();
  return changed;
}

export function drawBalance() {
  const text = balance === null ? "–" : shown(balance);
  byId("balance-amount").textContent = text;
  byId("wallet-amount").textContent = text;
}

export function forgetBalance() {
  balance = null;
  looking += 1;
  drawBalance();
}

/** Looks until the balance has changed, or nothing comes. */
export async function lookSoon() {
  const turn = ++looking;
  for (const ms of LATER_MS) {
    await pause(ms);
    if (turn !== looking || !session() || (await lookAtBalance())) return;
  }
}

/** A list that grows by pages. */
function pages(list, more, where, row) {
  let cursor;
  let turn = 0;
  const load = async () => {
    const own = turn;
    try {
      const page = await get(where(), { limit: PAGE, before: cursor });
      if (own !== turn) return;
      cursor = page.next;
      const rows = page.items.map(row);
      byId(list).append(...rows);
      if (!byId(list).children.length) byId(list).append(el("li", { class: "nothing", text: say("nothingYet") }));
      const had = document.activeElement === byId(more);
      byId(more).hidden = !cursor;
      // Whoever pressed a button that is gone goes on with what it brought.
      if (had && !cursor && rows[0]) {
        rows[0].tabIndex = -1;
        rows[0].focus();
      }
    } catch (problem) {
      if (session()) toast(because(problem), "problem");
    }
  };
  byId(more).addEventListener("click", () => whileBusy(byId(more), load));
  return {
    begin() {
      turn += 1;
      cursor = undefined;
      byId(list).replaceChildren();
      byId(more).hidden = true;
      return load();
    },
  };
}

function row(name, aside, amount, at, data) {
  return el("li", { class: "entry", ...data },
    el("span", { class: "entry-name", dir: "auto", text: name }),
    el("span", { class: `entry-amount${amount.startsWith("+") ? " gain" : ""}`, text: amount }),
    el("span", { class: "aside entry-aside", dir: "auto", text: aside }),
    el("time", { class: "aside", datetime: new Date(at).toISOString(), text: when(at) }));
}

const mine = (...rest) => path("v1", "users", session().user, ...rest);

const statement = pages("statement", "statement-more", () => mine("wallet", "statement"), (item) =>
  row(say(`kind_${item.kind}`), "", signed(item.amount), item.at_ms, { "data-kind": item.kind }));

let which = "received";

const receivedRow = ({ packet, sender, greeting, amount, claimed_at_ms: at }) =>
  row(say("from", sender), greeting, signed(amount), at, { "data-history": packet });

function sentRow(item) {
  const taken = say("sharesTaken", item.claimed_shares, item.shares);
  const aside = `${say(`state_${item.state}`)} · ${taken}`;
  return row(item.greeting, aside, shown(item.total), item.sent_at_ms, { "data-history": item.packet });
}

const history = pages("history-list", "history-more", () => mine(which), (item) =>
  (which === "sent" ? sentRow(item) : receivedRow(item)));

const tabs = () => [byId("tab-received"), byId("tab-sent")];

function choose(tab) {
  which = tab.id === "tab-sent" ? "sent" : "received";
  for (const one of tabs()) {
    one.setAttribute("aria-selected", String(one === tab));
    one.tabIndex = one === tab ? 0 : -1;
  }
  byId("history-panel").setAttribute("aria-labelledby", tab.id);
  history.begin();
}

function turnTabs(event) {
  if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  const next = tabs().find((tab) => tab !== event.currentTarget);
  next.focus();
  choose(next);
}

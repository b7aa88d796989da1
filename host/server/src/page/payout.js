// Taking money out of the wallet. The bank is pretended: it pays after a moment.

import { freshKey, post } from "./api.js";
import { byId, toast, whileBusy } from "./dom.js";
import { example, parse, shown, symbol } from "./money.js";
import { session } from "./session.js";
import { because, quoted, say } from "./words.js";

/** What was asked for and whose answer is not known, with its key. */
let asked = null;
let whenTaken = () => {};

export function startPayout(taken) {
  whenTaken = taken;
  byId("payout-form").addEventListener("input", () => refuse(""));
  byId("payout-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

/** Begins with nothing typed. */
export function openPayout() {
  byId("payout-form").reset();
  byId("payout-label").textContent = say("amountOut", symbol());
  byId("payout-amount").placeholder = example();
  refuse("");
}

/** Says what is wrong; an empty reason takes it back. */
function refuse(why) {
  const problem = byId("payout-problem");
  problem.textContent = why;
  problem.hidden = !why;
  byId("payout-amount").toggleAttribute("aria-invalid", false);
  if (!why) return;
  byId("payout-amount").setAttribute("aria-invalid", "true");
  byId("payout-amount").focus();
}

function submit() {
  return whileBusy(byId("payout-submit"), async () => {
    refuse("");
    const typed = byId("payout-amount").value;
    const { amount, fault } = parse(typed);
    if (fault) return refuse(say(`amount_${fault}`, example(), quoted(typed), symbol()));
    // After a lost answer the same amount keeps its key, so it leaves once.
    if (asked?.amount !== amount) asked = { amount, key: freshKey() };
    try {
      await post("/demo/withdrawals", { amount }, asked.key);
      asked = null;
      byId("payout-form").reset();
      toast(say("onItsWay", shown(amount)));
      whenTaken();
    } catch (problem) {
      if (!problem.leavesOpen) asked = null;
      if (session()) refuse(because(problem));
    }
  });
}

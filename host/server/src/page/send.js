// The dialog for sending a packet: what is typed is checked here first, and sent once however often
// the button is pressed.

import { freshKey, path, post } from "./api.js";
import { byId, closable, el, openDialog, whileBusy } from "./dom.js";
import { stringify } from "./json.js";
import { example, parse, parseCount, shown, symbol } from "./money.js";
import { bring } from "./packets.js";
import { onMeet, others } from "./people.js";
import { session } from "./session.js";
import { because, isolated, quoted, say } from "./words.js";

let policy = { max_shares: 100, max_greeting_chars: 64, default_strategy: "double-average" };
/** The order whose answer is not known, with its key. */
let order = null;
/** Stores keep signed integers of 64 bits. */
const MOST = 2n ** 63n - 1n;
let whenSent = () => {};

export const setPolicy = (next) => {
  policy = next;
};

export function startSending(sent) {
  whenSent = sent;
  closable(byId("send-dialog"));
  onMeet(() => byId("send-dialog").open && offerPeople());
  byId("send-packet").addEventListener("click", open);
  byId("send-form").addEventListener("input", () => {
    refuse("");
    redraw();
  });
  byId("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

const kind = () => byId("send-form").elements.kind.value;

/** Whom a packet may be for; who is chosen stays chosen when somebody else comes. */
function offerPeople() {
  const [choice, before] = [byId("send-person"), byId("send-person").value];
  const people = others().map((user) => el("option", { value: user, text: isolated(user) }));
  choice.replaceChildren(...(people.length ? people : [el("option", { value: "", text: say("noPeople") })]));
  if (others().includes(before)) choice.value = before;
}

function open() {
  offerPeople();
  byId("send-greeting").placeholder = greetingOfOurs();
  refuse("");
  redraw();
  openDialog(byId("send-dialog"), () => byId("send-packet"));
  byId("send-amount").focus();
}

/** Ours where none is typed, unless it is longer than this tenant takes. */
function greetingOfOurs() {
  const ours = say("greetingHint");
  return [...ours].length > policy.max_greeting_chars ? "" : ours;
}

function redraw() {
  const of = kind();
  byId("send-person-row").hidden = of !== "one";
  byId("send-shares-row").hidden = of === "one";
  const label = { lucky: "amountTotal", equal: "amountEach", one: "amountOne" }[of];
  byId("send-amount-label").textContent = say(label, symbol());
  byId("send-amount").placeholder = example();
  byId("send-shares").placeholder = `1–${policy.max_shares}`;
  const { amount } = parse(byId("send-amount").value);
  byId("send-total").textContent = shown(amount === undefined ? 0n : totalOf(amount, shares() ?? 0));
}

const shares = () => (kind() === "one" ? 1 : parseCount(byId("send-shares").value, policy.max_shares));

const totalOf = (amount, count) => (kind() === "equal" ? amount * BigInt(count) : amount);

/** What is typed, as an order; or null, and the form says what is wrong. */
function read() {
  const typed = byId("send-amount").value;
  const [of, { amount, fault }, count] = [kind(), parse(typed), shares()];
  const greeting = byId("send-greeting").value.trim() || greetingOfOurs();
  const person = byId("send-person").value;
  if (of === "one" && !person) return refuse(say("badPerson"), "send-person");
  if (fault) return refuse(say(`amount_${fault}`, example(), quoted(typed), symbol()), "send-amount");
  if (count === null) return refuse(say("badShares", policy.max_shares), "send-shares");
  const total = totalOf(amount, count);
  if (total > MOST) return refuse(say("amount_large", example(), quoted(typed)), "send-amount");
  if ([...greeting].length > policy.max_greeting_chars) {
    return refuse(say("badGreeting", policy.max_greeting_chars), "send-greeting");
  }
  const lucky = policy.default_strategy === "equal" ? "double-average" : policy.default_strategy;
  return {
    sender: session().user,
    room: session().room,
    total,
    shares: count,
    strategy: of === "equal" ? "equal" : lucky,
    greeting,
    ...(of === "one" ? { to: [person] } : {}),
  };
}

/** Says what is wrong and puts the cursor there; an empty reason takes it back. */
function refuse(why, where) {
  const problem = byId("send-problem");
  problem.textContent = why;
  problem.hidden = !why;
  for (const id of ["send-person", "send-amount", "send-shares", "send-greeting"]) {
    byId(id).toggleAttribute("aria-invalid", false);
    if (id === where) byId(id).setAttribute("aria-invalid", "true");
  }
  if (where) byId(where).focus();
  return null;
}

function submit() {
  return whileBusy(byId("send-submit"), async () => {
    refuse("");
    const wanted = read();
    if (!wanted) return;
    // After a lost answer the same order keeps its key, so it is the same packet. After a refusal it is a new
    // request: what stood in its way may be gone.
    const text = stringify(wanted);
    if (order?.text !== text) order = { text, key: freshKey() };
    try {
      const { packet } = await post(path("v1", "packets"), wanted, order.key);
      order = null;
      byId("send-form").reset();
      byId("send-dialog").close();
      bring(packet, wanted.sender);
      whenSent();
    } catch (problem) {
      if (!problem.leavesOpen) order = null;
      if (session()) refuse(because(problem));
    }
  });
}

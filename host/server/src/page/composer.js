// Writing: messages, commands with suggestions, and people named with @.

import { take } from "./actions.js";
import { freshKey, path, post } from "./api.js";
import { byId, el, toast, whileBusy } from "./dom.js";
import { mentionsIn, others } from "./people.js";
import { failed, sent, write } from "./room.js";
import { session } from "./session.js";
import { because, language, quoted, say } from "./words.js";

let commands = [];
let options = [];
let active = -1;
/** A command whose outcome is not known: typed again it is the same message, so nothing is sent twice. */
let unanswered = null;

export const setCommands = (known) => {
  commands = known;
};

export function startComposer() {
  const input = byId("message");
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    if (isCommand(text)) command(text);
    else speak(text);
  });
  input.addEventListener("input", suggest);
  input.addEventListener("keydown", keys);
  input.addEventListener("blur", () => setTimeout(hide, 150));
  byId("suggestions").addEventListener("pointerdown", (event) => event.preventDefault());
}

/** Whether it begins with a slash, behind whatever nobody sees. The server decides the same, and has the last word. */
const isCommand = (text) => BEFORE_SLASH.test(text);
const BEFORE_SLASH = /^[\s\p{Cc}\p{Cf}]*[/／∕⁄]/u;

/** A command that nobody here knows is not lost without a word. */
function unknown(text, { did_you_mean: known }) {
  const typed = quoted(text.match(/\S+/)[0]);
  toast(known ? say("unknownCommandLike", typed, known) : say("unknownCommand", typed), "problem");
}

const send = (id, text) =>
  post(path("v1", "rooms", session().room, "messages"), {
    id,
    sender: session().user,
    text,
    mentions: mentionsIn(text),
    language: language(),
  });

function clear() {
  byId("message").value = "";
  hide();
}

function speak(text) {
  const id = freshKey();
  write(id, text);
  clear();
  const go = async () => {
    try {
      const answer = await send(id, text);
      sent(id, answer.said);
      if (!answer.said && !answer.handled) unknown(text, answer);
      take(answer.replies ?? []);
    } catch (problem) {
      if (session()) failed(id, because(problem), go);
    }
  };
  go();
}

const leavesOpen = ({ kind, code }) => kind === "problem" && ["busy", "internal", "unavailable"].includes(code);

function command(text) {
  const id = unanswered?.text === text ? unanswered.id : freshKey();
  return whileBusy(byId("send-message"), async () => {
    try {
      const answer = await send(id, text);
      const replies = answer.replies ?? [];
      // The plugin, too, may not know what became of a packet: then the text stays, to be sent again.
      unanswered = replies.some(leavesOpen) ? { id, text } : null;
      if (!answer.said && !answer.handled) return unknown(text, answer);
      // What was refused stays as well, to be mended.
      const isDone = !replies.some(({ kind }) => kind === "problem");
      if (isDone && byId("message").value.trim() === text) clear();
      take(replies);
    } catch (problem) {
      unanswered = problem.leavesOpen ? { id, text } : null;
      if (session()) toast(because(problem), "problem");
    }
  });
}

function suggest() {
  const input = byId("message");
  const before = input.value.slice(0, input.selectionStart);
  const name = before.match(/(?:^|\s)@([^\s@]*)$/)?.[1];
  if (name !== undefined) {
    const fits = others().filter((user) => user.toLowerCase().startsWith(name.toLowerCase())).slice(0, 6);
    offer(fits.map((user) => ({ head: `@${user}`, use: () => replace(before.length - name.length - 1, `@${user} `) })));
  } else if (isCommand(input.value)) {
    offer(fitting(input.value).map(({ form, description }) => ({
      head: form, text: description, use: () => replace(0, form, input.value.length),
    })));
  } else {
    hide();
  }
}

/** The commands that begin as what is typed does; those in the reader's script first. */
function fitting(typed) {
  const isChinese = ({ form }) => /\p{Script=Han}/u.test(form);
  const wanted = typed.replace(BEFORE_SLASH, "/").toLowerCase();
  const fits = commands.filter(({ form }) => form.toLowerCase().startsWith(wanted) && form !== typed);
  const own = language() === "zh" ? 1 : -1;
  return fits.sort((a, b) => own * (isChinese(b) - isChinese(a)));
}

function replace(from, text, to = byId("message").selectionStart) {
  const input = byId("message");
  input.setRangeText(text, from, to, "end");
  input.focus();
  suggest();
}

function offer(found) {
  options = found;
  active = -1;
  const list = byId("suggestions");
  list.replaceChildren(...found.map(({ head, text, use }, index) =>
    el("li", { id: `suggestion-${index}`, role: "option", "aria-selected": "false", onclick: use },
      el("span", { class: "suggestion-head", dir: "auto", text: head }), text ? el("span", { class: "aside", text }) : null)));
  list.hidden = !found.length;
  byId("message").setAttribute("aria-expanded", String(found.length > 0));
  byId("message").removeAttribute("aria-activedescendant");
}

const hide = () => offer([]);

function keys(event) {
  if (event.isComposing || !options.length) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    mark((active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length);
  } else if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    options[active].use();
  } else if (event.key === "Escape") {
    event.preventDefault();
    hide();
  }
}

function mark(next) {
  active = next;
  for (const [index, row] of [...byId("suggestions").children].entries()) {
    row.setAttribute("aria-selected", String(index === next));
    if (index === next) row.scrollIntoView({ block: "nearest" });
  }
  byId("message").setAttribute("aria-activedescendant", `suggestion-${next}`);
}

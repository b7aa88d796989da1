// The page's beginning and end: welcome, room, language, theme, and what is heard from the server.

import { onMoney, press } from "./actions.js";
import { get, join, path } from "./api.js";
import { setCommands, startComposer } from "./composer.js";
import { byId, closable, el, pause, toast, whileBusy } from "./dom.js";
import { listen } from "./events.js";
import { setCurrency } from "./money.js";
import { clearPackets, loadPackets, onPress, packetNews, showAllAgain } from "./packets.js";
import { drawPeople, forgetPeople, lookAround, meet } from "./people.js";
import { clearRoom, hear, roomInOtherWords, startRoom } from "./room.js";
import { setPolicy, startSending } from "./send.js";
import { like, liked, onGone, remember, session, forget } from "./session.js";
import { drawBalance, forgetBalance, lookAtBalance, lookSoon, startWallet } from "./wallet.js";
import { because, fillIn, language, otherLanguage, say, speak } from "./words.js";

const NAMES = ["Alice", "Bob", "Carol", "小红", "大明"];
let stop = () => {};

function showLanguage() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  fillIn(document);
  document.title = session() ? `${say("room", session().room)} · ${say("title")}` : say("title");
  if (session()) byId("room-name").textContent = say("room", session().room);
  for (const button of document.querySelectorAll("[data-switch=language]")) {
    button.textContent = say(button.id ? "otherLanguageShort" : "otherLanguage");
    button.lang = otherLanguage();
    if (button.id) button.setAttribute("aria-label", `${say("otherLanguageShort")} – ${say("otherLanguageName")}`);
  }
}

function switchLanguage() {
  speak(otherLanguage());
  showLanguage();
  if (!session()) return;
  drawPeople();
  drawBalance();
  roomInOtherWords();
  showAllAgain();
}

const isDark = () => (liked("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function showTheme() {
  const chosen = liked("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}

function switchTheme() {
  like("theme", isDark() ? "light" : "dark");
  showTheme();
}

function showWelcome(why) {
  byId("chat").hidden = true;
  byId("welcome").hidden = false;
  // Who left knows it and is told quietly; any other end is a problem.
  byId("join-left").hidden = why !== "left";
  complain(why && why !== "left" ? say(why) : "");
  showLanguage();
  byId("join-name").focus();
}

function complain(text) {
  byId("join-notice").textContent = text;
  byId("join-notice").hidden = !text;
  if (text) byId("join-left").hidden = true;
}

function startWelcome() {
  byId("join-names").append(...NAMES.map((name) => el("button", {
    type: "button", class: "chip", text: name, onclick: () => {
      byId("join-name").value = name;
      byId("join-name").focus();
    },
  })));
  byId("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("join-name").value.trim();
    if (name) whileBusy(byId("join"), () => enterAs(name));
  });
}

async function enterAs(name) {
  try {
    remember(await join(name));
    enter();
  } catch (problem) {
    complain(because(problem));
  }
}

function enter() {
  byId("welcome").hidden = true;
  byId("chat").hidden = false;
  clearRoom();
  clearPackets();
  forgetPeople();
  forgetBalance();
  showLanguage();
  meet(session().user);
  lookAround();
  byId("message").focus();
  byId("log").setAttribute("aria-busy", "true");
  stop = listen({ event: heard, state: connected, begin: load });
}

function leave(why) {
  stop();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  showWelcome(why);
}

/** How things stand; asked until there is an answer. */
async function load() {
  const { key, tenant } = session();
  for (let wait = 1000; session()?.key === key; wait = Math.min(2 * wait, 30_000)) {
    try {
      const { plugin, policy } = await get(path("v1", "tenants", tenant));
      setCurrency(policy.currency, policy.currency_digits);
      setPolicy(policy);
      setCommands(plugin.commands);
      await Promise.all([loadPackets(), lookAtBalance()]);
      // What was there before is not news: only what comes from now on is read aloud.
      setTimeout(() => byId("log").removeAttribute("aria-busy"), 1000);
      return;
    } catch (problem) {
      if (session()?.key === key) toast(because(problem), "problem");
      await pause(wait);
    }
  }
}

function connected(state) {
  byId("connection").textContent = state === "reconnecting" ? say("reconnecting") : "";
  byId("connection").dataset.state = state;
}

function heard(name, data, at) {
  if (name === "message") hear(data, at);
  else if (name === "gap") loadPackets().catch((problem) => toast(because(problem), "problem"));
  else if (["sent", "progress", "finished", "expired"].includes(name)) {
    const isNews = packetNews(name, data, at);
    if (isNews && data.sender === session().user && name !== "progress") lookSoon();
  }
}

for (const button of document.querySelectorAll("[data-switch=language]")) button.addEventListener("click", switchLanguage);
for (const button of document.querySelectorAll("[data-switch=theme]")) button.addEventListener("click", switchTheme);
byId("leave").addEventListener("click", () => forget("left"));
closable(byId("packet-dialog"));
onPress(press);
onMoney(lookSoon);
onGone(leave);
startWelcome();
startRoom();
startComposer();
startWallet();
startSending(lookSoon);
showTheme();
if (session()) enter();
else showWelcome();

// Small helpers for elements. Whatever people type becomes text, never markup.

export const byId = (id) => document.getElementById(id);

/** An element with properties (`class`, `text`, `on…`, attributes) and children. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A disc with the first letter of a name; decoration beside the name itself. */
export function avatar(user) {
  const name = String(user ?? "?");
  let hash = 0;
  for (const one of name) hash = (hash * 31 + one.codePointAt(0)) % 997;
  // Nobody sees a mark of direction, and a combining one would stand alone.
  const first = [...name].find((one) => /[\p{L}\p{N}\p{S}\p{P}]/u.test(one)) ?? "?";
  return el("span", { class: `avatar hue-${hash % 8}`, "aria-hidden": "true", text: first.toUpperCase() });
}

/** Opens a modal dialog; when it closes, the focus goes back to where it was, or to `otherwise`. */
export function openDialog(dialog, otherwise) {
  if (dialog.open) return;
  const before = document.activeElement;
  dialog.showModal();
  dialog.addEventListener("close", () => {
    const target = before?.isConnected && before !== document.body ? before : otherwise?.();
    target?.focus();
  }, { once: true });
}

/** Closing by the button in the corner and by a press beside the dialog; Escape comes with it. */
export function closable(dialog) {
  // A press that begins inside and ends outside selects text: it closes nothing.
  let outside = false;
  dialog.addEventListener("pointerdown", (event) => {
    outside = event.target === dialog && !within(dialog.getBoundingClientRect(), event);
  });
  dialog.addEventListener("click", (event) => {
    if ((outside && event.target === dialog) || event.target.closest("[data-close]")) dialog.close();
    outside = false;
  });
}

function within(box, { clientX: x, clientY: y }) {
  return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
}

/** Says something to the user without taking the focus. */
export function toast(text, kind = "notice") {
  const line = el("p", { class: `toast ${kind}`, text });
  // A modal dialog makes everything outside of it inert, so the toasts stand in the one that is open.
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  const toasts = byId("toasts");
  const home = open ?? document.body;
  if (toasts.parentElement !== home) home.append(toasts);
  toasts.append(line);
  setTimeout(() => line.remove(), 4000 + 60 * text.length);
}

/** While the work is under way the button keeps its focus and takes no second press. */
export async function whileBusy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Who this window is: one window is one person, through reloads. What a person likes (language,
// theme) is kept for all windows.

const KEY = "hongbao.session";
let current = read(sessionStorage, KEY);
let whenGone = () => {};

/** `{key, tenant, user, room}`, or null. */
export const session = () => current;

export function remember(next) {
  current = { key: next.key, tenant: next.tenant, user: next.user, room: next.room };
  write(sessionStorage, KEY, current);
}

/** Ends the session; `why` is `left` or `refused`. */
export function forget(why) {
  if (!current) return;
  current = null;
  sessionStorage.removeItem(KEY);
  whenGone(why);
}

export const onGone = (listener) => {
  whenGone = listener;
};

export const liked = (name) => read(localStorage, `hongbao.${name}`);
export const like = (name, value) => write(localStorage, `hongbao.${name}`, value);

function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(name));
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    storage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage may be full or forbidden; then a reload begins anew.
  }
}

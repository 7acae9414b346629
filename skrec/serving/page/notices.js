// Messages: errors that stay until dismissed, announcements for screen readers, and the two dialogs.

import { byId, el, setText } from "./dom.js";

const shown = new Map();

/** Show an error; `topic` replaces an earlier message of the same topic. */
export function showError(error, topic = "") {
  if (error.name === "AbortError") return;
  const title = error.title ?? "Something went wrong";
  const texts = [error.message, ...(error.errors ?? []).map(({ field, reason }) => (field ? `${field}: ${reason}` : String(reason)))];
  const details = [...new Set(texts)].filter((text) => text && text !== title);
  const name = topic || [title, ...details].join(" ");
  if (shown.get(name)?.dataset.text === [title, ...details].join(" ")) return; // is there already: not announced again
  clearError(name);
  const close = el("button", { type: "button", class: "quiet close", "aria-label": "Dismiss this message", click: () => clearError(name) }, "×");
  const node = el("div", { class: "notice error", "data-text": [title, ...details].join(" ") },
    el("div", {}, el("strong", {}, title), ...details.map((text) => el("p", {}, text))), close);
  shown.set(name, node);
  byId("alerts").append(node);
  if (!(error instanceof Error) || error.title === undefined) console.warn(error);
}

export function clearError(topic) {
  shown.get(topic)?.remove();
  shown.delete(topic);
}

/** Whether an error says that the key is none of an administrator. */
export const needsAdministrator = (error) => error.status === 401 || error.status === 403;

/** Show an error in a list; a key that may not see it is told so in its place, not as an alert. Whether that was it. */
export function refused(error, name) {
  const lacking = needsAdministrator(error);
  if (lacking) setText(`${name}-note`, "These need the key of an administrator: set it by the button Key.");
  else showError(error, name);
  return lacking;
}

export function announce(text) {
  setText("announcer", text);
}

function openDialog(name, first) {
  const dialog = byId(`${name}-dialog`);
  return new Promise((resolve) => {
    let answer = false;
    const submit = (event) => {
      event.preventDefault();
      answer = true;
      dialog.close();
    };
    const cancel = () => dialog.close();
    const form = byId(`${name}-form`);
    form.addEventListener("submit", submit);
    byId(`${name}-cancel`).addEventListener("click", cancel);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", submit);
      byId(`${name}-cancel`).removeEventListener("click", cancel);
      resolve(answer);
    }, { once: true });
    dialog.showModal();
    first.focus();
  });
}

/** Ask for the key of the service; null if none was given. */
export async function keyDialog(text) {
  const input = byId("key-input");
  input.value = "";
  setText("key-text", text);
  const given = await openDialog("key", input);
  const value = input.value.trim();
  input.value = "";
  if (!given) return null;
  return /^[\x21-\x7e]+$/.test(value) ? value : keyDialog("A key is printable ASCII without spaces. Please type it again.");
}

/** Ask whether to do it. */
export function confirmDialog(title, text, yes) {
  setText("confirm-title", title);
  setText("confirm-text", text);
  setText("confirm-yes", yes);
  return openDialog("confirm", byId("confirm-yes"));
}

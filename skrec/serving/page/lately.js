// What a customer did lately, and what they really bought after the moment the model has learned.

import { byId, day, el, hiddenText, moment, plural, setText } from "./dom.js";

const FIRST = 8;

const nameOf = (event) => event.name || String(event.item);

function moreButton(list, rest, n) {
  const button = el("button", { type: "button", class: "quiet more" }, `Show ${n} more`);
  button.addEventListener("click", () => {
    button.remove();
    list.append(...rest());
    list.querySelector("[tabindex='-1']")?.focus();
  });
  return button;
}

/** Lists of events by day, newest first. */
function days(events) {
  const nodes = [];
  let last;
  for (const event of events) {
    const date = day(event.time);
    if (date !== last) {
      nodes.push(el("h3", { class: "small", tabindex: "-1" }, date), el("ul", { class: "events" }));
      last = date;
    }
    nodes.at(-1).append(el("li", {}, nameOf(event), event.event ? el("span", { class: "muted" }, ` ${event.event}`) : null));
  }
  return nodes;
}

/** Show the events before a moment, newest first. */
export function showLately(events, name) {
  const newest = events.toReversed();
  setText("lately-title", `What ${name} did lately`);
  setText("lately-note", newest.length ? plural(newest.length, "event") : "No events yet.");
  const node = byId("lately");
  node.replaceChildren(...days(newest.slice(0, FIRST)));
  if (newest.length > FIRST) node.append(moreButton(node, () => days(newest.slice(FIRST)), newest.length - FIRST));
}

/** The distinct items of events, with the day of the first one. */
export function distinct(events) {
  const found = new Map();
  for (const event of events) if (!found.has(event.item)) found.set(event.item, event);
  return found;
}

/** Show what was really bought later, and where it stands in the recommendations. */
export function showLater(later, recommended) {
  const rows = [...later.values()].sort((a, b) => recommended.has(b.item) - recommended.has(a.item) || moment(a.time) - moment(b.time));
  const hits = rows.filter(({ item }) => recommended.has(item)).length;
  setText("later-note", rows.length ? `${hits} of ${plural(rows.length, "item")} in the list` : "Nothing after this moment.");
  const line = (event) => el("li", { class: recommended.has(event.item) ? "hit" : null },
    el("span", {}, nameOf(event), el("span", { class: "muted" }, ` ${day(event.time)}`)),
    recommended.has(event.item)
      ? el("span", { class: "mark bought" }, hiddenText("recommended at place "), el("span", { "aria-hidden": "true" }, "#"), String(recommended.get(event.item) + 1))
      : null);
  const node = byId("later");
  node.replaceChildren(...rows.slice(0, FIRST).map(line));
  if (rows.length > FIRST) {
    const holder = el("li", {});
    holder.append(moreButton(node, () => {
      holder.remove();
      return rows.slice(FIRST).map(line);
    }, rows.length - FIRST));
    node.append(holder);
  }
}

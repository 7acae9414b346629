// The list of recommended items, and what changed in it since the answer before.

import { byId, el, hiddenText, percent, picture, pictureAddress, plural, price, setText } from "./dom.js";

const SOURCES = { pinned: "pinned by a rule", popular: "popular", popularity: "popular", explore: "exploration", rule: "by a rule" };
let before = null; // positions of the items in the answer before, of the same customer or basket

export function forgetAnswer() {
  before = null;
}

function nameOf(row) {
  return row.details?.name || String(row.item);
}

function changeMark(item, place) {
  if (before === null) return null;
  if (!before.has(item)) return el("span", { class: "mark new" }, "new");
  const steps = before.get(item) - place;
  if (steps === 0) return null;
  const mark = el("span", { class: steps > 0 ? "mark up" : "mark down" });
  mark.append(el("span", { "aria-hidden": "true" }, `${steps > 0 ? "↑" : "↓"} ${Math.abs(steps)}`),
    hiddenText(`moved ${steps > 0 ? "up" : "down"} by ${Math.abs(steps)}`));
  return mark;
}

function reasons(row) {
  if (!row.because?.length) return null;
  const parts = row.because.slice(0, 3).flatMap((reason, place) => [
    place ? ", " : "because of ",
    el("q", {}, reason.name || String(reason.item)),
    typeof reason.share === "number" ? ` (${percent(reason.share)})` : "",
  ]);
  return el("p", { class: "because" }, ...parts);
}

function card(row, place, usual, later, onClick) {
  const details = row.details ?? {};
  const notes = [
    details.category,
    typeof details.stock === "number" && details.stock <= 0 ? "out of stock" : null,
    row.source && row.source !== usual ? SOURCES[row.source] ?? row.source : null,
    typeof row.probability === "number" && row.probability < 1 ? `shown with probability ${row.probability.toFixed(2)}` : null,
  ].filter(Boolean);
  const hit = later.has(row.item);
  return el("li", { class: hit ? "rec hit" : "rec", "data-item": JSON.stringify(row.item) },
    el("span", { class: "rank", "aria-hidden": "true" }, String(place + 1)),
    picture(details.image, nameOf(row)),
    el("div", { class: "rec-body" },
      el("button", { type: "button", class: "rec-name", click: () => onClick(row) }, nameOf(row)),
      reasons(row),
      notes.length ? el("p", { class: "muted" }, notes.join(" · ")) : null),
    el("div", { class: "rec-side" },
      el("span", { class: "price" }, price(details.price)),
      hit ? el("span", { class: "mark bought" }, "bought later") : null,
      changeMark(row.item, place)));
}

/** Let items that moved glide from where they were, unless less motion is asked for. */
function glide(list, places) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const node of list.children) {
    const old = places.get(node.dataset.item);
    const shift = old === undefined ? 0 : old - node.getBoundingClientRect().top;
    if (shift) node.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], { duration: 350, easing: "ease-out" });
    else if (old === undefined && places.size) node.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 350 });
  }
}

function changes(rows) {
  if (before === null) return "";
  const fresh = rows.filter(({ item }) => !before.has(item)).length;
  const moved = rows.filter(({ item }, place) => before.has(item) && before.get(item) !== place).length;
  const gone = [...before.keys()].filter((item) => !rows.some((row) => row.item === item)).length;
  const parts = [[fresh, "new"], [moved, "moved"], [gone, "gone"]].filter(([n]) => n).map(([n, text]) => `${n} ${text}`);
  return parts.length ? ` Since the last answer: ${parts.join(", ")}.` : " Nothing changed since the last answer.";
}

/** Show an answer: `later` holds the items that were bought later, `onClick` is called with a clicked row. */
export function showAnswer(answer, { later, onClick }) {
  const list = byId("answer");
  const rows = answer.items;
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("li") : null;
  const place = focused ? [...list.children].indexOf(focused) : -1;
  const usual = rows.every(({ source }) => source === rows[0].source) ? rows[0]?.source : "model"; // not worth saying
  const tops = new Map([...list.children].map((node) => [node.dataset.item, node.getBoundingClientRect().top]));

  list.classList.toggle("no-pictures", !rows.some((row) => pictureAddress(row.details?.image)));
  list.replaceChildren(...rows.map((row, at) => card(row, at, usual, later, onClick)));
  glide(list, before === null ? new Map() : tops);
  if (focused) {
    const same = [...list.children].find((node) => node.dataset.item === focused.dataset.item);
    (same ?? list.children[place])?.querySelector("button").focus({ preventScroll: true });
    if (!list.contains(document.activeElement)) byId("answer-title").focus();
  }

  const hits = rows.filter(({ item }) => later.has(item)).length;
  const found = rows.length ? `${plural(rows.length, "item")}.` : "No item fits: widen the category, or wait for events.";
  setText("answer-summary", `${found}${later.size ? ` ${hits} of them ${hits === 1 ? "was" : "were"} really bought later.` : ""}${changes(rows)}`);
  setText("answer-model", answer.model ? `version ${answer.model.version}` : "");
  byId("answer-fallback").hidden = !answer.fallback;
  setText("answer-fallback", answer.fallback ? `A fallback: popular items${answer.reason ? ` (${answer.reason})` : ""}.` : "");
  before = new Map(rows.map(({ item }, at) => [item, at]));
}

// The view of the catalogue: search, hide, and stock.

import * as api from "./api.js";
import { byId, count, debounce, el, picture, pictureAddress, price, setText } from "./dom.js";
import { announce, clearError, showError } from "./notices.js";

const PAGE = 25;
let offset = 0;
let total = 0;
let request = new AbortController();

/** Write a change; `back` undoes what the control shows if the service refuses it. */
async function change(row, values, text, back) {
  try {
    await api.patchItem({ item: row.item, ...values });
    Object.assign(row, values);
    clearError("catalogue");
    announce(text);
  } catch (error) {
    back();
    showError(error, "catalogue");
  }
}

function stockField(row, name) {
  const input = el("input", { type: "number", class: "stock", min: 0, step: 1, inputmode: "numeric", "aria-label": `Stock of ${name}`, value: row.stock ?? null });
  const back = () => {
    input.value = row.stock ?? "";
  };
  input.addEventListener("change", () => {
    if (!input.reportValidity()) return;
    const stock = input.value === "" ? null : input.valueAsNumber;
    change(row, { stock }, `Stock of ${name} is ${stock ?? "unknown"}`, back);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") back();
  });
  return input;
}

function hideSwitch(row, name, line) {
  const input = el("input", { type: "checkbox", role: "switch", "aria-label": `Hide ${name}` });
  input.checked = Boolean(row.hidden);
  input.addEventListener("change", async () => {
    const hidden = input.checked;
    await change(row, { hidden }, `${name} is ${hidden ? "hidden" : "shown"}`, () => {
      input.checked = !hidden;
    });
    line.classList.toggle("off", Boolean(row.hidden));
  });
  return input;
}

function line(row) {
  const name = row.name || String(row.item);
  const node = el("tr", { role: "row", class: row.hidden ? "off" : null });
  const cell = (label, attributes, ...children) => el("td", { role: "cell", "data-label": label, ...attributes }, ...children);
  node.append(
    el("th", { scope: "row", role: "rowheader" }, el("div", { class: "item-cell" }, picture(row.image, name),
      el("span", { class: "item-name" }, name, el("span", { class: "muted" }, String(row.item))))),
    cell("Category", {}, row.category ?? "–"),
    cell("Price", { class: "number" }, price(row.price) || "–"),
    cell("Stock", {}, stockField(row, name)),
    cell("Hidden", {}, hideSwitch(row, name, node)),
  );
  return node;
}

async function load() {
  request.abort();
  request = new AbortController();
  const text = byId("catalogue-search").value.trim();
  try {
    const answer = await api.items({ search: text, limit: PAGE, offset }, request.signal);
    total = answer.total;
    byId("catalogue-rows").classList.toggle("no-pictures", !answer.items.some((row) => pictureAddress(row.image)));
    byId("catalogue-rows").replaceChildren(...answer.items.map(line));
    const last = offset + answer.items.length;
    setText("catalogue-note", total ? `${count(offset + 1)} to ${count(last)} of ${count(total)} items` : text ? "No item fits." : "The catalogue is empty: items come by PUT /v1/items.");
    byId("catalogue-back").disabled = offset === 0;
    byId("catalogue-next").disabled = last >= total;
    clearError("catalogue");
  } catch (error) {
    showError(error, "catalogue");
  }
}

async function turn(step) {
  offset = Math.max(0, offset + step * PAGE);
  await load();
  byId("catalogue-title").focus();
  byId("catalogue-title").scrollIntoView();
}

const searched = debounce(() => {
  offset = 0;
  load();
});

export function startCatalogue() {
  byId("catalogue-search").addEventListener("input", searched);
  byId("catalogue-form").addEventListener("submit", (event) => {
    event.preventDefault();
    searched();
  });
  byId("catalogue-back").addEventListener("click", () => turn(-1));
  byId("catalogue-next").addEventListener("click", () => turn(1));
}

export const showCatalogue = load;

// Whom to recommend to: a customer chosen by id, or a basket built from the catalogue.

import * as api from "./api.js";
import { byId, compact, debounce, el, hiddenText, plural, price, replaceList, setText } from "./dom.js";
import { announce, showError } from "./notices.js";

const SUGGESTED = 8;
export const who = { kind: "customer", user: null, basket: [] };
let changed = () => {};
let found = [];
let search = new AbortController();

function newSearch() {
  search.abort();
  search = new AbortController();
  return search.signal;
}

function choose(row) {
  who.user = row.user;
  markChosen();
  changed(true);
}

function markChosen() {
  for (const button of byId("customers").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.key === JSON.stringify(who.user)));
  }
}

async function findCustomers() {
  const text = byId("customer-search").value.trim();
  try {
    const answer = await api.users(text, SUGGESTED, newSearch());
    found = answer.users;
  } catch (error) {
    return showError(error, "users");
  }
  setText("customers-title", text ? "Customers found" : "Most active customers");
  replaceList(byId("customers"), found.map((row) => el("li", {},
    el("button", { type: "button", class: "choice", "data-key": JSON.stringify(row.user), click: () => choose(row) },
      el("span", { class: "choice-name" }, String(row.user)),
      el("span", { class: "muted" }, compact(row.events), hiddenText(" events"))))));
  markChosen();
  if (text) announce(found.length ? `${plural(found.length, "customer")} found` : "No customer found");
  if (!found.length) byId("customers").append(el("li", { class: "muted" }, text ? "No customer with this id." : "No customers yet."));
}

const searchSoon = debounce(findCustomers);

/** Enter takes the customer with exactly this id, or the only one that was found. */
async function enterCustomer(event) {
  event.preventDefault();
  searchSoon.cancel();
  await findCustomers();
  const text = byId("customer-search").value.trim();
  const row = found.find(({ user }) => String(user) === text) ?? (found.length === 1 ? found[0] : null);
  if (row) choose(row);
}

export function inBasket(item) {
  return who.basket.some((row) => row.item === item);
}

/** Put an item into the basket and ask again. */
export function addToBasket(row) {
  if (!inBasket(row.item)) who.basket.push({ item: row.item, name: row.name || String(row.item) });
  showBasket();
  changed();
}

function removeFromBasket(row, place) {
  who.basket = who.basket.filter(({ item }) => item !== row.item);
  showBasket();
  const buttons = byId("basket").querySelectorAll("button");
  (buttons[Math.min(place, buttons.length - 1)] ?? byId("basket-search")).focus();
  announce(`${row.name} removed`);
  changed();
}

function showBasket() {
  byId("basket").replaceChildren(...who.basket.map((row, place) => el("li", {},
    el("span", {}, row.name),
    el("button", { type: "button", class: "quiet", "aria-label": `Remove ${row.name}`, click: () => removeFromBasket(row, place) }, "Remove"))));
  byId("basket-empty").hidden = who.basket.length > 0;
}

async function findItems() {
  const text = byId("basket-search").value.trim();
  const list = byId("basket-found");
  const signal = newSearch();
  if (!text) return list.replaceChildren();
  try {
    const answer = await api.items({ search: text, limit: SUGGESTED }, signal);
    list.replaceChildren(...answer.items.map((row) => {
      const name = row.name || String(row.item);
      return el("li", {}, el("button", { type: "button", class: "choice", "aria-label": `Add ${name}`, click: () => { addToBasket(row); announce(`${name} added`); } },
        el("span", { class: "choice-name" }, name), el("span", { class: "muted" }, price(row.price))));
    }));
    announce(answer.items.length ? `${plural(answer.items.length, "item")} found` : "No item found");
    if (!answer.items.length) list.append(el("li", { class: "muted" }, "No item with this name."));
  } catch (error) {
    showError(error, "items");
  }
}

export function showKind(kind) {
  who.kind = kind;
  byId(`who-${kind}`).checked = true;
  byId("customer-form").hidden = kind !== "customer";
  byId("basket-form").hidden = kind !== "basket";
}

/** Load the suggestions; `onChange(chosen)` is called when there is somebody else to recommend to: a chosen customer or another basket. */
export function startWho(onChange) {
  changed = onChange;
  for (const kind of ["customer", "basket"]) {
    byId(`who-${kind}`).addEventListener("change", () => {
      showKind(kind);
      changed();
    });
  }
  showKind(byId("who-basket").checked ? "basket" : "customer");
  byId("customer-search").addEventListener("input", searchSoon);
  byId("customer-form").addEventListener("submit", enterCustomer);
  byId("basket-search").addEventListener("input", debounce(findItems));
  byId("basket-form").addEventListener("submit", (event) => {
    event.preventDefault();
    byId("basket-found").querySelector("button")?.focus();
  });
  return findCustomers();
}

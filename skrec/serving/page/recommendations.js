// The view of recommendations: asks for them, sends clicks as events, and asks again.

import * as api from "./api.js";
import { forgetAnswer, showAnswer } from "./answer.js";
import { byId, dayAndTime, el, moment, setText } from "./dom.js";
import { distinct, showLately, showLater } from "./lately.js";
import { clearError, showError } from "./notices.js";
import { addToBasket, showKind, startWho, who } from "./who.js";

const TRIAL = "-"; // a click that is not stored
const EVENTS = 1000;
const NARROW = matchMedia("(max-width: 720px)");
let asOf = null;
let version;
let subject = "";
let clicked = new Set(); // customers of whom a click was stored in as-of mode
let trial = []; // items clicked without storing them: {item, name}
let recId; // of the answer that is shown
let request = new AbortController();
const categories = new Set();

const isCustomer = () => who.kind === "customer" && who.user !== null;
const name = () => (isCustomer() ? `customer ${who.user}` : "the basket");

function moments() {
  if (asOf === null) return { end: Infinity, at: undefined };
  const later = isCustomer() && clicked.has(who.user);
  const end = moment(asOf) + (later ? 1000 : 0);
  return { end, at: later ? new Date(end).toISOString() : asOf };
}

function learnCategories(rows) {
  const size = categories.size;
  for (const row of rows) if (typeof row.category === "string" && row.category) categories.add(row.category);
  if (categories.size === size) return;
  const select = byId("option-category");
  const chosen = select.value;
  const sorted = [...categories].sort((a, b) => a.localeCompare(b));
  select.replaceChildren(el("option", { value: "" }, "All categories"), ...sorted.map((text) => el("option", { value: text }, text)));
  select.value = chosen;
}

function offerEvents(events) {
  const select = byId("option-event");
  const chosen = select.value;
  const known = [...new Set(events.map(({ event }) => event).filter(Boolean))];
  const names = known.length ? known : ["", "view", "cart", "purchase"];
  select.replaceChildren(...names.map((text) => el("option", { value: text }, text || "an event without a name")),
    el("option", { value: TRIAL }, "not stored, a trial only"));
  if ([...select.options].some(({ value }) => value === chosen)) select.value = chosen;
}

function options() {
  const k = byId("option-k");
  const category = byId("option-category").value;
  return {
    k: k.checkValidity() ? k.valueAsNumber : 10,
    scenario: byId("option-scenario").value || undefined,
    filter: category ? { category } : undefined,
    repeats: byId("option-repeats").checked,
    explain: true,
    details: true,
  };
}

function answerFor(history, signal) {
  const { at } = moments();
  const body = { ...options(), at };
  if (isCustomer() && trial.length) return api.recommend({ ...body, items: [...history, ...trial].map(({ item }) => item).slice(-EVENTS) }, signal);
  if (isCustomer()) return api.recommend({ ...body, user: who.user }, signal);
  if (who.kind === "basket" && who.basket.length) return api.recommend({ ...body, items: who.basket.map(({ item }) => item) }, signal);
  return api.popular({ k: body.k, filter: body.filter && JSON.stringify(body.filter), details: true }, signal);
}

function hint() {
  if (!isCustomer()) return who.kind === "basket" && who.basket.length ? "Click an item to put it into the basket." : "Click an item to start a basket with it.";
  if (byId("option-event").value === TRIAL) return "Click an item to see how the next answer would change. Nothing is stored.";
  return `Click an item as the customer would: it is stored as an event of ${name()}, and the next answer knows it.`;
}

/** Ask for recommendations and show them with the customer's events. */
async function ask() {
  const now = JSON.stringify(isCustomer() ? who.user : who.kind);
  if (now !== subject) {
    subject = now;
    trial = [];
    forgetAnswer();
  }
  request.abort();
  request = new AbortController();
  const { signal } = request;
  byId("answer-section").setAttribute("aria-busy", "true");
  try {
    const events = isCustomer() ? (await api.history(who.user, EVENTS, signal)).events : [];
    const { end } = moments();
    // those who bought much later have their earlier events behind the newest ones
    const earlier = isCustomer() && asOf !== null && events.length >= EVENTS
      ? (await api.history(who.user, EVENTS, signal, new Date(end).toISOString())).events : events;
    const before = earlier.filter(({ time }) => moment(time) < end);
    const later = asOf === null ? new Map() : distinct(events.filter(({ time }) => moment(time) > moment(asOf)));
    if (isCustomer()) offerEvents(events);
    const answer = await answerFor(before, signal);
    if (signal.aborted) return;
    const popular = !isCustomer() && !(who.kind === "basket" && who.basket.length);
    setText("answer-title", popular ? "Popular now" : `Recommended to ${name()}`);
    setText("answer-hint", hint());
    showAnswer(answer, { later: new Set(later.keys()), onClick: click });
    learnCategories(answer.items.map(({ details }) => details ?? {}));
    byId("view-recommendations").classList.toggle("without-context", !isCustomer());
    byId("later-section").hidden = !isCustomer() || asOf === null;
    recId = answer.rec_id ?? undefined;
    if (isCustomer()) {
      showLately([...before, ...trial], name());
      showLater(later, new Map(answer.items.map(({ item }, place) => [item, place])));
    }
    clearError("answer");
  } catch (error) {
    showError(error, "answer");
  } finally {
    if (!signal.aborted) byId("answer-section").removeAttribute("aria-busy");
  }
}

function eventId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Take a click on a recommended item as the customer's: store it, and show the next answer. */
async function click(row) {
  const label = row.details?.name || String(row.item);
  if (!isCustomer()) {
    if (who.kind !== "basket") showKind("basket");
    return addToBasket({ item: row.item, name: label });
  }
  const event = byId("option-event").value;
  if (event === TRIAL) {
    trial.push({ item: row.item, name: `${label} (trial)`, time: asOf ?? new Date().toISOString() });
    return ask();
  }
  try {
    const answer = await api.sendEvent({
      id: eventId(), user: who.user, item: row.item, rec_id: recId, event: event || undefined, time: asOf ?? undefined,
    });
    if (answer.rejected?.length) {
      const { field, reason } = answer.rejected[0];
      throw Object.assign(new Error(`${field}: ${reason}`), { title: "The event was rejected" });
    }
    clicked.add(who.user);
    clearError("click");
    return ask();
  } catch (error) {
    return showError(error, "click");
  }
}

async function loadRules() {
  try {
    const answer = await api.rules();
    const select = byId("option-scenario");
    const chosen = select.value;
    select.replaceChildren(el("option", { value: "" }, "No rules"),
      ...Object.keys(answer.rules ?? answer).map((text) => el("option", { value: text }, text)));
    select.value = chosen;
  } catch (error) {
    if (error.status !== 403) showError(error, "rules"); // a key that may not read them leaves the chooser as it is
  }
}

async function loadCategories() {
  try {
    const answer = await api.items({ limit: 1000 });
    learnCategories(answer.categories?.map((category) => ({ category })) ?? answer.items);
  } catch (error) {
    if (error.status !== 403) showError(error, "items");
  }
}

/** Take the status: a new version or another moment asks again. */
export function recommendationsStatus(status) {
  const first = version === undefined;
  const now = JSON.stringify([status.model?.version ?? null, status.as_of]);
  if (now === version) return;
  version = now;
  if (status.as_of !== asOf) clicked = new Set();
  asOf = status.as_of ?? null;
  byId("as-of").hidden = asOf === null;
  setText("as-of", asOf === null ? "" : `As of ${dayAndTime(asOf)}: the model has learned until this moment, and what customers really bought afterwards is shown beside its recommendations.`);
  if (!first) ask();
}

offerEvents([]);
byId("options").open = !NARROW.matches;

export function startRecommendations() {
  byId("options-form").addEventListener("submit", (event) => event.preventDefault());
  byId("options-form").addEventListener("change", ({ target }) => {
    if (!target.reportValidity()) return;
    if (target.id === "option-event") setText("answer-hint", hint());
    else ask();
  });
  loadRules();
  loadCategories();
  startWho(async (chosen) => {
    await ask();
    if (chosen && NARROW.matches) byId("answer-section").scrollIntoView(); // it is below the suggestions
  });
  ask();
}

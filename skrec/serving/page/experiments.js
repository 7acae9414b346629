// The view of experiments: the list, the result of one, stopping it, and starting another.

import * as api from "./api.js";
import { byId, count, day, dayAndTime, decimal, el, plural, replaceList, setText, share } from "./dom.js";
import { decision, intervalChart, inWords, widestOf } from "./intervals.js";
import { announce, clearError, confirmDialog, needsAdministrator, refused, showError } from "./notices.js";
import { offerChoices, startForm } from "./trial_form.js";

const MISMATCH = 0.0005; // p from which on the numbers of users are not as planned
const PERIOD = 30_000;
const STATES = { running: "good", planned: "busy", stopped: "" };
const VERDICTS = { higher: "good", lower: "bad", undecided: "" };
let shown = false;
let trials = [];
let chosen = null;
let timer;
let request = new AbortController();

const experiment = () => trials.find(({ name }) => name === chosen);

function given(variant) {
  const parts = [variant.version === null || variant.version === undefined ? "" : `version ${variant.version}`,
    variant.scenario ? `scenario ${variant.scenario}` : ""].filter(Boolean);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

function facts(trial) {
  const variants = Object.entries(trial.variants ?? {});
  const total = variants.reduce((sum, [, { weight }]) => sum + (weight ?? 1), 0);
  const named = variants.map(([name, variant]) => `${name} ${share((variant.weight ?? 1) / total)}${given(variant)}`).join(", ");
  const stopped = trial.status === "stopped";
  const when = `${trial.status === "planned" ? "from" : "since"} ${dayAndTime(trial.start)}${trial.stop ? ` ${stopped ? "to" : "until"} ${dayAndTime(trial.stop)}` : ""}`;
  const who = [`${share(trial.share ?? 1)} of the users`, trial.holdout ? `${share(trial.holdout)} held out` : "", trial.scenario ? `only the scenario ${trial.scenario}` : "", trial.layer ? `layer ${trial.layer}` : ""];
  return [named, [when, ...who].filter(Boolean).join(" · ")];
}

function showTrials() {
  replaceList(byId("trials"), trials.map((trial) => {
    const [variants, rest] = facts(trial);
    return el("li", { class: trial.name === chosen ? "chosen" : null },
      el("div", { class: "row-head" },
        el("button", { type: "button", class: "quiet name", "data-key": trial.name, "aria-pressed": String(trial.name === chosen), click: () => choose(trial.name) }, trial.name),
        el("span", { class: `badge ${STATES[trial.status] ?? ""}` }, trial.status)),
      el("p", {}, variants), el("p", { class: "muted" }, rest),
      trial.problem ? el("p", { class: "notice warn" }, `Suspended: ${trial.problem}`) : null);
  }));
  setText("trials-note", trials.length ? "" : "No experiment yet. One gives a new model or other rules to a random part of the users, and compares.");
}

function clearResult(...words) {
  byId("trial-conclusion").replaceChildren(...words.map((text) => el("p", { class: "conclusion" }, text)));
  byId("trial-ratio").hidden = true;
  byId("trial-result").hidden = true;
}

function metric(row, result, widest) {
  const words = inWords(row, result);
  const reduced = row.variance_reduction > 0.005 ? ` What users did before explains ${share(row.variance_reduction)} of the variance; it is taken off (CUPED).` : "";
  return el("li", {},
    el("div", { class: "row-head" }, el("strong", {}, row.metric), el("span", {}, row.variant), el("span", { class: `badge ${VERDICTS[row.verdict] ?? ""}` }, row.verdict)),
    intervalChart(row, widest, `${row.metric}, ${words}`),
    el("p", {}, words), reduced ? el("p", { class: "muted" }, reduced) : null);
}

function showResult(result, trial) {
  const mismatch = typeof result.p_mismatch === "number" && result.p_mismatch < MISMATCH;
  const found = result.table.filter(({ verdict }) => ["higher", "lower"].includes(verdict));
  const [kind, sentence] = mismatch && trial.status !== "stopped" ? ["bad", "Do not decide by this result: find out first why users are missing."] : decision(result, trial);
  const differences = mismatch ? [] : found.map((row) => el("p", { class: `conclusion ${VERDICTS[row.verdict]}` }, `${row.variant} is ${row.verdict} than ${result.control} in ${row.metric}.`));
  byId("trial-conclusion").replaceChildren(...differences, el("p", { class: `conclusion ${kind}` }, sentence));
  byId("trial-ratio").hidden = !mismatch;
  setText("trial-ratio", mismatch ? `Sample ratio mismatch, p = ${result.p_mismatch.toPrecision(2)}: the numbers of users are not as planned. Users were lost in a variant, by a redirect, a crash or a filter of bots, and those who are left differ.` : "");
  const widest = widestOf(result.table);
  byId("trial-metrics").replaceChildren(...result.table.map((row) => metric(row, result, widest)));
  const several = new Set(result.table.map((row) => row.metric)).size > 1;
  setText("trial-metrics-note", several ? "The metric named before the start decides; the others explain it. Compared is user by user." : "Compared is user by user.");
  byId("trial-users").replaceChildren(...result.users.map((row) => el("tr", {}, el("th", { scope: "row" }, row.variant), el("td", { class: "number" }, count(row.users)), el("td", { class: "number" }, count(row.expected)))));
  setText("trial-users-note", mismatch || typeof result.p_mismatch !== "number" ? "" : `The numbers of users are as planned (p = ${decimal(result.p_mismatch)}).`);
  const behind = result.events_not_attributed_yet;
  const notes = [...(result.notes ?? []), ...(behind ? [`${plural(behind, "event")} not attributed to lists yet`] : [])];
  byId("trial-notes").replaceChildren(...notes.map((note) => el("li", {}, String(note))));
  byId("trial-result").hidden = false;
}

async function loadResult() {
  request.abort();
  request = new AbortController();
  const trial = experiment();
  byId("trial-stop").hidden = !trial || trial.status === "stopped";
  byId("trial-event-form").hidden = !trial || trial.status === "planned";
  setText("trial-title", trial ? `Result of ${trial.name}` : "Result");
  if (!trial) return clearResult(trials.length ? "Choose an experiment." : "There is no experiment to show.");
  if (trial.status === "planned") return clearResult(`The experiment begins on ${day(trial.start)}.`);
  byId("trial-section").setAttribute("aria-busy", "true");
  const { signal } = request;
  try {
    const result = await api.experimentResult(trial.name, byId("trial-event").value.trim(), signal);
    showResult(result, trial);
    clearError("trial");
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 409) clearResult(`There is no result: ${error.message.replace(/\.$/, "")}.`);
    else {
      clearResult();
      showError(error, "trial");
    }
  } finally {
    if (!signal.aborted) byId("trial-section").removeAttribute("aria-busy");
  }
}

async function choose(name) {
  chosen = name;
  byId("trial-event").value = "";
  showTrials();
  await loadResult();
}

async function load() {
  clearTimeout(timer);
  const state = experiment()?.status;
  const before = chosen;
  let again = true;
  try {
    trials = (await api.experiments()).experiments.toReversed();
    clearError("trials");
    if (!experiment()) chosen = (trials.find(({ status }) => status === "running") ?? trials[0])?.name ?? null;
    showTrials();
    if (before !== chosen || before === null || experiment().status !== state) await loadResult();
  } catch (error) { // the list that is there stays, and is asked for again
    again = !needsAdministrator(error);
    if (!again) {
      trials = [];
      showTrials();
    }
    refused(error, "trials");
    if (!again) await loadResult();
  } finally {
    clearTimeout(timer);
    if (again && shown) timer = setTimeout(() => !document.hidden && load(), PERIOD);
  }
}

async function stop() {
  const { name } = experiment();
  if (!(await confirmDialog(`Stop ${name}?`, "All users get what everybody gets, and later events do not count. It cannot be started again: a new experiment needs a new name.", "Stop"))) return;
  try {
    await api.stopExperiment(name);
    clearError("trial");
    announce(`The experiment ${name} is stopped`);
  } catch (error) {
    showError(error, "trial");
  }
  await load();
  byId("trial-title").focus({ preventScroll: true });
}

export function startExperiments() {
  byId("trial-stop").addEventListener("click", stop);
  byId("trial-event-form").addEventListener("submit", (event) => {
    event.preventDefault();
    loadResult();
  });
  document.addEventListener("visibilitychange", () => {
    if (shown && !document.hidden) load();
  });
  document.addEventListener("skrec-key", () => shown && load());
  startForm(async ({ name }) => {
    await load();
    await choose(name);
    byId("trial-title").focus();
  });
}

/** The view is shown or left: experiments are asked for only while it is shown. */
export function showExperiments(visible) {
  shown = visible;
  clearTimeout(timer);
  if (!visible) return;
  chosen = null;
  load();
  offerChoices();
}

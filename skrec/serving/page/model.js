// The view of the model: what is in use, its quality by day, jobs and versions.

import * as api from "./api.js";
import { qualityChart } from "./chart.js";
import { byId, count, day, dayAndTime, el, plural, quality, replaceList, setText } from "./dom.js";
import { announce, clearError, confirmDialog, refused, showError } from "./notices.js";
import { became, judged } from "./reports.js";

let status = null;
let drawn = "";
let shown = false;
let timer;
const JOBS = 12;
const finished = new Map(); // status of each job when it was last seen

function showFacts(model) {
  const facts = model
    ? [["Model", model.class], ["Version", String(model.version)], ["Learned until", dayAndTime(model.learned_until)], ["Items", count(model.items)]]
    : [["Model", "none yet: popular items are shown"]];
  byId("use-facts").replaceChildren(...facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
}

function showQuality(rows) {
  const sorted = [...rows].sort((a, b) => (a.day < b.day ? -1 : 1));
  const chart = byId("quality-chart");
  const text = JSON.stringify([sorted, chart.clientWidth]);
  if (text === drawn || !shown) return;
  drawn = text;
  byId("quality-rows").replaceChildren(...sorted.toReversed().map((row) => el("tr", {},
    el("th", { scope: "row" }, day(row.day)),
    ...[count(row.version), count(row.n_users), quality(row.ndcg), quality(row.hit_rate), quality(row.popularity_ndcg)]
      .map((value) => el("td", { class: "number" }, value)))));
  if (!sorted.length) {
    chart.replaceChildren();
    return setText("quality-note", "No day has been judged yet: each day with new events is, before it is learned.");
  }
  const last = sorted.at(-1);
  const label = `NDCG@10 by day from ${day(sorted[0].day)} to ${day(last.day)}: the model last ${quality(last.ndcg)}, popularity ${quality(last.popularity_ndcg)}. The table below has every value.`;
  qualityChart(chart, sorted, label);
  byId("quality-note").replaceChildren(
    el("span", { class: "key-mark model", "aria-hidden": "true" }), "the model, ",
    el("span", { class: "key-mark popularity", "aria-hidden": "true" }), "popularity. NDCG@10 on each day's customers, before the day was learned; higher is better.");
}

/** Take the status of the service. */
export function modelStatus(answer) {
  const version = status?.model?.version;
  status = answer;
  showFacts(answer.model);
  showQuality(answer.quality ?? []);
  if (shown && version !== undefined && answer.model?.version !== version) loadModels();
}

function progressOf(job) {
  if (job.status !== "running") return null;
  const known = typeof job.progress === "number";
  const value = known ? Math.min(1, job.progress > 1 ? job.progress / 100 : job.progress) : null;
  return el("progress", { max: 1, value, "aria-label": `Progress of job ${job.id}` }, known ? `${Math.round(100 * value)} %` : "");
}

const BADGES = { done: "good", current: "good", failed: "bad", rejected: "bad", running: "busy", waiting: "busy" };
const badge = (text) => el("span", { class: `badge ${BADGES[text] ?? ""}` }, text);

async function loadJobs() {
  clearTimeout(timer);
  let wait = 10_000;
  try {
    const jobs = (await api.jobs()).jobs.slice(0, JOBS);
    byId("jobs").replaceChildren(...jobs.map((job) => el("li", {},
      el("div", { class: "row-head" }, el("strong", {}, `${job.kind} ${job.id}`), badge(job.status),
        el("span", { class: "muted" }, dayAndTime(job.finished ?? job.started ?? job.created))),
      progressOf(job),
      job.result ? el("p", { class: "muted" }, became(job.result, job.kind)) : null)));
    setText("jobs-note", jobs.length ? "" : "No jobs yet.");
    for (const job of jobs) {
      const before = finished.get(job.id);
      if (before !== undefined && before !== job.status) {
        announce(`Job ${job.kind} ${job.id} is ${job.status}`);
        if (["done", "failed"].includes(job.status)) loadModels();
      }
      finished.set(job.id, job.status);
    }
    if (jobs.some((job) => ["running", "waiting"].includes(job.status))) wait = 1000;
    clearError("jobs");
  } catch (error) {
    if (refused(error, "jobs")) wait = null;
  } finally {
    clearTimeout(timer);
    if (wait && shown && !document.hidden) timer = setTimeout(loadJobs, wait);
  }
}

async function act(topic, action, text) {
  try {
    await action();
    clearError(topic);
    announce(text);
  } catch (error) {
    showError(error, topic);
  }
}

async function promote(version) {
  if (!(await confirmDialog(`Promote version ${version}?`, "It is checked against the current version first, and answers from then on if it is not worse.", "Promote"))) return;
  try {
    await api.promote(version, false);
    announce(`Version ${version} is current`);
  } catch (error) {
    if (error.status !== 409 || !(await confirmDialog("It was not promoted", `${error.message} It can be promoted all the same.`, "Promote all the same"))) {
      if (error.status !== 409) showError(error, "models");
      return;
    }
    await act("models", () => api.promote(version, true), `Version ${version} is current`);
  }
  await loadModels();
}

async function rollBack() {
  if (!(await confirmDialog("Roll back?", "The previous version answers from then on.", "Roll back"))) return;
  await act("models", api.rollBack, "The previous version is current");
  await loadModels();
}

async function loadModels() {
  try {
    const answer = await api.models();
    const models = answer.models.filter(({ status: state }) => state !== "deleted");
    const deleted = answer.models.length - models.length;
    replaceList(byId("models"), models.map((model) => el("li", {},
      el("div", { class: "row-head" }, el("strong", {}, `Version ${model.version}`), badge(model.status),
        el("span", { class: "muted" }, dayAndTime(model.created)),
        model.status === "current" ? null
          : el("button", { type: "button", "aria-label": `Promote version ${model.version}`, "data-key": model.version, click: () => promote(model.version) }, "Promote")),
      el("p", { class: "muted" }, [`learned until ${dayAndTime(model.learned_until)}`, judged(model.quality), model.note].filter(Boolean).join(" · ")))));
    setText("models-note", models.length ? (deleted ? `${plural(deleted, "older version")} deleted.` : "") : "No versions yet.");
    byId("roll-back").disabled = !models.some((model) => model.status === "previous");
    clearError("models");
  } catch (error) {
    refused(error, "models");
  }
}

async function addJob(kind) {
  await act("job", () => api.addJob(kind), `A job ${kind} is waiting`);
  await loadJobs();
}

export function startModel() {
  byId("job-update").addEventListener("click", () => addJob("update"));
  byId("job-refit").addEventListener("click", () => addJob("refit"));
  byId("roll-back").addEventListener("click", rollBack);
  document.addEventListener("visibilitychange", () => {
    if (shown && !document.hidden) loadJobs();
  });
  document.addEventListener("skrec-key", () => {
    if (!shown) return;
    loadJobs();
    loadModels();
  });
  new ResizeObserver(() => status && showQuality(status.quality ?? [])).observe(byId("quality-chart"));
}

/** The view is shown or left: jobs are asked for only while it is shown. */
export function showModel(visible) {
  shown = visible;
  clearTimeout(timer);
  if (!visible) return;
  if (status) showQuality(status.quality ?? []);
  loadJobs();
  loadModels();
}

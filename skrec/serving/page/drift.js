// The view of drift: whether the newest week of the shop and of the answers is like those before.

import * as api from "./api.js";
import { amount, byId, day, dayAndTime, el, hiddenText, plural, setText, signed } from "./dom.js";
import { announce, clearError, needsAdministrator, refused } from "./notices.js";
import { keyMark, panel, scaleOf, WORDS } from "./panels.js";
import { became } from "./reports.js";

const PARTS = { shop: "The shop", answers: "The answers" };
const ORDER = ["alarm", "warn", "as a year ago", "unjudged", "ok"];
const BADGES = { alarm: "bad", warn: "busy", "as a year ago": "", unjudged: "", ok: "good" };
const PERIOD = 600_000; // of looks for the number of alarms while the page is open
const LOOK = 600; // of looks at a job
let shown = false;
let following = false;
let drawn = "";
let timer;

const rank = ({ verdict }) => (ORDER.includes(verdict) ? ORDER.indexOf(verdict) : ORDER.length);
const partName = (part) => PARTS[part] ?? String(part);

/** The parts of the scores, each with its weeks, statistics and newest week; the shop comes first. */
function partsOf(scores) {
  const names = [...new Set(["shop", ...scores.map(({ part }) => part)])];
  return names.map((part) => {
    const rows = scores.filter((row) => row.part === part).toSorted((a, b) => (a.period < b.period ? -1 : a.period > b.period ? 1 : 0));
    const weeks = [...new Set(rows.map(({ period }) => period))];
    const newest = rows.filter(({ period }) => period === weeks.at(-1)).toSorted((a, b) => rank(a) - rank(b));
    return { part, rows, weeks, newest };
  }).filter(({ rows }) => rows.length);
}

const number = (rows, verdict) => rows.filter((row) => row.verdict === verdict).length;

function counted(rows) {
  const found = [[number(rows, "alarm"), "alarm"], [number(rows, "warn"), "warning"]].filter(([n]) => n);
  return found.map(([n, word]) => plural(n, word)).join(" and ");
}

/** What the newest week of a part comes to, as one sentence. */
function conclusion({ part, weeks, newest }) {
  const where = `${partName(part)} in the week of ${day(weeks.at(-1))}: `;
  const unjudged = number(newest, "unjudged");
  if (unjudged === newest.length) return { kind: "", text: `${where}nothing could be judged yet, there are too few weeks before it.` };
  const found = counted(newest);
  const rest = [
    number(newest, "as a year ago") ? `${number(newest, "as a year ago")} moved as a year ago` : "",
    unjudged ? `${unjudged} could not be judged yet` : "",
  ].filter(Boolean).join(", ");
  const kind = number(newest, "alarm") ? "bad" : found ? "busy" : "good";
  if (found) return { kind, text: `${where}${found} in ${plural(newest.length, "statistic")}${rest ? `; ${rest}` : ""}.` };
  return { kind, text: `${where}all is quiet. ${plural(newest.length, "statistic")}, no alarm and no warning${rest ? `; ${rest}` : ""}.` };
}

function earlier({ part, rows, weeks }) {
  if (weeks.length < 2) return null;
  const before = rows.filter(({ period }) => period !== weeks.at(-1));
  const alarms = before.filter(({ verdict }) => verdict === "alarm").map((row) => `${row.title} in the week of ${day(row.period)}`);
  const listed = alarms.length && alarms.length < 5 ? `: ${alarms.join(", ")}` : "";
  const warnings = number(before, "warn");
  const found = [alarms.length ? plural(alarms.length, "alarm") + listed : "", warnings ? plural(warnings, "warning") : ""].filter(Boolean).join("; ");
  return el("p", { class: "muted" }, `${partName(part)}, ${plural(weeks.length - 1, "week")} before: ${found || "no alarm and no warning"}.`);
}

function finding(row) {
  const usual = typeof row.reference === "number" ? ` where ${amount(row.reference)} is usual` : "";
  const yearAgo = typeof row.year_ago === "number" ? `, ${amount(row.year_ago)} a year ago` : "";
  return el("li", { class: `finding ${row.verdict === "alarm" ? "alarm" : "warn"}` },
    el("div", { class: "row-head" }, el("span", { class: `badge ${BADGES[row.verdict] ?? ""}` }, WORDS[row.verdict] ?? row.verdict),
      el("strong", {}, row.title), el("span", { class: "muted" }, partName(row.part))),
    el("p", {}, `${amount(row.value)}${usual}${yearAgo}, z ${signed(row.z)}.`, row.moved ? ` Moved most: ${row.moved}.` : ""),
    row.advice ? el("p", { class: "muted" }, row.advice) : null);
}

function panelsOf({ part, rows, weeks, newest }, most, alone) {
  const names = newest.map(({ statistic }) => statistic);
  for (const { statistic } of rows) if (!names.includes(statistic)) names.push(statistic);
  const figures = names.map((name) => {
    const own = rows.filter(({ statistic }) => statistic === name);
    const last = own.at(-1);
    const isNew = last.period === weeks.at(-1);
    const state = isNew && ["alarm", "warn"].includes(last.verdict) ? el("span", { class: `badge ${BADGES[last.verdict]}` }, WORDS[last.verdict]) : null;
    return el("li", { "data-statistic": name },
      el("figure", {}, el("figcaption", {}, el("span", {}, own[0].title), state), panel(String(own[0].title), own, weeks, most)));
  });
  return [alone ? null : el("h3", { class: "small" }, partName(part)), el("ul", { class: "panels", "aria-label": `${partName(part)}: z by week` }, ...figures)];
}

function tableRow(row) {
  const numbers = [amount(row.value), amount(row.reference), signed(row.z)].map((value) => el("td", { class: "number" }, value));
  return el("tr", {}, el("th", { scope: "row" }, day(row.period)), el("td", {}, partName(row.part)), el("td", {}, row.title),
    ...numbers, el("td", {}, WORDS[row.verdict] ?? row.verdict), el("td", {}, row.moved || ""));
}

/** Show the number of alarms of the newest weeks at the link of the view. */
function showBadge(parts) {
  const alarms = parts.reduce((sum, { newest }) => sum + number(newest, "alarm"), 0);
  byId("drift-badge").hidden = alarms === 0;
  byId("drift-badge").replaceChildren(...(alarms ? [String(alarms), hiddenText(alarms === 1 ? " alarm" : " alarms")] : []));
}

function show(answer) {
  const parts = partsOf(answer.scores ?? []);
  showBadge(parts);
  const text = JSON.stringify(answer);
  if (text === drawn || !shown) return;
  drawn = text;
  const conclusions = parts.map(conclusion);
  if (!parts.length) conclusions.push({ kind: "", text: answer.judged ? "Nothing could be judged: there is no whole week." : "Nothing was judged yet. Drift is judged once a night, and by the button Judge now." });
  byId("drift-conclusion").replaceChildren(...conclusions.map(({ kind, text: words }) => el("p", { class: `conclusion ${kind}` }, words)));
  setText("drift-judged", answer.judged ? `Judged ${dayAndTime(answer.judged)}` : "");
  const found = parts.flatMap(({ newest }) => newest).filter(({ verdict }) => ["alarm", "warn", "as a year ago"].includes(verdict)).toSorted((a, b) => rank(a) - rank(b));
  byId("drift-findings").replaceChildren(...found.map(finding));
  byId("drift-earlier").replaceChildren(...parts.map(earlier).filter(Boolean));
  byId("drift-weeks").hidden = !parts.length;
  const most = scaleOf(answer.scores ?? []);
  byId("drift-key").replaceChildren(...["alarm", "warn", "as a year ago"].map((verdict) => el("span", {}, keyMark(verdict), WORDS[verdict])));
  byId("drift-panels").replaceChildren(...parts.flatMap((one) => panelsOf(one, most, parts.length === 1)).filter(Boolean));
  const newestFirst = parts.flatMap(({ rows }) => rows).toSorted((a, b) => (a.period < b.period ? 1 : a.period > b.period ? -1 : rank(a) - rank(b)));
  byId("drift-rows").replaceChildren(...newestFirst.map(tableRow));
  const notes = answer.notes ?? [];
  byId("drift-notes-section").hidden = !notes.length;
  byId("drift-notes").replaceChildren(...notes.map((note) => el("li", {}, String(note))));
}

/** Load the scores; the badge is there before the view is shown. */
export async function loadDrift() {
  clearTimeout(timer);
  try {
    show(await api.drift());
    clearError("drift");
    if (!following) setText("drift-note", "");
  } catch (error) {
    if (shown || needsAdministrator(error)) refused(error, "drift");
  }
  timer = setTimeout(() => !document.hidden && loadDrift(), PERIOD); // a hidden page loads when it is seen again
}

const pause = () => new Promise((resolve) => {
  setTimeout(resolve, shown && !document.hidden ? LOOK : 10 * LOOK);
});

/** Follow a job to its end; the status is said in the note. */
async function follow(id) {
  for (;;) {
    const job = await api.job(id);
    if (["done", "failed"].includes(job.status)) return job;
    const step = job.result?.step ? `: ${job.result.step}` : "";
    setText("drift-note", job.status === "waiting" ? "The job waits for the trainer." : `The job is running${step}.`);
    await pause();
  }
}

async function judgeNow() {
  const button = byId("drift-judge");
  following = true;
  button.disabled = true;
  try {
    const { id } = await api.addJob("drift");
    clearError("drift");
    const job = await follow(id);
    await loadDrift();
    const said = became(job.result, "drift");
    const isNew = job.status === "done" && !job.result?.skipped; // then the conclusion says it
    setText("drift-note", isNew ? "Judged just now." : job.status === "done" ? said : `The job failed: ${said}`);
    if (isNew) announce(`Judged: ${said}`);
  } catch (error) {
    setText("drift-note", "");
    refused(error, "drift");
  } finally {
    following = false;
    button.disabled = false;
    if (document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

export function startDrift() {
  byId("drift-judge").addEventListener("click", judgeNow);
  document.addEventListener("skrec-key", loadDrift);
  document.addEventListener("visibilitychange", () => document.hidden || loadDrift());
}

/** The view is shown or left. */
export function showDrift(visible) {
  shown = visible;
  if (!visible) return;
  drawn = "";
  loadDrift();
}

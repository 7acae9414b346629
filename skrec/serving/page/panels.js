// Small multiples of z by week as SVG of attributes and classes: a panel a statistic, all on one scale.

import { day, dayAndMonth, isNumber, signed, svg } from "./dom.js";

const WIDTH = 260;
const HEIGHT = 112;
const MARGIN = { top: 6, right: 8, bottom: 18, left: 26 };
const WARN = 4;
const ALARM = 5;
const MOST = 9; // z beyond are drawn here, with what they are in their title

export const WORDS = { alarm: "alarm", warn: "warning", "as a year ago": "as a year ago", unjudged: "not judged", ok: "ok" };

/** The largest z that panels of these rows show. */
export function scaleOf(rows) {
  return Math.min(MOST, Math.max(ALARM + 1.5, ...rows.map(({ z }) => (isNumber(z) ? Math.abs(z) + 0.5 : 0))));
}

function markOf(verdict, x, y) {
  if (verdict === "alarm") return svg("path", { d: `M${x} ${y - 6.5}l6.5 6.5l-6.5 6.5l-6.5 -6.5z` });
  if (verdict === "warn") return svg("circle", { cx: x, cy: y, r: 4.5 });
  if (verdict === "as a year ago") return svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8 });
  return svg("circle", { cx: x, cy: y, r: 1.8 });
}

function kindOf(verdict) {
  return ["alarm", "warn"].includes(verdict) ? verdict : verdict === "as a year ago" ? "season" : "quiet";
}

/** A mark as the panels have it, for their key. */
export function keyMark(verdict) {
  const mark = markOf(verdict, 8, 8);
  mark.classList.add("mark-z", kindOf(verdict));
  return svg("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, mark);
}

function inWords(title, rows) {
  const judged = rows.filter(({ z }) => isNumber(z));
  const found = rows.filter(({ verdict }) => !["ok", "unjudged"].includes(verdict));
  const last = rows.at(-1);
  const now = isNumber(last.z) ? `z ${signed(last.z)}, ${WORDS[last.verdict] ?? last.verdict}` : (WORDS[last.verdict] ?? last.verdict);
  const marked = found.map((row) => `${WORDS[row.verdict] ?? row.verdict} in the week of ${day(row.period)}, z ${signed(row.z)}`);
  return `${title}: z of ${judged.length} weeks from ${day(rows[0].period)} to ${day(last.period)}. Last week: ${now}. ${marked.length ? `Marked: ${marked.join("; ")}.` : "No week is marked."}`;
}

/** Draw z of one statistic by week; `weeks` are the periods of all panels in order, `most` is the common scale. */
export function panel(title, rows, weeks, most) {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const middle = (MARGIN.top + bottom) / 2;
  const inner = MARGIN.left + 6;
  const places = new Map(weeks.map((week, place) => [week, place]));
  const x = (week) => Number((weeks.length < 2 ? (MARGIN.left + right) / 2 : inner + (places.get(week) * (right - inner - 7)) / (weeks.length - 1)).toFixed(1));
  const y = (z) => Number((middle - (Math.max(-most, Math.min(most, z)) / most) * (middle - MARGIN.top)).toFixed(1));
  const chart = svg("svg", { class: "panel", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": inWords(title, rows) });
  for (const [kind, from, to] of [["warn", WARN, ALARM], ["alarm", ALARM, most], ["warn", -ALARM, -WARN], ["alarm", -most, -ALARM]]) {
    chart.append(svg("rect", { class: `band ${kind}`, x: MARGIN.left, y: y(to), width: right - MARGIN.left, height: y(from) - y(to) }));
  }
  chart.append(svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(0), y2: y(0) }));
  for (const z of [ALARM, 0, -ALARM]) {
    chart.append(svg("text", { class: "tick", x: MARGIN.left - 5, y: y(z) + 4, "text-anchor": "end" }, z < 0 ? `\u2212${-z}` : String(z)));
  }
  chart.append(svg("text", { class: "tick", x: inner, y: HEIGHT - 4 }, dayAndMonth(weeks[0])));
  if (weeks.length > 1) chart.append(svg("text", { class: "tick", x: right, y: HEIGHT - 4, "text-anchor": "end" }, dayAndMonth(weeks.at(-1))));
  let path = "";
  let before = null;
  for (const row of rows) {
    if (isNumber(row.z)) path += `${before !== null && places.get(row.period) === before + 1 ? "L" : "M"}${x(row.period)} ${y(row.z)}`;
    before = isNumber(row.z) ? places.get(row.period) : null;
  }
  chart.append(svg("path", { class: "series model", d: path }));
  const quietFirst = rows.toSorted((a, b) => (kindOf(a.verdict) !== "quiet") - (kindOf(b.verdict) !== "quiet"));
  for (const row of quietFirst) {
    if (!isNumber(row.z) && kindOf(row.verdict) === "quiet") continue;
    const mark = markOf(row.verdict, x(row.period), y(isNumber(row.z) ? row.z : most));
    mark.classList.add("mark-z", kindOf(row.verdict));
    mark.append(svg("title", {}, `Week of ${day(row.period)}: z ${signed(row.z)}, ${WORDS[row.verdict] ?? row.verdict}`));
    chart.append(mark);
  }
  return chart;
}

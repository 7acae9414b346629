// The difference of a variant from the control with its interval, as a picture and in words.

import { amount, decimal, isNumber, percents, svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 46;
const SIDE = 14;
const WIDEST = 2; // a lift of 200 %

/** The largest lift that pictures of these rows show, as a share. */
export function widestOf(rows) {
  const bounds = rows.flatMap((row) => [row.lift, row.lift_low, row.lift_high]).filter(isNumber).map(Math.abs);
  const most = Math.min(WIDEST, Math.max(0.02, ...bounds)) * 1.05;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= most);
}

/** Draw a lift with its interval, all rows on one scale; null where there is no interval of the lift. */
export function intervalChart(row, widest, label) {
  if (![row.lift, row.lift_low, row.lift_high].every(isNumber)) return null;
  const x = (lift) => Number((WIDTH / 2 + (Math.max(-widest, Math.min(widest, lift)) / widest) * (WIDTH / 2 - SIDE)).toFixed(1));
  const y = 14;
  const kind = ["higher", "lower"].includes(row.verdict) ? row.verdict : "open";
  const chart = svg("svg", { class: "interval", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  chart.append(
    svg("line", { class: "grid", x1: SIDE, x2: WIDTH - SIDE, y1: 28, y2: 28 }),
    svg("line", { class: "zero", x1: WIDTH / 2, x2: WIDTH / 2, y1: 2, y2: 32 }),
    svg("line", { class: `reach ${kind}`, x1: x(row.lift_low), x2: x(row.lift_high), y1: y, y2: y }),
  );
  for (const end of [row.lift_low, row.lift_high]) {
    if (Math.abs(end) <= widest) chart.append(svg("line", { class: `reach ${kind}`, x1: x(end), x2: x(end), y1: y - 5, y2: y + 5 }));
  }
  chart.append(svg("circle", { class: `middle ${kind}`, cx: x(row.lift), cy: y, r: 5.5 }, svg("title", {}, label)));
  for (const [lift, anchor] of [[-widest, "start"], [0, "middle"], [widest, "end"]]) {
    chart.append(svg("text", { class: "tick", x: lift < 0 ? 2 : lift > 0 ? WIDTH - 2 : WIDTH / 2, y: HEIGHT - 4, "text-anchor": anchor }, percents(lift, widest < 0.1 && lift ? 1 : 0)));
  }
  return chart;
}

const probability = (p) => (!isNumber(p) ? "" : p < 0.0001 ? ", p\u00a0<\u00a00.0001" : `, p\u00a0=\u00a0${decimal(p)}`);

/** A row of the comparison in words. */
export function inWords(row, result) {
  const values = `${row.variant} ${amount(row.value)}, ${result.control} ${amount(row.control_value)}`;
  const kind = `${result.bounds === "sequential" ? "always-valid " : ""}${Math.round(100 * result.confidence)} % interval`;
  if (isNumber(row.lift_low) && isNumber(row.lift_high)) {
    return `${values}: ${percents(row.lift)}, ${kind} from ${percents(row.lift_low)} to ${percents(row.lift_high)}${probability(row.p_value)}.`;
  }
  if (isNumber(row.low) && isNumber(row.high)) {
    return `${values}: difference ${amount(row.difference)}, ${kind} from ${amount(row.low)} to ${amount(row.high)}${probability(row.p_value)}.`;
  }
  return `${values}. There is no interval yet: each variant needs at least 50 users.`;
}

/** Whether the experiment may be stopped, as [kind, sentence]. */
export function decision(result, experiment) {
  const users = result.users.reduce((sum, one) => sum + one.users, 0);
  const known = result.table.filter((row) => isNumber(row.low));
  const decided = known.filter(({ verdict }) => ["higher", "lower"].includes(verdict));
  if (experiment.status === "stopped") return ["", "The experiment is stopped: users get what everybody gets, and later events do not count."];
  if (!known.length) return ["busy", "Nothing can be said yet: each variant needs at least 50 users. Let it run."];
  if (decided.length) return ["", "It may be stopped: the intervals hold at each look. The metric that was named before the start decides. Let it run for whole weeks, since what is new is clicked because it is new."];
  if (users < result.planned_users) return ["busy", `Not decided yet, with ${amount(users)} of ${amount(result.planned_users)} planned users. It may be stopped, but then nothing was found, which does not show that there is no difference.`];
  return ["", "The planned number of users is reached and nothing was found. It may be stopped: a difference that is there lies within the intervals."];
}

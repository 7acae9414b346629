// What became of a job, and how a version was judged, in words; columns that are not known are shown as they are.

import { count, day, plural, quality, summary } from "./dom.js";

/** The comparison of a version with the one before. */
export function judged(outcome) {
  if (outcome === null || outcome === undefined) return "";
  if (typeof outcome !== "object") return String(outcome);
  if (outcome.judged === false) return outcome.reason ? `not judged: ${outcome.reason}` : "not judged";
  if (typeof outcome.ndcg !== "number") return outcome.origin ? "" : summary(outcome);
  const parts = [`NDCG@${outcome.k ?? 10} ${quality(outcome.ndcg)}`];
  if (typeof outcome.current_ndcg === "number") parts.push(`the one before ${quality(outcome.current_ndcg)}`);
  if (typeof outcome.popularity_ndcg === "number") parts.push(`popularity ${quality(outcome.popularity_ndcg)}`);
  const basis = [typeof outcome.n_users === "number" ? `${count(outcome.n_users)} users` : "", outcome.on].filter(Boolean).join(", ");
  return parts.join(", ") + (basis ? ` (${basis})` : "");
}

const duration = (seconds) => (typeof seconds === "number" ? `${seconds < 10 ? seconds.toFixed(1) : count(seconds)} s` : "");

/** What a judgement of drift found. */
function drifted({ period, alarm, warn, skipped, reason, step, seconds, ...rest }) {
  const named = (names, word) => (names?.length ? `${plural(names.length, word)} (${names.map((name) => String(name).replaceAll("_", " ")).join(", ")})` : "");
  const found = [named(alarm, "alarm"), named(warn, "warning")].filter(Boolean).join(" and ");
  const week = period === undefined ? "" : `week of ${day(period)}: ${found || "no alarm and no warning"}`;
  return [week, skipped ? `nothing was judged: ${skipped}` : "", reason, step, summary(rest), duration(seconds)].filter(Boolean).join(" · ");
}

/** The result of a job. */
export function became(result, kind) {
  if (result === null || typeof result !== "object") return summary(result);
  if (kind === "drift") return drifted(result);
  const { version, promoted, judgement, reason, skipped, seconds, events, users, step, ...rest } = result;
  for (const name of ["base", "learned_seq", "learned_merge", "counted_twice"]) delete rest[name]; // for the trainer
  const named = version === undefined ? "" : `version ${version}${promoted === undefined ? "" : promoted ? ", promoted" : ", not promoted"}`;
  const read = typeof events === "number" ? `${count(events)} events${typeof users === "number" ? ` of ${count(users)} users` : ""}` : "";
  return [named, skipped ? `skipped: ${skipped}` : "", reason, reason ? "" : judged(judgement), read, step, summary(rest), duration(seconds)].filter(Boolean).join(" · ");
}

// What became of a job, and how a version was judged, in words; columns that are not known are shown as they are.

import { count, quality, summary } from "./dom.js";

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

/** The result of a job. */
export function became(result) {
  if (result === null || typeof result !== "object") return summary(result);
  const { version, promoted, judgement, reason, skipped, seconds, events, users, step, ...rest } = result;
  for (const name of ["base", "learned_seq", "learned_merge", "counted_twice"]) delete rest[name]; // for the trainer
  const named = version === undefined ? "" : `version ${version}${promoted === undefined ? "" : promoted ? ", promoted" : ", not promoted"}`;
  const read = typeof events === "number" ? `${count(events)} events${typeof users === "number" ? ` of ${count(users)} users` : ""}` : "";
  return [named, skipped ? `skipped: ${skipped}` : "", reason, reason ? "" : judged(judgement), read, step, summary(rest),
    typeof seconds === "number" ? `${seconds < 10 ? seconds.toFixed(1) : count(seconds)} s` : ""].filter(Boolean).join(" · ");
}

// Live counters: the status of the service every two seconds while the page is visible.

import { status } from "./api.js";
import { sparkline } from "./chart.js";
import { byId, compact, count, decimal, milliseconds, setText } from "./dom.js";
import { clearError, showError } from "./notices.js";

const PERIOD = 2000;
const KEPT = 30;
const rates = [];

function show(answer) {
  setText("live-requests", compact(answer.requests));
  setText("live-rate", decimal(answer.requests_per_s));
  setText("live-p50", milliseconds(answer.latency_ms?.p50));
  setText("live-p99", milliseconds(answer.latency_ms?.p99));
  setText("live-events", compact(answer.events));
  setText("live-fallbacks", compact(answer.fallbacks));
  setText("live-model", answer.model ? `${answer.model.class}, version ${answer.model.version}` : "none: popularity");
  byId("live-fallbacks").classList.toggle("bad", answer.requests > 0 && answer.fallbacks / answer.requests > 0.01);
  rates.push(answer.requests_per_s ?? 0);
  if (rates.length > KEPT) rates.shift();
  sparkline(byId("live-line"), rates);
  const store = answer.store ?? {};
  const parts = [`skrec ${answer.version}`, `${count(store.users)} customers`, `${count(store.items)} items`, `${count(store.events)} events stored`];
  setText("footer", (answer.demo ? ["Demo shop", ...parts] : parts).join(" · "));
}

/** Poll the status; `onStatus` is called with each answer. Resolves after the first one. */
export function startPolling(onStatus) {
  let timer;
  let running = false;
  return new Promise((resolve) => {
    async function tick() {
      clearTimeout(timer);
      if (document.hidden || running) return;
      running = true;
      try {
        const answer = await status();
        show(answer);
        clearError("status");
        onStatus(answer);
        resolve(answer);
      } catch (error) {
        showError(error, "status");
      } finally {
        running = false;
        timer = setTimeout(tick, PERIOD);
      }
    }
    document.addEventListener("visibilitychange", tick);
    document.addEventListener("skrec-key", tick);
    tick();
  });
}

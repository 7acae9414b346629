// The page of the service for the shop's people: views, key, and what starts them.

import { onKeyNeeded, setKey } from "./api.js";
import { showCatalogue, startCatalogue } from "./catalogue.js";
import { byId } from "./dom.js";
import { loadDrift, showDrift, startDrift } from "./drift.js";
import { showExperiments, startExperiments } from "./experiments.js";
import { startPolling } from "./live.js";
import { modelStatus, showModel, startModel } from "./model.js";
import { keyDialog, showError } from "./notices.js";
import { recommendationsStatus, startRecommendations } from "./recommendations.js";

const VIEWS = ["recommendations", "catalogue", "model", "drift", "experiments"];
let view = "";

function show() {
  const wanted = location.hash.slice(1);
  if (wanted === "content" && view) return; // the skip link
  const next = VIEWS.includes(wanted) ? wanted : VIEWS[0];
  if (next === view) return;
  const first = view === "";
  view = next;
  for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} - skrec`;
  if (!first) {
    byId("content").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  showModel(view === "model");
  showDrift(view === "drift");
  showExperiments(view === "experiments");
  if (view === "catalogue") showCatalogue();
}

async function changeKey() {
  const key = await keyDialog("The service asks for a key where it can be reached from elsewhere. An administrator's key also opens jobs and versions.");
  if (key === null) return;
  setKey(key);
  document.dispatchEvent(new Event("skrec-key"));
  view = "";
  show();
}

window.addEventListener("hashchange", show);
window.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof Error) showError(event.reason);
});
byId("key-button").addEventListener("click", changeKey);
onKeyNeeded((refused) => keyDialog(refused ? "The service refused this key. Please give another one." : "The service asks for a key."));

startCatalogue();
startModel();
startDrift();
startExperiments();
show();
let knowsRepeats = false;
await startPolling((status) => {
  if (!knowsRepeats && status.model) {
    byId("option-repeats").checked = Boolean(status.model.repeats); // as the model was fitted, until somebody chooses
    knowsRepeats = true;
  }
  recommendationsStatus(status);
  modelStatus(status);
});
startRecommendations();
loadDrift();

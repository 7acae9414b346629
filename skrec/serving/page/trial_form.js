// The form that starts an experiment.

import * as api from "./api.js";
import { byId, dayAndTime, el } from "./dom.js";
import { announce, clearError, confirmDialog, showError } from "./notices.js";

const MOST = 20;
let versions = [];
let scenarios = [];
let numbered = 0;

function choices(select, rows) {
  const chosen = select.value;
  select.replaceChildren(...rows.map(([value, text]) => el("option", { value }, text)));
  if (rows.some(([value]) => value === chosen)) select.value = chosen;
}

function offer(row) {
  choices(row.querySelector("[data-part=version]"), [["", "The current one"], ...versions.map((model) => [String(model.version), `Version ${model.version}, ${dayAndTime(model.learned_until)}`])]);
  choices(row.querySelector("[data-part=scenario]"), [["", "As requested"], ...scenarios.map((name) => [name, name])]);
}

function rename() {
  const rows = [...byId("trial-variants").children];
  rows.forEach((row, place) => {
    row.querySelector("legend").textContent = place === 0 ? "Variant 1, the control" : `Variant ${place + 1}`;
    row.querySelector("[data-part=remove]").hidden = rows.length <= 2 || place === 0;
    row.querySelector("[data-part=remove]").setAttribute("aria-label", `Remove variant ${place + 1}`);
  });
  byId("trial-add").disabled = rows.length >= MOST;
}

function field(number, part, text, control) {
  const id = `trial-variant-${number}-${part}`;
  control.id = id;
  control.dataset.part = part;
  return el("label", { class: "field", for: id }, text, control);
}

function addVariant(name) {
  const number = ++numbered;
  const remove = el("button", { type: "button", class: "quiet", "data-part": "remove" }, "Remove");
  const row = el("fieldset", { class: "variant" }, el("legend", {}),
    el("div", { class: "pair" },
      field(number, "name", "Name", el("input", { type: "text", maxlength: 128, required: true, autocomplete: "off", spellcheck: "false", value: name })),
      field(number, "weight", "Weight", el("input", { type: "number", min: 0.001, max: 1_000_000, step: "any", required: true, value: 1 })),
      field(number, "version", "Model", el("select", {})),
      field(number, "scenario", "Scenario", el("select", {}))),
    remove);
  remove.addEventListener("click", () => {
    row.remove();
    rename();
    byId("trial-add").focus();
  });
  byId("trial-variants").append(row);
  offer(row);
  rename();
  return row;
}

function reset() {
  byId("trial-form").reset();
  byId("trial-variants").replaceChildren();
  addVariant("control");
  addVariant("varied");
}

/** What the form says, as the body of a request. */
function body() {
  const rows = [...byId("trial-variants").children].map((row) => {
    const part = (name) => row.querySelector(`[data-part=${name}]`);
    const variant = { weight: part("weight").valueAsNumber };
    if (part("version").value) variant.version = Number(part("version").value);
    if (part("scenario").value) variant.scenario = part("scenario").value;
    return [part("name").value.trim(), variant];
  });
  const names = rows.map(([name]) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw Object.assign(new Error(`Two variants are called ${twice}: each needs a name of its own.`), { title: "The experiment was not started" });
  return {
    name: byId("trial-name").value.trim(),
    variants: Object.fromEntries(rows),
    control: names[0],
    share: byId("trial-share").valueAsNumber / 100,
    holdout: byId("trial-holdout").valueAsNumber / 100,
    planned_users: byId("trial-planned").valueAsNumber,
    attribution_days: byId("trial-days").valueAsNumber,
    scenario: byId("trial-scenario").value || undefined,
  };
}

/** Offer the versions of the model and the scenarios. */
export async function offerChoices() {
  try {
    const [models, rules] = await Promise.all([api.models(), api.rules()]);
    versions = models.models.filter(({ status }) => status !== "deleted");
    scenarios = ["default", ...Object.keys(rules.rules).filter((name) => name !== "default")];
  } catch {
    return; // the lists of the view say what is wrong
  }
  for (const row of byId("trial-variants").children) offer(row);
  choices(byId("trial-scenario"), [["", "All requests"], ...scenarios.map((name) => [name, name])]);
}

/** Start the form; `started` is called with the experiment that was started. */
export function startForm(started) {
  reset();
  choices(byId("trial-scenario"), [["", "All requests"]]);
  byId("trial-add").addEventListener("click", () => {
    const count = byId("trial-variants").children.length;
    addVariant(`variant ${count + 1}`).querySelector("input").focus();
  });
  byId("trial-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const wanted = body();
      const gives = Object.values(wanted.variants).map(({ version, scenario }) => JSON.stringify([version, scenario]));
      if (new Set(gives).size === 1 && !(await confirmDialog("Start with variants that are alike?", "All variants give the same model and scenario: this compares the service with itself (an A/A test).", "Start"))) return;
      const experiment = await api.addExperiment(wanted);
      clearError("new-trial");
      announce(`The experiment ${experiment.name} is ${experiment.status}`);
      reset();
      byId("new-trial").open = false;
      started(experiment);
    } catch (error) {
      showError(error, "new-trial");
    }
  });
}

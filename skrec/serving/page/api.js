// Requests to the service, the key, and problems as errors.

const STORED = "skrec-key";

export class ApiError extends Error {
  constructor(status, problem = {}) {
    super(problem.detail || problem.title || `The service answered ${status}`);
    this.status = status;
    this.title = problem.title || (status ? `Error ${status}` : "The service does not answer");
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
  }
}

let key = null;
let declined = false; // the key was asked for and not given: what runs in the background does not ask again
let askForKey = async () => null;
let asking = null;

try {
  key = sessionStorage.getItem(STORED);
} catch {
  // storage is switched off: the key lives as long as the page
}

/** Set what asks the person for a key: (whether one was refused) -> the key or null. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export function setKey(value) {
  key = value;
  declined = false;
  try {
    if (value === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, value);
  } catch {
    // as above
  }
}

async function newKey(refused) {
  asking ??= askForKey(refused).finally(() => {
    asking = null;
  });
  const given = await asking;
  if (given !== null && given !== key) setKey(given);
  declined = given === null;
  return given !== null;
}

async function problemOf(response) {
  try {
    const problem = await response.json();
    return typeof problem === "object" && problem !== null ? problem : {};
  } catch {
    return {};
  }
}

/**
 * Call the service and return its JSON. A 401 asks for a key and tries again.
 * `background: true` is for what nobody asked for, such as the polling of the counters.
 */
export async function call(method, path, body, { signal, background = false } = {}) {
  for (;;) {
    const used = key;
    const headers = { Accept: "application/json" };
    if (used !== null) headers.Authorization = `Bearer ${used}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      const text = body === undefined ? undefined : JSON.stringify(body);
      response = await fetch(path, { method, headers, body: text, signal, credentials: "same-origin", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, { title: "The service does not answer", detail: "Is it running? The page tries again by itself." });
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    if (response.status !== 401) throw new ApiError(response.status, await problemOf(response));
    if (used !== key) continue; // another request was given a key meanwhile
    const problem = await problemOf(response);
    if ((background && declined) || !(await newKey(used !== null))) throw new ApiError(401, problem);
  }
}

export function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const status = () => call("GET", "v1/status", undefined, { background: true });
export const users = (search, limit, signal) => call("GET", address("v1/users", { search, limit }), undefined, { signal });
export const history = (user, limit, signal, before) =>
  call("GET", address(`v1/users/${encodeURIComponent(user)}/history`, { limit, before }), undefined, { signal });
export const items = (query, signal) => call("GET", address("v1/items", query), undefined, { signal });
export const patchItem = (change) => call("PATCH", "v1/items", [change]);
export const recommend = (body, signal) => call("POST", "v1/recommend", body, { signal });
export const popular = (query, signal) => call("GET", address("v1/popular", query), undefined, { signal });
export const sendEvent = (event) => call("POST", "v1/events", event);
export const rules = () => call("GET", "v1/rules");
export const jobs = () => call("GET", "v1/jobs", undefined, { background: true });
export const job = (id) => call("GET", `v1/jobs/${encodeURIComponent(id)}`, undefined, { background: true });
export const addJob = (kind) => call("POST", "v1/jobs", { kind });
export const models = () => call("GET", "v1/models", undefined, { background: true });
export const promote = (version, force) => call("POST", `v1/models/${encodeURIComponent(version)}/promote`, { force });
export const rollBack = () => call("POST", "v1/models/rollback", {});
export const drift = () => call("GET", "v1/drift", undefined, { background: true });
export const experiments = () => call("GET", "v1/experiments", undefined, { background: true });
export const addExperiment = (body) => call("POST", "v1/experiments", body);
export const stopExperiment = (name) => call("POST", `v1/experiments/${encodeURIComponent(name)}/stop`);
export const experimentResult = (name, event, signal) =>
  call("GET", address(`v1/experiments/${encodeURIComponent(name)}/result`, { event }), undefined, { signal });

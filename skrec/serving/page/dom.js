// Elements, texts and formats. Data reaches the document as text nodes and checked attributes only.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Make an element; functions among the attributes are listeners, strings among the children are text. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

export function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

export function hiddenText(text) {
  return el("span", { class: "hidden-text" }, text);
}

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, notation: "compact" });
const fine = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const moving = [0, 1].map((digits) => new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "exceptZero" }));
const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const dayShort = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const timeFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC",
});

const MINUS = "\u2212";
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const count = (value) => (isNumber(value) ? whole.format(value) : "–");
export const compact = (value) => (!isNumber(value) ? "–" : value < 100_000 ? whole.format(value) : short.format(value));
export const decimal = (value) => (isNumber(value) ? fine.format(value) : "–");
export const amount = (value) => (isNumber(value) ? (Math.abs(value) >= 100 ? whole : fine).format(value) : "–");
export const signed = (value) => (isNumber(value) ? moving[1].format(value).replace("-", MINUS) : "–");
export const quality = (value) => (isNumber(value) ? value.toFixed(4) : "–");
export const price = (value) => (isNumber(value) ? money.format(value) : "");
export const percent = (value) => `${Math.round(100 * value)}\u00a0%`;
export const share = (value) => `${decimal(100 * value)}\u00a0%`;
export const percents = (value, digits = 1) => `${moving[digits].format(100 * value).replace("-", MINUS)}\u00a0%`;
export const milliseconds = (value) => (isNumber(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : "–");
export const plural = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;

/** Milliseconds since 1970 of an ISO text, or of a number of seconds, milliseconds or microseconds; NaN if it is none. */
export function moment(value) {
  if (typeof value === "string") return Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(value) || value.length < 11 ? value : `${value}Z`);
  if (!isNumber(value)) return NaN;
  return Math.abs(value) > 1e14 ? value / 1000 : Math.abs(value) > 1e11 ? value : 1000 * value;
}

const dated = (format) => (value) => (Number.isNaN(moment(value)) ? "–" : format.format(moment(value)));
export const day = dated(dayFormat);
export const dayAndMonth = dated(dayShort);
export const dayAndTime = (value) => (Number.isNaN(moment(value)) ? "–" : `${timeFormat.format(moment(value))} UTC`);

/** Text of a small object of numbers and texts, such as the result of a job. */
export function summary(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : decimal(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(summary).join(", ");
  return Object.entries(value)
    .filter(([, part]) => part !== null && part !== undefined)
    .map(([name, part]) => {
      const text = summary(part);
      return `${name.replaceAll("_", " ").replace("ndcg", "NDCG")} ${typeof part === "object" && !Array.isArray(part) ? `(${text})` : text}`;
    })
    .join(", ");
}

/** Call after a pause without further calls; `cancel` drops a call that waits. */
export function debounce(action, wait = 200) {
  let timer;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Replace what is in a list; the focus stays on the control with the same `data-key`, or goes to the first one. */
export function replaceList(list, nodes) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  list.replaceChildren(...nodes);
  if (focused === undefined) return;
  const controls = [...list.querySelectorAll("[data-key]")];
  (controls.find(({ dataset }) => dataset.key === focused) ?? controls[0])?.focus({ preventScroll: true });
}

const DATA_PICTURE = /^data:image\/(png|jpeg|gif|webp|avif|svg\+xml)[;,]/i;

/** Address of a picture that the page may show: https, data or the own origin; null for all others. */
export function pictureAddress(value) {
  if (typeof value !== "string" || value === "") return null;
  if (DATA_PICTURE.test(value)) return value;
  try {
    const address = new URL(value, document.baseURI);
    return address.protocol === "https:" || address.origin === location.origin ? address.href : null;
  } catch {
    return null;
  }
}

/** Picture of an item, or its first letter where it has none. */
export function picture(address, name) {
  const letter = () => el("span", { class: "picture letter", "aria-hidden": "true" }, (/[\p{L}\p{N}]/u.exec(name) ?? ["·"])[0]);
  const source = pictureAddress(address);
  if (source === null) return letter();
  const image = el("img", { class: "picture", alt: "", loading: "lazy", decoding: "async", width: 48, height: 48, referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(letter()), { once: true });
  image.src = source;
  return image;
}

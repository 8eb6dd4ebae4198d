// Elements made without ever parsing text as HTML, words for numbers and times, and calls to the API.
export const SEVERITIES = ["critical", "high", "medium", "low"];

/** The statuses after which nothing is to come; each is set by the event of its name. */
export const ENDED = new Set(["completed", "failed", "superseded", "cancelled"]);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const pill = (text, kind) => element("span", { class: `pill ${kind}` }, text);

// $12.40 · $0.041: what a small review costs is shown in tenths of a cent.
export function money(cost) {
  if (cost === null || cost === undefined) return null;
  if (cost > 0 && cost < 0.001) return "<$0.001";
  const digits = cost === 0 || cost >= 1 ? 2 : 3;
  return `$${cost.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

// 980 · 12,400 · 1.2M
export const count = (number) => (Math.abs(number) < 100_000 ? whole.format(number) : short.format(number));
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

// 0.4 s · 38 s · 4 min 10 s · 2 h 5 min · 3 days
export function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return [`${minutes} min`, Math.floor(seconds % 60) ? `${Math.floor(seconds % 60)} s` : ""].join(" ").trim();
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return [`${hours} h`, minutes % 60 ? `${minutes % 60} min` : ""].join(" ").trim();
  return plural(Math.floor(hours / 24), "day");
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const STEPS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

function since(moment) {
  const seconds = (moment - Date.now()) / 1000;
  if (seconds < -30 * 86_400) return moment.toLocaleDateString(undefined, { dateStyle: "medium" });
  const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
  return step ? relative.format(Math.trunc(seconds / step[1]), step[0]) : "now";
}

// How long ago; one clock keeps all that are on the page fresh.
export function ago(iso) {
  const moment = new Date(iso);
  return element("time", { datetime: iso, "data-ago": "", title: moment.toLocaleString() }, since(moment));
}

setInterval(() => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = since(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}, 15_000);

export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function answered(answer) {
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Refused(401, "Log in first.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.error ?? `The server answered ${answer.status}.`);
  return body;
}

async function asked(url, init) {
  try { return await fetch(url, init); } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server can’t be reached.");
  }
}

export const load = async (url, signal) => answered(await asked(url, { headers: { Accept: "application/json" }, signal }));

// A change carries what proves that it comes from a page of ours.
export const change = async (url) => answered(await asked(url, {
  method: "POST",
  headers: { Accept: "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]")?.content ?? "" },
}));

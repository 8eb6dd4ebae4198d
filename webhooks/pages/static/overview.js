// The live list of reviews. Rows are kept by review and changed in place: nothing moves under a pointer or a focus.
import { Refused, SEVERITIES, element, load, plural } from "/static/elements.js";
import { follow } from "/static/feed.js";
import { health } from "/static/health.js";
import { fill, label, made } from "/static/rows.js";

const TYPES = ["review.queued", "review.started", "review.planned", "finding", "finding.withdrawn", "chunk.completed",
  "chunk.failed", "review.postponed", "review.completed", "review.failed", "review.superseded", "review.cancelled"];
const TURNS = new Set(TYPES.filter((type) => /queued|started|postponed|completed|failed|superseded|cancelled/.test(type)
  && type.startsWith("review.")));
const SETTLED = 1_000; // milliseconds after such a turn in which the queue has changed too
const PAGE = 50;
const APART = 350; // milliseconds between two requests for what has changed, whatever the rate of events
const PATIENCE = 3_000; // a short cut is told beside the name only
const MANY = 6; // from so many changed reviews on, one page of the list is cheaper than each by itself

const get = (id) => document.getElementById(id);
const list = get("reviews");
const rows = new Map();
let next = null;
let loading = null;
let ready = Promise.resolve();

const older = (a, b) => a.created_at < b.created_at || (a.created_at === b.created_at && a.id < b.id);

function place(row) {
  const after = [...list.children].find((node) => node.review && older(node.review, row.review));
  list.insertBefore(row.node, after ?? null);
}

function take(review, isNew) {
  let row = rows.get(review.id);
  if (row) {
    fill(row, review);
  } else {
    row = made(review);
    rows.set(review.id, row);
    row.node.review = review;
    place(row);
    if (isNew) {
      row.node.classList.add("came");
      setTimeout(() => row.node.classList.remove("came"), 2_500);
    }
  }
  row.node.review = review;
}

// Filters; they live in the address, so that a view can be sent to somebody
const wanted = () => ({ text: get("text").value.trim().toLowerCase(), status: get("status").value, severity: get("severity").value });

function matches(review, { text, status, severity }) {
  const words = `${label(review)} ${review.title}`.toLowerCase();
  const grave = severity ? SEVERITIES.slice(0, SEVERITIES.indexOf(severity) + 1) : null;
  return words.includes(text) && (!status || review.status === status)
    && (!grave || grave.some((one) => review.by_severity[one]));
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  for (const name of ["text", "status", "severity"]) get(name).value = query.get(name) ?? "";
  for (const name of ["status", "severity"]) if (get(name).selectedIndex < 0) get(name).value = "";
}

function writeAddress() {
  const query = new URLSearchParams(Object.entries(wanted()).filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

// States
const SVG = "http://www.w3.org/2000/svg";

function picture() {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["viewBox", "0 0 176 88"], ["class", "picture"], ["aria-hidden", "true"], ["fill", "none"],
    ["stroke", "currentColor"], ["stroke-width", "3"], ["stroke-linecap", "round"]]) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M58 12v64M118 12v64M70 12h36v26a6 6 0 0 1-6 6H76a6 6 0 0 1-6-6zM8 58q10-7 20 0t20 0M70 58q9-7 18 0t18 0"
    + "M128 58q10-7 20 0t20 0M8 72q10-7 20 0t20 0M70 72q9-7 18 0t18 0M128 72q10-7 20 0t20 0");
  svg.append(path);
  return svg;
}

function say(...parts) { get("state").replaceChildren(...parts); }

function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

function blank() {
  if (!rows.size && !Object.values(wanted()).some(Boolean)) {
    say(picture(), element("h2", {}, "No review yet"),
      element("ol", {}, element("li", {}, "Install the app on a repository."),
        element("li", {}, "Open a pull request there, or push to one."),
        element("li", {}, "Its review appears here by itself.")));
    return;
  }
  say(picture(), element("h2", {}, "No review matches"),
    element("p", {}, next ? `None of the newest ${plural(rows.size, "review")}; older ones may.` : "No review that you may see is like this."),
    button("Clear the filter", () => get("filters").reset()));
}

function show() {
  const filter = wanted();
  let shown = 0;
  for (const row of rows.values()) {
    const keep = matches(row.review, filter);
    if (row.node.hidden === keep) row.node.hidden = !keep;
    shown += keep ? 1 : 0;
  }
  get("clear").hidden = !Object.values(filter).some(Boolean);
  get("heads").hidden = get("keys").hidden = list.hidden = shown === 0;
  get("more").hidden = next === null;
  if (shown) say(); else blank();
}

function bones() {
  get("heads").hidden = list.hidden = false;
  list.replaceChildren(...Array.from({ length: 6 }, () => element("li", { class: "bones", "aria-hidden": "true" },
    element("span", { class: "status skeleton" }), element("span", { class: "change skeleton" }),
    element("span", { class: "severities-bone skeleton" }), element("span", { class: "progress skeleton" }))));
}

// From the server
function listing(before) {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (get("status").value) query.set("status", get("status").value);
  if (before) query.set("before", before);
  return `/reviews?${query}`;
}

function failed(error) {
  if (error instanceof Refused && error.status === 401) return;
  list.replaceChildren();
  rows.clear();
  get("heads").hidden = get("keys").hidden = list.hidden = get("more").hidden = true;
  say(element("h2", {}, "The reviews can’t be shown"), element("p", {}, error.message), button("Try again", begin));
}

function begin() {
  ready = beginning();
}

async function beginning() {
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  list.setAttribute("aria-busy", "true");
  if (!rows.size) { bones(); say(element("span", { class: "visually-hidden" }, "Loading…")); }
  try {
    const answer = await load(listing(null), mine.signal);
    list.replaceChildren();
    rows.clear();
    next = answer.next ?? null;
    for (const review of answer.reviews) take(review, false);
    show();
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
  } finally {
    if (loading === mine) list.removeAttribute("aria-busy");
  }
}

async function more() {
  const pressed = get("more");
  pressed.disabled = true;
  try {
    const answer = await load(listing(next));
    const first = answer.reviews.find((review) => !rows.has(review.id));
    next = answer.next ?? null;
    for (const review of answer.reviews) take(review, false);
    show();
    if (first && next === null) rows.get(first.id).link.focus({ preventScroll: true });
  } catch (error) {
    say(element("p", {}, error.message));
  } finally {
    pressed.disabled = false;
  }
}

// What events have changed is fetched one after the other, with a rest between; never beside a fetch of the
// whole list, whose older answer could come last
const changed = new Set();
let pump = null;
let turning = null;

async function fetchPage() {
  for (const review of (await load(`/reviews?limit=${PAGE}`)).reviews) {
    if (!changed.delete(review.id)) continue;
    take(review, !rows.has(review.id));
  }
}

async function fetchOne() {
  const [id] = changed;
  changed.delete(id);
  const review = await load(`/reviews/${encodeURIComponent(id)}`);
  take(review, !rows.has(id));
}

async function pumping() {
  let single = 0;
  while (changed.size) {
    await ready;
    const page = changed.size >= MANY && single === 0;
    single = page ? MANY : Math.max(single - 1, 0);
    try {
      await (page ? fetchPage() : fetchOne());
      show();
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // one that can't be had now comes with its next event
    }
    await new Promise((done) => { setTimeout(done, APART); });
  }
  pump = null;
}

function hear(type, data) {
  if (type === "stream.expired") { begin(); return; }
  if (!data.review) return;
  if (TURNS.has(type)) turning ??= setTimeout(() => { turning = null; strip.refresh(); }, SETTLED);
  changed.add(data.review);
  pump ??= pumping();
}

const WORDS = { connecting: "connecting…", live: "live", reconnecting: "reconnecting…", closed: "not connected" };

function connection(strip) {
  let was = "";
  let patience = null;
  return (name, reason) => {
    const place = get("connection");
    place.textContent = WORDS[name] ?? name;
    place.dataset.state = name;
    place.title = reason ?? "";
    if (name === "reconnecting") {
      patience ??= setTimeout(() => { get("offline").hidden = false; }, PATIENCE);
    } else if (name !== "connecting") {
      clearTimeout(patience);
      patience = null;
      get("offline").hidden = true;
    }
    if (name === "live" && was && was !== "live") strip.refresh();
    was = name;
  };
}

// Keys: / to the filter, j and k or the arrows through the list
function step(by) {
  const links = [...rows.values()].filter((row) => !row.node.hidden).map((row) => row.link)
    .sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea, details");
  if (event.target === get("text") && ["Enter", "ArrowDown"].includes(event.key)) { event.preventDefault(); step(0); return; }
  if (typing) return;
  const by = { j: 1, k: -1 }[event.key] ?? (event.target.closest("#reviews") ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : undefined);
  if (event.key === "/") { event.preventDefault(); get("text").focus(); } else if (by) { event.preventDefault(); step(by); }
});

get("filters").addEventListener("submit", (event) => event.preventDefault());
// The fields have their first values only after the event
get("filters").addEventListener("reset", () => setTimeout(() => { writeAddress(); get("text").focus(); begin(); }));
get("text").addEventListener("input", () => { writeAddress(); show(); });
get("severity").addEventListener("change", () => { writeAddress(); show(); });
get("status").addEventListener("change", () => { writeAddress(); begin(); });
get("more").addEventListener("click", more);
addEventListener("popstate", () => { readAddress(); begin(); });

readAddress();
const strip = health(get("health"));
// The stream is open before the list is asked for: what happens between the two is not missed
follow(`/events?${new URLSearchParams(TYPES.map((type) => ["type", type]))}`, { hear, state: connection(strip) });
begin();

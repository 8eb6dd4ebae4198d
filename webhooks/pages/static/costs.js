// Tokens and money: what was spent, on what, and what did not have to be.
import { count, element, load, money, plural } from "/static/elements.js";
import { bars, legend, ranks, shares, table } from "/static/plots.js";

const get = (id) => document.getElementById(id);
const COLOURS = 5; // the sixth is for all the rest
const MOST = 8;
const percent = (part, all) => (all ? `${Math.round(part / all * 100)} %` : "–");
const tokensOf = (row) => row.input + row.cached + row.cache_writes + row.output;
let usage = null;
let loading = null;

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;
const measures = {
  cost: { of: (row) => row.cost ?? 0, format: (value) => (value ? money(value) : "$0"), axis: (value) => `$${value.toLocaleString()}` },
  tokens: { of: tokensOf, format: (value) => count(Math.round(value)), axis: (value) => new Intl.NumberFormat(undefined, { notation: "compact" }).format(value) },
};

const total = (rows, of) => rows.reduce((sum, row) => sum + of(row), 0);

function grouped(rows, key, of) {
  const sums = new Map();
  for (const row of rows) sums.set(row[key], (sums.get(row[key]) ?? 0) + of(row));
  return [...sums].sort((a, b) => b[1] - a[1]);
}

// Days are dates of the server's calendar, not moments: no zone may shift them
const dated = (day) => new Date(`${day}T12:00:00Z`);
const days = (from, to) => {
  const all = [];
  for (let at = dated(from); at <= dated(to); at = new Date(at.getTime() + 86_400_000)) all.push(at.toISOString().slice(0, 10));
  return all;
};
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });
const brief = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

function tile(name, number, note) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, element("div", { class: "number" }, number), element("div", { class: "note" }, note)));
}

function showTotals() {
  const { rows, chunks } = usage;
  const cost = total(rows, (row) => row.cost ?? 0);
  const span = days(usage.from, usage.to).length;
  const read = total(rows, (row) => row.input + row.cached + row.cache_writes);
  const known = total(chunks, (day) => day.known);
  const all = known + total(chunks, (day) => day.bought);
  get("totals").replaceChildren(
    tile("Spent", money(cost), `${money(cost / span)} a day`),
    tile("Tokens", count(total(rows, tokensOf)), `${count(total(rows, (row) => row.output))} written by models`),
    tile("Calls", count(total(rows, (row) => row.calls)), `${plural(new Set(rows.map((row) => row.model)).size, "model")}`),
    tile("From the cache", percent(total(rows, (row) => row.cached), read), "of the tokens that models read"),
    tile("Known from before", percent(known, all), `${count(known)} of ${plural(all, "chunk")}`));
}

function panel(id, title, words, ...children) {
  get(id).setAttribute("aria-labelledby", `${id}-title`);
  get(id).replaceChildren(element("h2", { id: `${id}-title` }, title), element("p", { class: "quiet" }, words), ...children);
}

// A model has the same colour in every plot
const colours = () => grouped(usage.rows, "model", measures[chosen("measure")].of).map(([name]) => name).slice(0, COLOURS);

function showDays({ of, format, axis }) {
  const order = grouped(usage.rows, "model", of).map(([name]) => name);
  const named = colours();
  const names = order.length > COLOURS ? [...named, "all others"] : named;
  const columns = days(usage.from, usage.to).map((day) => {
    const values = names.map(() => 0);
    for (const row of usage.rows) if (row.day === day) values[named.includes(row.model) ? named.indexOf(row.model) : COLOURS] += of(row);
    return { label: long.format(dated(day)), short: brief.format(dated(day)), values };
  });
  const what = chosen("measure") === "cost" ? "Money by day" : "Tokens by day";
  const lines = columns.toReversed().map((column) => [column.label, ...column.values.map((value) => format(value)),
    format(column.values.reduce((a, b) => a + b, 0))]);
  panel("by-day", what, "Days are counted in UTC, as budgets are.", legend(names),
    bars({ name: what, names, columns, format: (value) => (value === 0 || Number.isInteger(value) ? axis(value) : format(value)) }),
    table(["Day", ...names, "All"], lines, what));
}

function showRanks(id, key, title, words, { of, format }) {
  const all = grouped(usage.rows, key, of);
  const rest = all.slice(MOST);
  const shown = rest.length ? [...all.slice(0, MOST), [`${rest.length} others`, rest.reduce((sum, [, value]) => sum + value, 0)]] : all;
  const sum = all.reduce((a, [, value]) => a + value, 0);
  const calls = new Map(grouped(usage.rows, key, (row) => row.calls));
  const colour = (name) => (key === "model" ? Math.min(colours().indexOf(name) + 1 || COLOURS + 1, COLOURS + 1) : 1);
  const rows = shown.map(([name, value]) => ({ colour: colour(name), name: name || "unknown", value, text: `${format(value)} · ${percent(value, sum)}` }));
  panel(id, title, words, ranks(rows), table([title.replace("By ", "").replace(/^./, (c) => c.toUpperCase()), "Calls", "Value", "Share"],
    all.map(([name, value]) => [name || "unknown", count(calls.get(name)), format(value), percent(value, sum)]), title));
}

function showShares() {
  const { rows, chunks } = usage;
  const kinds = [["cached", "read from the cache"], ["input", "read anew"], ["cache_writes", "written to the cache"], ["output", "written by models"]];
  const all = total(rows, tokensOf);
  const parts = kinds.map(([key, name]) => ({ name, value: total(rows, (row) => row[key]) }));
  panel("cached", "Tokens by kind", "What the provider still has in its cache costs a fraction of what is read anew.",
    shares(parts.map((part) => ({ ...part, text: `${count(part.value)} · ${percent(part.value, all)}` }))));
  const known = total(chunks, (day) => day.known);
  const bought = total(chunks, (day) => day.bought);
  panel("known", "Chunks by where they came from", "A chunk that was reviewed before, and has not changed, is not bought again.",
    shares([{ name: "known from before", value: known, text: `${count(known)} · ${percent(known, known + bought)}` },
      { name: "reviewed by a model", value: bought, text: `${count(bought)} · ${percent(bought, known + bought)}` }]));
}

function say(...parts) { get("state").replaceChildren(...parts); }

function show() {
  const none = !usage.rows.length && !usage.chunks.length;
  get("shown").hidden = none;
  if (none) {
    say(element("h2", {}, "Nothing was spent"), element("p", {}, `No model was asked in these ${chosen("days")} days. Reviews by analyzers cost nothing.`),
      element("a", { class: "button", href: "/" }, "Reviews"));
    return;
  }
  say();
  const measure = measures[chosen("measure")];
  showTotals();
  showDays(measure);
  showRanks("by-repository", "repository", "By repository", "Where it went.", measure);
  showRanks("by-model", "model", "By model", "Who was asked.", measure);
  showShares();
}

function bones() {
  get("totals").replaceChildren(...["Spent", "Tokens", "Calls", "From the cache", "Known from before"].map((name) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, element("span", { class: "skeleton tall" })))));
  get("by-day").replaceChildren(element("div", { class: "skeleton plot-bone" }));
  for (const id of ["by-repository", "by-model", "cached", "known"]) get(id).replaceChildren(element("div", { class: "skeleton half-bone" }));
}

async function begin() {
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  get("shown").hidden = false;
  get("shown").setAttribute("aria-busy", "true");
  say();
  if (!usage) bones();
  try {
    usage = await load(`/usage?days=${chosen("days")}`, mine.signal);
    show();
  } catch (error) {
    if (error.name === "AbortError") return;
    usage = null;
    get("shown").hidden = true;
    const again = element("button", { type: "button" }, "Try again");
    again.addEventListener("click", begin);
    say(element("h2", {}, "The costs can’t be shown"), element("p", {}, error.message), again);
  } finally {
    if (loading === mine) get("shown").removeAttribute("aria-busy");
  }
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  for (const name of ["days", "measure"]) {
    const asked = [...document.querySelectorAll(`input[name=${name}]`)].find((input) => input.value === query.get(name));
    if (asked) asked.checked = true;
  }
}

const writeAddress = () => history.replaceState(null, "", `?days=${chosen("days")}&measure=${chosen("measure")}`);
get("days").addEventListener("change", () => { writeAddress(); begin(); });
get("measure").addEventListener("change", () => { writeAddress(); if (usage) show(); });

readAddress();
begin();

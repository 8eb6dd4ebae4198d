// The strip that says how the machinery does: queue, model, GitHub, budget.
import { count, duration, element, load, money, plural } from "/static/elements.js";

const EVERY = 15_000;
const NEAR = 0.8;

const share = (used, cap) => (cap ? Math.min(used / cap, 1) : 0);

function meter(label, text, parts, kind = "") {
  const made = element("div", { class: `meter ${kind}`, role: "meter", "aria-label": label, "aria-valuetext": text,
    "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.round(parts.reduce((sum, [, size]) => sum + size, 0) * 100)) });
  for (const [name, size] of parts) {
    if (size <= 0) continue;
    const bar = element("i", { class: name });
    bar.style.width = `${Math.max(size * 100, 1)}%`;
    made.append(bar);
  }
  return made;
}

const pairs = (rows) => element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

function queue({ waiting, running, postponed }) {
  const all = Math.max(running + waiting + postponed, 1);
  const text = running + waiting ? [`${count(running)} running`, `${count(waiting)} waiting`] : ["Nothing to do"];
  return {
    name: "Queue", kind: postponed ? "warn" : "ok", word: postponed ? `${count(postponed)} postponed` : "ok",
    value: text[0], small: text[1] ?? "", apart: text.length > 1,
    meter: meter("Queue", `${running} running, ${waiting} waiting, ${postponed} postponed`,
      [["", running / all], ["waiting", waiting / all], ["postponed", postponed / all]].filter(([, size]) => size)),
    more: [element("p", {}, "Reviews that you may see, by what they wait for."),
      pairs([["running", count(running)], ["waiting for a worker", count(waiting)], ["postponed until the model is back", count(postponed)]])],
  };
}

const MODEL = { ok: ["ok", "ok"], paused: ["warn", "paused"], none: ["off", "no model"] };

function model({ engine, name, state, detail }) {
  const [kind, word] = MODEL[state] ?? ["off", state];
  const says = { ok: "The model answers.", paused: "It failed several times in a row and is left alone for a while; reviews wait.",
    none: "No model is configured: analyzers review alone." };
  return {
    name: "Model", kind, word, value: name ?? "Analyzers only", small: "",
    meter: null, line: detail || says[state] || "",
    more: [element("p", {}, says[state] ?? ""), detail ? element("p", {}, detail) : null, pairs([["engine", engine ?? "none"]])],
  };
}

function github(installations) {
  if (!installations.length) {
    return { name: "GitHub", kind: "off", word: "not asked yet", value: "No installation", small: "", meter: null,
      line: "Nothing was written to GitHub so far.", more: [element("p", {}, "An installation shows here once Sluice has talked to GitHub for it.")] };
  }
  const used = (one) => share(one.writes_this_hour, one.writes_per_hour);
  const closed = installations.filter((one) => one.closed_for_seconds);
  const worst = installations.reduce((a, b) => (used(b) > used(a) ? b : a));
  const near = used(worst) >= NEAR;
  const wait = Math.max(0, ...closed.map((one) => one.closed_for_seconds));
  const label = (one) => one.account ?? `installation ${one.installation}`;
  const rate = (one) => `${count(one.writes_this_hour)} of ${count(one.writes_per_hour)} writes`;
  return {
    name: "GitHub", kind: closed.length || near ? "warn" : "ok",
    word: closed.length ? `closed for ${duration(wait)}` : near ? "near its limit" : "ok",
    value: count(worst.writes_this_hour), small: ` of ${count(worst.writes_per_hour)} writes this hour`,
    meter: meter("Writes to GitHub this hour", `${label(worst)}: ${rate(worst)}`, [["", used(worst)]], near ? "warn" : ""),
    more: [element("p", {}, "Writes to GitHub in this hour, by who has the app installed."),
      pairs(installations.map((one) => [label(one), one.closed_for_seconds ? `closed for ${duration(one.closed_for_seconds)}` : rate(one)]))],
  };
}

const dollars = ({ used, cap }) => (cap === null ? `${money(used)}, no bound` : `${money(used)} of ${money(cap)}`);
const tokens = ({ used, cap }) => (cap === null ? plural(used, "token") : `${count(used)} of ${plural(cap, "token")}`);
const spent = (one) => Math.max(share(one.usd.used, one.usd.cap), share(one.tokens.used, one.tokens.cap));

function budget(budgets) {
  if (!budgets.length) {
    return { name: "Budget today", kind: "ok", word: "ok", value: "Nothing spent", small: "", meter: null, line: "",
      more: [element("p", {}, "Budgets show here once a review has spent something today (UTC).")] };
  }
  const worst = budgets.reduce((a, b) => (spent(b) > spent(a) ? b : a));
  const part = spent(worst);
  const bounded = worst.usd.cap !== null || worst.tokens.cap !== null;
  const inMoney = worst.usd.cap !== null && share(worst.usd.used, worst.usd.cap) >= share(worst.tokens.used, worst.tokens.cap);
  const left = inMoney ? money(Math.max(worst.usd.cap - worst.usd.used, 0)) : count(Math.max((worst.tokens.cap ?? 0) - worst.tokens.used, 0));
  const kind = part >= 1 ? "bad" : part >= NEAR ? "warn" : "ok";
  return {
    name: "Budget today", kind, word: part >= 1 ? "used up" : part >= NEAR ? "nearly used up" : "ok",
    value: bounded ? `${left}${inMoney ? "" : " tokens"}` : money(worst.usd.used), small: bounded ? ` left of ${inMoney ? money(worst.usd.cap) : count(worst.tokens.cap)}` : " spent, no bound",
    meter: bounded ? meter("Budget used today", `${Math.round(part * 100)} % used`, [["", part]], kind) : null,
    more: [element("p", {}, "Spent today (UTC) of what may be spent; the tightest is shown."),
      pairs(budgets.flatMap((one) => [[`${one.scope} ${one.owner}`, dollars(one.usd)], ["", tokens(one.tokens)]]))],
  };
}

function show(gauge, told) {
  const summary = gauge.querySelector("summary");
  summary.replaceChildren(
    element("span", { class: "over" }, told.name, element("span", { class: `word ${told.kind}` }, told.word)),
    element("span", { class: "value", title: `${told.value} ${told.small}` }, told.value, " ", element("small", { class: told.apart ? "apart" : "" }, told.small)),
    told.meter ?? element("span", { class: "quiet line" }, told.line ?? ""));
  gauge.querySelector(".more").replaceChildren(...told.more.filter(Boolean));
}

const closeOthers = (gauges) => (event) => {
  for (const gauge of gauges) if (gauge.open && !gauge.contains(event.target)) gauge.open = false;
};

/** Fills `place` and keeps it fresh; answers `{ refresh() }`. */
export function health(place) {
  const gauges = ["Queue", "Model", "GitHub", "Budget today"].map((name) => element("details", { class: "gauge" },
    element("summary", {}, element("span", { class: "over" }, name), element("span", { class: "skeleton" })),
    element("div", { class: "more" })));
  place.replaceChildren(...gauges);
  document.addEventListener("click", closeOthers(gauges));
  document.addEventListener("focusin", closeOthers(gauges));
  place.addEventListener("keydown", (event) => {
    const open = gauges.find((gauge) => gauge.open);
    if (event.key === "Escape" && open) { open.open = false; open.querySelector("summary").focus(); }
  });
  async function refresh() {
    try {
      const status = await load("/status");
      const told = [queue(status.queue), model(status.model), github(status.github), budget(status.budgets)];
      gauges.forEach((gauge, index) => show(gauge, told[index]));
    } catch (error) {
      const more = [element("p", {}, error.message)];
      for (const gauge of gauges) {
        const name = gauge.querySelector(".over").firstChild.textContent;
        show(gauge, { name, kind: "off", word: "unknown", value: "–", small: "", meter: null, line: error.message, more });
      }
    }
  }
  setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  refresh();
  return { refresh };
}

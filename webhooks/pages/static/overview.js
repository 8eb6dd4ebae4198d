import { SEVERITIES, element, follow, load, money, pill } from "/static/feed.js";

const list = document.getElementById("reviews");
const state = document.getElementById("state");
const filter = document.getElementById("filter");
let reviews = [];
let waiting = null;

function item(review) {
  const counts = SEVERITIES.filter((s) => review.by_severity[s]).map((s) => pill(`${review.by_severity[s]} ${s}`, s));
  const facts = [review.head_sha.slice(0, 7), review.engine, money(review.cost),
    review.first_finding_seconds === null ? null : `first finding after ${review.first_finding_seconds.toFixed(1)} s`,
    new Date(review.created_at).toLocaleString()].filter(Boolean).join(" · ");
  return element("li", {},
    element("div", { class: "row" },
      element("a", { href: `/r/${review.id}` }, `${review.repository}#${review.pull_request}`),
      element("span", { class: "totals" }, ...counts, pill(review.status, review.status))),
    element("div", {}, review.title),
    element("div", { class: "row quiet" }, facts, element("progress", {
      max: review.chunks_total || 1, value: review.chunks_done,
      "aria-label": `${review.chunks_done} of ${review.chunks_total} chunks` })));
}

function show() {
  const wanted = reviews.filter((r) => r.repository.includes(filter.value.trim()));
  list.replaceChildren(...wanted.map(item));
  state.textContent = reviews.length
    ? (wanted.length ? "" : "No repository of that name.")
    : "No review yet. Open a pull request on a repository that has the app installed.";
}

async function refresh() {
  waiting = null;
  try { reviews = (await load("/reviews")).reviews; show(); } catch (error) { state.textContent = error.message; }
}

filter.addEventListener("input", show);
await refresh();
follow("/events", () => { waiting ??= setTimeout(refresh, 300); });

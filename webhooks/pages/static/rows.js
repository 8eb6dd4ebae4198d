// A review as one row of the list; it is made once and then changed in place.
import { ENDED, SEVERITIES, ago, duration, element, money, pill, plural } from "/static/elements.js";

const SEGMENTS = 20;

/** What a review is of, in words. */
export function label(review) {
  return review.pull_request === null ? review.repository : `${review.repository}#${review.pull_request}`;
}

function severities(review) {
  return SEVERITIES.map((severity) => {
    const n = review.by_severity[severity] ?? 0;
    if (!n) return element("span", { class: "n none", "aria-hidden": "true" }, "·");
    return element("span", { class: `n some ${severity}` }, String(n), element("span", { class: "visually-hidden word" }, ` ${severity}`));
  });
}

function progress(review) {
  const { chunks_done: done, chunks_total: total } = review;
  if (!total) return [element("span", { class: "chunks" }, ENDED.has(review.status) ? "no chunks" : "not planned yet")];
  const shown = Math.min(total, SEGMENTS);
  const full = done >= total ? shown : Math.min(Math.floor(done * shown / total), shown - 1);
  const bar = Array.from({ length: shown }, (_, index) => element("i", {
    class: index < full ? (ENDED.has(review.status) && review.status !== "completed" ? "stop" : "done")
      : index === full && review.status === "running" ? "run" : "" }));
  return [element("span", { class: "segments", "aria-hidden": "true" }, ...bar),
    element("span", { class: "chunks" }, done >= total ? plural(total, "chunk") : `${done} of ${plural(total, "chunk")}`)];
}

function fact(name, value, key) {
  return element("span", { class: `end ${key} ${value === null ? "absent" : ""}` },
    element("span", { class: "fact-label" }, `${name} `), value ?? "–");
}

/** Shows a review in a row; what shows already what it should is left alone. */
export function fill(row, review) {
  const { node, link } = row;
  if (row.review && JSON.stringify(row.review) === JSON.stringify(review)) return;
  link.href = `/r/${encodeURIComponent(review.id)}`;
  link.textContent = review.title || label(review);
  const by = [review.model ?? review.engine].filter(Boolean).map((text) => ` · ${text}`).join("");
  row.status.replaceChildren(pill(review.status, review.status));
  row.facts.replaceChildren(label(review), review.head_sha ? " · " : "",
    review.head_sha ? element("code", {}, review.head_sha.slice(0, 7)) : "", by);
  row.facts.title = row.facts.textContent;
  row.severities.replaceChildren(...severities(review));
  row.progress.replaceChildren(...progress(review));
  row.figures.replaceChildren(
    fact("first finding", review.first_finding_seconds === null ? null : duration(review.first_finding_seconds), "first"),
    fact("cost", money(review.cost), "cost"),
    element("span", { class: "end age" }, ago(review.created_at)));
  node.dataset.status = review.status;
  row.review = review;
}

/** A row for a review. */
export function made(review) {
  const link = element("a", {});
  const row = { link, status: element("span", { class: "status" }), facts: element("div", { class: "facts" }),
    severities: element("span", { class: "severities" }), progress: element("span", { class: "progress" }),
    figures: element("span", { class: "figures-of" }) };
  row.node = element("li", {}, row.status,
    element("div", { class: "change" }, element("div", { class: "title" }, link), row.facts),
    row.severities, row.progress, row.figures);
  fill(row, review);
  return row;
}

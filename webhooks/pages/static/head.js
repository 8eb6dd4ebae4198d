// The head of a review: what it is of, and how it stands.
import { ago, element, pill } from "/static/elements.js";
import { label } from "/static/rows.js";

/** Names the review, and links to what it is of. */
export function showHead(get, review, here) {
  const where = label(review);
  document.title = `${where} · Sluice`;
  get("where").replaceChildren(review.url ? element("a", { href: review.url }, where) : where);
  get("title").textContent = review.title || where;
  get("pull").hidden = !review.url;
  if (review.url) get("pull").href = review.url;
  get("sarif").hidden = false;
  get("sarif").href = `${here}.sarif`;
}

/** Status, head, model and age. */
export function showFacts(get, review, status) {
  const rows = [pill(status, status)];
  if (review.head_sha) rows.push(element("code", { class: "sha", title: review.head_sha }, review.head_sha.slice(0, 7)));
  const by = review.model ?? review.engine;
  if (by) rows.push(element("span", {}, "by ", element("strong", {}, by)));
  rows.push(element("span", {}, review.started_at ? "started " : "queued ", ago(review.started_at ?? review.created_at)));
  get("facts").replaceChildren(...rows);
}

const WORDS = { connecting: "connecting…", live: "live", reconnecting: "reconnecting…", closed: "closed" };

/** Says in the page's header how the stream does. */
export function showConnection(get, name, ended) {
  const shown = get("connection");
  shown.classList.remove(...Object.keys(WORDS));
  shown.classList.add(name);
  shown.dataset.state = name;
  shown.textContent = name === "closed" && ended ? "finished" : WORDS[name];
}

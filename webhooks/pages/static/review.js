import { SEVERITIES, element, follow, load, money, pill } from "/static/feed.js";

const id = document.querySelector("main").dataset.review;
const get = (name) => document.getElementById(name);
const files = new Map();
const found = new Map();
const chunks = new Map();
const totals = { status: "queued", counts: {}, extra: [] };

function prose(text) {
  // `code` spans and fenced blocks; everything else is text
  return text.split(/(```[\s\S]*?```)/).flatMap((part) => {
    if (part.startsWith("```")) return [element("pre", {}, part.replace(/^```[^\n]*\n?|\n?```$/g, ""))];
    return part.trim().split(/\n{2,}/).filter(Boolean).map((paragraph) => element("p", {},
      ...paragraph.split(/(`[^`]+`)/).map((piece) =>
        (piece.startsWith("`") && piece.length > 2 ? element("code", {}, piece.slice(1, -1)) : piece))));
  });
}

function addFinding(finding) {
  if (found.has(finding.id)) return;
  if (!files.has(finding.path)) {
    const section = element("section", {}, element("h3", { class: "file" }, finding.path));
    files.set(finding.path, section);
    const after = [...files.keys()].sort().find((path) => path > finding.path && files.get(path).isConnected);
    get("findings").insertBefore(section, after ? files.get(after) : null);
  }
  const line = finding.line ?? 0;
  const card = element("article", { class: "finding fresh", "data-line": line },
    element("div", { class: "row" },
      element("strong", {}, finding.title), pill(finding.severity, finding.severity)),
    finding.quote.trim() ? element("pre", {}, `${finding.line ?? ""} ${finding.side === "LEFT" ? "-" : "|"} ${finding.quote}`) : null,
    ...prose(finding.message),
    finding.suggestion === null ? null : element("pre", {}, finding.suggestion.split("\n").map((l) => `+ ${l}`).join("\n")),
    element("p", { class: "quiet" }, `${finding.category} · confidence ${finding.confidence} · ${finding.source}`));
  const section = files.get(finding.path);
  const next = [...section.querySelectorAll("article")].find((other) => Number(other.dataset.line) > line);
  section.insertBefore(card, next ?? null);
  setTimeout(() => card.classList.remove("fresh"), 3000);
  found.set(finding.id, card);
  totals.counts[finding.severity] = (totals.counts[finding.severity] ?? 0) + 1;
  get("none").hidden = true;
}

function planChunk(chunk) {
  if (chunks.has(chunk.id)) return;
  const part = chunk.parts > 1 ? ` part ${chunk.part} of ${chunk.parts}` : "";
  const status = element("span", { class: "quiet" }, "waiting");
  get("chunks").append(element("li", {}, `${chunk.path}${part} `,
    element("span", { class: "quiet" }, `lines ${chunk.lines.join("-")} `), status));
  chunks.set(chunk.id, status);
}

function mark(chunk, text, kind) {
  const status = chunks.get(chunk);
  if (status) { status.textContent = text; status.className = kind; }
}

function skip(rows) {
  if (rows.length) get("skipped").replaceChildren(...rows.map((row) => element("li", {}, row)));
}

function gaps(file) {
  const lines = (count) => (count ? `${count} of ${file.changed_lines} changed lines not reviewed, ` : "");
  return Object.entries(file.not_reviewed).map(([reason, count]) => `${file.path}: ${lines(count)}${reason}`)
    .concat(file.trimmed ? [`${file.path}: ${file.trimmed} lines too long to be shown whole`] : []);
}

function showTotals() {
  const counts = SEVERITIES.filter((s) => totals.counts[s]).map((s) => pill(`${totals.counts[s]} ${s}`, s));
  get("totals").replaceChildren(pill(totals.status, totals.status), ...counts,
    element("span", { class: "quiet" }, totals.extra.join(" · ")));
}

const heard = {
  "review.started": (e) => {
    totals.status = "running";
    totals.extra = [`reviewed with ${e.model ?? e.engine}`];
    get("notice").hidden = !e.notice;
    get("notice").textContent = e.notice ?? "";
  },
  "review.planned": (e) => {
    e.chunks.forEach(planChunk);
    skip(e.skipped.map((file) => `${file.path}: ${file.reason}`));
  },
  "chunk.started": (e) => mark(e.chunk, `reviewing… ${e.model}${e.route ? ` (${e.route})` : ""}`, "reviewing"),
  "chunk.progress": (e) => mark(e.chunk, `reviewing… ${e.output_tokens} tokens`, "reviewing"),
  "chunk.retrying": (e) => mark(e.chunk,
    `attempt ${e.attempt} did not do: ${e.model ?? "again"}${e.wait ? ` in ${e.wait.toFixed(1)} s` : ""}`, "medium"),
  "chunk.completed": (e) => mark(e.chunk,
    `${e.findings} finding${e.findings === 1 ? "" : "s"}${e.source === "ledger" ? ", known from before" : ""}`, "done"),
  "chunk.failed": (e) => mark(e.chunk, `not reviewed: ${e.reason}`, "failed"),
  finding: (e) => addFinding(e.finding),
  "finding.withdrawn": (e) => found.get(e.id)?.classList.add("withdrawn"),
  "review.postponed": (e) => {
    totals.status = "postponed";
    totals.extra = [`${e.chunks_done} chunks done, ${e.chunks_left} left, goes on in ${Math.round(e.wait)} s`];
    get("notice").hidden = false;
    get("notice").textContent = e.reason;
  },
  "review.completed": (e) => {
    totals.status = "completed";
    totals.extra = [`${e.coverage.reviewed} of ${e.coverage.changed_lines} changed lines reviewed`,
      `${e.seconds.toFixed(1)} s`,
      e.usage.output ? `${e.calls} calls, ${e.usage.input + e.usage.cached + e.usage.cache_writes + e.usage.output} tokens` : "",
      money(e.cost)].filter(Boolean);
    skip(e.coverage.files.flatMap(gaps));
    get("none").textContent = "Nothing found.";
  },
  "review.failed": (e) => {
    totals.status = "failed";
    get("notice").hidden = false;
    get("notice").textContent = `${e.reason} ${e.next}`;
  },
  "review.superseded": (e) => {
    totals.status = "superseded";
    totals.extra = [`by ${e.by.slice(0, 7)}`];
  },
  "review.cancelled": (e) => {
    totals.status = "cancelled";
    totals.extra = [e.reason];
  },
};

try {
  const review = await load(`/reviews/${id}`);
  document.title = `${review.repository}#${review.pull_request} · Sluice`;
  get("head").replaceChildren(
    element("h1", {}, review.title),
    element("p", { class: "quiet" }, element("a", { href: review.url }, `${review.repository}#${review.pull_request}`),
      ` at ${review.head_sha.slice(0, 7)}`));
  follow(`/reviews/${id}/events`, (type, event) => { heard[type]?.(event); showTotals(); });
} catch (error) {
  get("head").replaceChildren(element("h1", {}, error.message));
}

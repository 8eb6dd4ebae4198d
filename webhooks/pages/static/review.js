// The page of one review: it asks for review and diff once, and hears the rest from the stream.
import { ENDED, SEVERITIES, change, count, duration, element, load, plural } from "/static/elements.js";
import { Timeline } from "/static/chunks.js";
import { DiffView } from "/static/diff.js";
import { THE_END, follow } from "/static/feed.js";
import { card, withdraw } from "/static/findings.js";
import { showConnection, showFacts, showHead } from "/static/head.js";
import { Jump, hold } from "/static/jump.js";
import { announce, button, notice, sentence, superseded } from "/static/notices.js";
import { showCoverage, showPlanned, showTotals } from "/static/totals.js";

const FRAME = 25; // milliseconds of a frame that go into events
const PATIENCE = 1_500; // milliseconds findings wait for the diff they belong into
const RECENT = 15_000; // milliseconds: what is younger came while somebody looked on

const main = document.querySelector("main");
const id = main.dataset.review;
const get = (name) => document.getElementById(name);
const here = `/reviews/${encodeURIComponent(id)}`;

const page = { review: null, status: "queued", begin: null, end: null, first: null, changed: null, coverage: null,
  tokens: 0, calls: 0, cost: null, told: false };
const findings = new Map(); // id -> { finding, made, stands }
const queue = [];
const timeline = new Timeline(get);
const diff = new DiffView(get("diff"), get("files-links"), `${here}/diff`);
const jump = new Jump(get, (made) => diff.reveal(made));
let placing = true; // not while the diff is on its way
let asked = false;
let frame = null;
let kept = false;
let resumes = null;

const over = () => ENDED.has(page.status);

// What is heard again of a review that has ended does not set it running
const past = (status) => over() && !ENDED.has(status);

function become(status) {
  if (past(status)) return;
  page.status = status;
  main.dataset.state = status;
  if (status !== "postponed") { resumes = null; notice("postponed"); }
  buttons();
  facts();
}

function buttons() {
  const may = page.review?.may_act ?? false;
  get("cancel").hidden = !may || over();
  get("again").hidden = !may || !over();
}

function facts() {
  if (page.review) showFacts(get, page.review, page.status);
}

function head() {
  showHead(get, page.review, here);
  become(over() ? page.status : page.review.status);
}

function seconds() {
  if (!page.begin) return null;
  return Math.max(0, ((page.end ?? Date.now() - (timeline.skew ?? 0)) - page.begin) / 1_000);
}

function totals() {
  const counts = {};
  for (const { finding, stands } of findings.values()) {
    if (stands) counts[finding.severity] = (counts[finding.severity] ?? 0) + 1;
  }
  const chunks = timeline.counts();
  const said = over() ? page.review : null;
  showTotals(get("totals"), {
    counts: findings.size ? counts : said?.by_severity ?? {}, coverage: page.coverage, changed: page.changed,
    first: said?.first_finding_seconds ?? page.first, seconds: seconds(), tokens: said?.tokens || page.tokens,
    cost: said?.cost ?? page.cost, calls: page.calls, over: over(),
    done: (chunks.done ?? 0) + (chunks.known ?? 0), total: timeline.rows.size });
  const standing = SEVERITIES.reduce((sum, severity) => sum + (counts[severity] ?? 0), 0);
  const none = page.told && page.status === "completed" && !standing;
  get("none").hidden = !none;
  if (none) {
    get("none").textContent = page.coverage
      ? `Nothing found. ${plural(page.coverage.reviewed, "changed line")} read.` : "Nothing found.";
  }
  get("files-count").textContent = diff.files.size;
  jump.count();
}

function found({ finding, at }) {
  if (findings.has(finding.id)) return;
  const fresh = !over() && Date.now() - Date.parse(at) < RECENT;
  const made = card(finding, fresh);
  findings.set(finding.id, { finding, made, stands: true });
  page.first ??= page.begin ? Math.max(0, (Date.parse(at) - page.begin) / 1_000) : null;
  diff.place(finding, made);
  if (fresh) announce(finding.severity, findings.size);
  if (location.hash === `#finding-${finding.id}`) jump.arrive(made);
}

function withdrawn({ id: gone, reason }) {
  const known = findings.get(gone);
  if (!known) return;
  known.stands = false;
  withdraw(known.made, reason);
  diff.recount(known.finding.path);
}

function bought({ usage, cost, source }) {
  if (!usage) return;
  page.tokens += usage.input + usage.cached + usage.cache_writes + usage.output;
  if (source !== "ledger" && cost !== null) page.cost = (page.cost ?? 0) + cost;
}

function postponed({ reason, wait, at, chunks_left }) {
  if (past("postponed")) return;
  become("postponed");
  resumes = Date.parse(at) + 1_000 * wait;
  const left = element("span", { class: "countdown" });
  notice("postponed", "", element("strong", {}, "Waiting: "), `${sentence(reason)} ${plural(chunks_left, "chunk")} to go; `, left);
  countdown();
}

function countdown() {
  const left = get("notices").querySelector(".countdown");
  if (!left || resumes === null) return;
  const rest = Math.round((resumes - (Date.now() - (timeline.skew ?? 0))) / 1_000);
  left.textContent = rest > 0 ? `it goes on in ${duration(rest)}.` : "it goes on any moment.";
}

const heard = {
  "review.started": (event) => {
    page.begin ??= Date.parse(event.at);
    timeline.start(event.at);
    const { review } = page;
    Object.assign(review, { engine: event.engine, model: event.model, started_at: review.started_at ?? event.at });
    become("running");
    notice("engine", "", ...(event.notice ? [event.notice] : []));
  },
  "review.planned": (event) => {
    page.changed = event.changed_lines;
    showPlanned(get, event);
    if (!asked) showDiff();
  },
  finding: found,
  "finding.withdrawn": withdrawn,
  "chunk.completed": bought,
  "chunk.failed": bought,
  "review.postponed": postponed,
  "review.completed": (event) => {
    Object.assign(page, { coverage: event.coverage, calls: event.calls });
    showCoverage(get, event.coverage);
    become("completed");
  },
  "review.failed": (event) => {
    become("failed");
    notice("failed", "bad", element("strong", {}, "The review failed: "), `${sentence(event.reason)} ${event.next}`);
  },
  "review.superseded": (event) => { become("superseded"); superseded(event.by, page.review); },
  "review.cancelled": (event) => {
    become("cancelled");
    notice("cancelled", "", element("strong", {}, "Cancelled: "), event.reason);
  },
  "stream.expired": (event) => {
    notice("expired", "", event.reason ?? "Some events of this review are no longer kept.");
    if (!asked) showDiff();
    refresh();
  },
};

function apply([type, event]) {
  if (type.startsWith("chunk.") || type === "review.planned") timeline.hear(type, event);
  else if (event.at) timeline.time(event.at);
  heard[type]?.(event);
  if (ENDED.has(type.replace("review.", ""))) Object.assign(page, { told: true, end: Date.parse(event.at) });
}

// A replay of thousands of events goes on over frames
function flush() {
  frame = null;
  if (!placing) return;
  hold(() => {
    const begin = performance.now();
    while (queue.length && placing && performance.now() - begin < FRAME) apply(queue.shift());
    totals();
    if (page.told && !queue.length) timeline.end();
    else timeline.draw();
  });
  if (queue.length && placing) schedule();
  else main.dataset.caught = "up";
}

function schedule() { frame ??= requestAnimationFrame(flush); }

async function refresh() {
  page.review = await load(here).catch(() => page.review);
  head();
  schedule();
}

// Asked for once the review is planned: before that there is none
async function showDiff() {
  asked = true;
  placing = false;
  setTimeout(place, PATIENCE);
  try {
    const shown = await load(`${here}/diff`);
    kept = true;
    notice("diff");
    hold(() => diff.show(shown));
    const lines = shown.files.reduce((sum, file) => [sum[0] + file.added, sum[1] + file.removed], [0, 0]);
    get("diff-words").replaceChildren(`${plural(shown.files.length, "file")} `,
      element("span", { class: "plus" }, `+${count(lines[0])}`), " ", element("span", { class: "minus" }, `−${count(lines[1])}`));
  } catch (error) {
    if (!get("diff").querySelector(".file")) diff.show(null);
    const missing = error.status === 404;
    if (missing && over()) {
      notice("diff", "", "The diff of this review is not kept. Findings are shown by file, each with the line it is about.");
    }
    if (!missing) notice("diff", "bad", `The diff did not come: ${error.message} `, button("Try again", showDiff));
  }
  get("diff").setAttribute("aria-busy", "false");
  main.classList.toggle("no-diff", !kept);
  place();
}

function place() {
  placing = true;
  schedule();
}

function bare() {
  get("diff").replaceChildren();
  get("diff").setAttribute("aria-busy", "false");
  main.classList.add("no-diff");
}

function connection(name, reason) {
  showConnection(get, name, over() || reason === THE_END);
  if (name !== "closed") return;
  if (reason !== THE_END) notice("stream", "", reason);
  if (!asked && !queue.some(([type]) => type === "review.planned")) bare();
}

async function act(path, done) {
  try {
    await done(await change(`${here}/${path}`));
    notice("act");
  } catch (error) { notice("act", "bad", error.message); }
}

function wire() {
  get("cancel").addEventListener("click", () => get("confirm").showModal());
  get("confirm").addEventListener("close", () => {
    if (get("confirm").returnValue === "cancel") act("cancel", () => { get("cancel").disabled = true; });
    get("confirm").returnValue = "";
  });
  get("again").addEventListener("click", () => act("again", ({ review, reason }) => {
    if (review) location.assign(`/r/${encodeURIComponent(review)}`);
    else throw new Error(reason ?? "It was not started again.");
  }));
  const wide = matchMedia("(min-width: 64rem)");
  const shape = () => { get("files").open = wide.matches; };
  wide.addEventListener("change", shape);
  shape();
  get("wrap").addEventListener("change", () => {
    get("diff").classList.toggle("wrap", get("wrap").checked);
    for (const box of get("diff").querySelectorAll(".lines")) box.tabIndex = get("wrap").checked ? -1 : 0;
  });
  setInterval(() => {
    if (over() || document.hidden || !page.begin) return;
    timeline.draw();
    countdown();
  }, 250);
  setInterval(() => { if (!over() && page.review) totals(); }, 1_000);
}

async function open() {
  try {
    page.review = await load(here);
  } catch (error) {
    main.dataset.state = error.status === 404 ? "missing" : "error";
    get("title").textContent = error.status === 404 ? "There is no such review" : "The review did not come";
    get("where").replaceChildren(element("a", { href: "/" }, "All reviews"));
    get("facts").replaceChildren(...(error.status === 404
      ? ["It may have been removed, or your access does not cover it."]
      : [`${error.message} `, button("Try again", () => location.reload())]));
    return;
  }
  if (page.review.started_at) page.begin = Date.parse(page.review.started_at);
  if (page.review.finished_at) page.end = Date.parse(page.review.finished_at);
  head();
  for (const name of ["timeline", "coverage"]) get(name).open = !over() && matchMedia("(min-width: 64rem)").matches;
  if (over()) showDiff();
  const hear = (type, event) => { queue.push([type, event]); schedule(); };
  follow(`${here}/events`, { hear, state: connection, end: refresh });
}

wire();
await open();

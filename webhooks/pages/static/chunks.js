// The chunk timeline: a row a chunk, its bars on a time axis all rows share, and the same in words.
import { duration, element, plural } from "/static/elements.js";

const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];
const FILTERED = 8; // chunks from which on choosing among them is worth a row of buttons
const STATES = {
  streaming: "streaming", retrying: "retrying", failed: "failed", done: "done", known: "known before", waiting: "waiting",
};

const clock = (seconds) => (seconds < 60 ? `${seconds} s`
  : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`);

class Row {
  constructor({ id, path, part, parts, lines }) {
    this.state = "waiting";
    this.since = null;
    this.bar = null;
    this.track = element("span", { class: "track", "aria-hidden": "true" });
    this.words = element("span", { class: "chunk-words" }, "waiting");
    const folder = path.lastIndexOf("/") + 1;
    this.item = element("li", { "data-chunk": id, "data-state": "waiting" },
      element("span", { class: "chunk-name", title: path }, element("span", { class: "folder" }, path.slice(0, folder)),
        element("span", { class: "base" }, path.slice(folder)),
        element("span", { class: "quiet" }, parts > 1 ? ` ${part}/${parts}` : "", lines ? ` :${lines[0]}–${lines[1]}` : "")),
      this.track, this.words);
  }

  // From now on another bar; the one before ends here. A known answer takes no time.
  turn(state, at, words) {
    this.close(at);
    this.state = state;
    this.item.dataset.state = state;
    this.words.textContent = words;
    if (state === "streaming" || state === "retrying") {
      this.since = at;
      this.bar = element("span", { class: `stretch ${state} open` });
      this.bar.style.setProperty("--from", at.toFixed(3));
      this.track.append(this.bar);
    }
  }

  close(at) {
    if (!this.bar) return;
    this.bar.classList.remove("open");
    this.bar.style.setProperty("--to", Math.max(at, this.since).toFixed(3));
    this.bar = null;
  }

  end(state, at, words) {
    const last = this.bar;
    this.turn(state, at, words);
    if (last) last.className = `stretch ${state}`;
    else this.point(state, at);
  }

  point(state, at) {
    const bar = element("span", { class: `stretch ${state} point` });
    bar.style.setProperty("--from", at.toFixed(3));
    this.track.append(bar);
  }
}

/** Rows in `get("chunks")`; times are seconds from the begin of the newest run. */
export class Timeline {
  constructor(get) {
    this.get = get;
    this.rows = new Map();
    this.begin = null;
    this.newest = 0;
    this.skew = null; // of this machine's clock, from the events' own times
    this.ended = false;
    this.wanted = null;
    this.step = 0;
    this.drawn = "";
    get("timeline-filter").addEventListener("click", (event) => {
      const state = event.target.closest("button")?.dataset.state;
      if (state !== undefined) this.choose(state === this.wanted ? null : state || null);
    });
  }

  choose(state) {
    this.wanted = state;
    if (state) this.get("chunks").dataset.only = state;
    else delete this.get("chunks").dataset.only;
    this.drawn = "";
    this.draw();
  }

  time(at) {
    const moment = Date.parse(at);
    this.skew = Math.min(this.skew ?? Infinity, Date.now() - moment);
    this.begin ??= moment;
    const seconds = Math.max(0, (moment - this.begin) / 1_000);
    this.newest = Math.max(this.newest, seconds);
    return seconds;
  }

  // A run begins: what an earlier one left unfinished waits anew
  start(at) {
    this.begin = Date.parse(at);
    this.newest = 0;
    this.ended = false;
    for (const row of this.rows.values()) {
      row.track.replaceChildren();
      row.bar = null;
      if (row.state !== "done" && row.state !== "known") row.turn("waiting", 0, "waiting");
      else row.point(row.state, 0);
    }
  }

  row(chunk) {
    let row = this.rows.get(chunk.id);
    if (!row) {
      row = new Row(chunk);
      this.rows.set(chunk.id, row);
      this.get("chunks").append(row.item);
    }
    return row;
  }

  hear(type, event) {
    const at = this.time(event.at);
    if (type === "review.planned") { for (const chunk of event.chunks) this.row(chunk); return; }
    const row = this.row({ parts: 1, ...event, id: event.chunk, path: event.path ?? event.chunk });
    if (type === "chunk.started") row.turn("streaming", at, event.model);
    if (type === "chunk.progress") row.words.textContent = `streaming · ${plural(event.output_tokens, "token")}`;
    if (type === "chunk.retrying") {
      const wait = event.wait ? ` · again in ${duration(event.wait)}` : "";
      row.turn("retrying", at, `attempt ${event.attempt}: ${event.reason}${wait}${event.model ? ` · ${event.model}` : ""}`);
    }
    if (type === "chunk.progress" && row.state === "retrying") row.turn("streaming", at, row.words.textContent);
    if (type === "chunk.completed") this.#completed(row, at, event);
    if (type === "chunk.failed") row.end("failed", at, `failed: ${event.reason}`);
  }

  #completed(row, at, event) {
    const found = event.findings ? plural(event.findings, "finding") : "nothing found";
    if (event.source === "ledger") { row.end("known", at, `known before · ${found}`); return; }
    const tokens = event.usage.output ? ` · ${plural(event.usage.output, "token")}` : "";
    row.end("done", at, `${found}${tokens} · ${duration(event.seconds)}`);
  }

  /** The review has ended: nothing grows any more. */
  end() {
    this.ended = true;
    for (const row of this.rows.values()) {
      if (row.bar) { row.close(this.newest); row.turn("waiting", this.newest, "not finished"); }
    }
    this.draw();
  }

  counts() {
    const counts = {};
    for (const { state } of this.rows.values()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }

  /** Redraws axis, counts and the summary; call it after events and a few times a second while bars grow. */
  draw() {
    const now = this.ended || this.begin === null ? this.newest
      : Math.max(this.newest, (Date.now() - this.skew - this.begin) / 1_000);
    const span = Math.max(now, 2) * 1.02;
    const panel = this.get("timeline");
    panel.style.setProperty("--now", now.toFixed(3));
    panel.style.setProperty("--span", span.toFixed(3));
    this.#axis(span);
    const counts = this.counts();
    const key = JSON.stringify([counts, this.wanted, this.ended]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.#summary(counts);
  }

  #axis(span) {
    const step = TICKS.find((tick) => span / tick <= 6) ?? 7_200;
    const last = Math.floor(span / step);
    if (this.step === `${step} ${last}`) return;
    this.step = `${step} ${last}`;
    const ticks = Array.from({ length: last + 1 }, (_, index) => {
      const tick = element("span", { class: "tick" }, clock(index * step));
      tick.style.setProperty("--from", index * step);
      return tick;
    });
    this.get("timeline-axis").replaceChildren(element("span", { class: "ticks" }, ...ticks));
  }

  #summary(counts) {
    const total = this.rows.size;
    const done = (counts.done ?? 0) + (counts.known ?? 0);
    const others = ["streaming", "retrying", "failed"].filter((state) => counts[state])
      .map((state) => `${counts[state]} ${state}`);
    const words = total ? [`${done} of ${total} done`, ...others].join(" · ") : "waiting for the plan";
    this.get("timeline-words").textContent = words;
    this.get("timeline-share").replaceChildren(...["done", "known", "streaming", "retrying", "failed", "waiting"]
      .filter((state) => counts[state]).map((state) => {
        const part = element("span", { class: `part ${state}` });
        part.style.flexGrow = counts[state];
        return part;
      }));
    this.#filters(total, counts);
  }

  #filters(total, counts) {
    const chosen = document.activeElement?.closest?.("#timeline-filter button")?.dataset.state;
    this.get("timeline-filter").replaceChildren(...(total < FILTERED ? [] : [["", `All ${total}`],
      ...Object.entries(STATES).filter(([state]) => counts[state]).map(([state, word]) => [state, `${counts[state]} ${this.ended && state === "waiting" ? "not finished" : word}`])]
      .map(([state, words]) => element("button", { type: "button", class: "chip", "data-state": state,
        "aria-pressed": String((this.wanted ?? "") === state) }, words))));
    if (chosen !== undefined) this.get("timeline-filter").querySelector(`[data-state="${chosen}"]`)?.focus();
  }
}

// A stream of events, followed over cut connections, restarts of the server and hours in a hidden tab.
import { ENDED } from "/static/elements.js";

const TYPES = ["review.queued", "review.started", "review.planned", "chunk.started", "chunk.progress", "finding",
  "finding.withdrawn", "chunk.retrying", "chunk.completed", "chunk.failed", "review.published",
  "review.postponed", "review.completed", "review.failed", "review.superseded", "review.cancelled"];

/** The reason of "closed" after a terminal event. */
export const THE_END = "The review has ended.";

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const HIDDEN_FOR = 5_000; // browsers allow six connections to a host: a hidden tab gives its own back
const REMEMBERED = 5_000; // ids a server may say again around a reconnect

/**
 * Follows an SSE stream; each event is heard once.
 *
 * hear(type, data, id): an event of a review, or `stream.expired`.
 * state(name, reason): "connecting", "live", "reconnecting" or "closed" (with a reason).
 * end(): given where the stream is of one review, which is over after a terminal event; called then, once.
 *
 * Ids are opaque. Answers `{ close() }`.
 */
export function follow(url, { hear, state = () => {}, end = null }) {
  const heard = new Set();
  let source = null;
  let timer = null;
  let hiding = null;
  let last = "";
  let failures = 0;
  let over = false;

  function fresh(id) {
    if (!id) return true;
    if (heard.has(id)) return false;
    heard.add(id);
    if (heard.size > REMEMBERED) heard.delete(heard.values().next().value);
    last = id;
    return true;
  }

  function drop() {
    clearTimeout(timer);
    timer = null;
    source?.close();
    source = null;
  }

  function finish(reason) {
    if (over) return;
    over = true;
    drop();
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("online", retryNow);
    state("closed", reason);
  }

  function leave() {
    finish("Your access has ended.");
    location.assign("/login");
  }

  function later(milliseconds) {
    drop();
    if (over) return;
    state("reconnecting");
    timer = setTimeout(open, milliseconds);
  }

  // Half of each wait is chance: a restarted server is not met by everybody at once
  function growing() {
    const wait = Math.min(FIRST_WAIT * 2 ** failures, LONGEST_WAIT);
    failures += 1;
    return wait / 2 + Math.random() * wait / 2;
  }

  function address() {
    const target = new URL(url, location.href);
    if (last) target.searchParams.set("last_event_id", last);
    return target;
  }

  // EventSource does not say why it gave up: ask once what the server answers
  async function diagnose() {
    drop();
    state("reconnecting");
    const asking = new AbortController();
    try {
      const answer = await fetch(address(), { headers: { Accept: "text/event-stream" }, signal: asking.signal });
      if (over) return;
      if (answer.status === 401) { leave(); return; }
      if (answer.status === 404 || answer.status === 410) {
        finish((await answer.json().catch(() => ({}))).error ?? "It is no longer there.");
        end?.();
      } else if (answer.status === 400 && last) {
        last = ""; // an id of another key or time: begin anew, and say so
        hear("stream.expired", { reason: "The place in the stream is no longer known." }, "");
        later(growing());
      } else {
        later(Math.max(growing(), 1_000 * (Number(answer.headers.get("Retry-After")) || 0)));
      }
    } catch {
      later(growing());
    } finally {
      asking.abort();
    }
  }

  function told(type, message) {
    if (over || !fresh(message.lastEventId)) return;
    hear(type, JSON.parse(message.data), message.lastEventId);
    if (end && ENDED.has(type.replace("review.", ""))) {
      finish(THE_END);
      end();
    }
  }

  function open() {
    drop();
    if (over || hiding === "hidden") return;
    const opened = new EventSource(address());
    source = opened;
    opened.onopen = () => { failures = 0; state("live"); };
    opened.onerror = () => {
      if (source !== opened || over) return;
      if (opened.readyState === EventSource.CLOSED) { diagnose(); return; }
      later(growing());
    };
    for (const type of TYPES) opened.addEventListener(type, (message) => told(type, message));
    opened.addEventListener("stream.expired", (message) => hear("stream.expired", JSON.parse(message.data), ""));
    opened.addEventListener("stream.closing", () => later(growing()));
    opened.addEventListener("stream.revoked", leave);
  }

  function retryNow() {
    if (timer !== null) open();
  }

  function seen() {
    if (document.hidden) {
      hiding ??= setTimeout(() => { hiding = "hidden"; drop(); }, HIDDEN_FOR);
      return;
    }
    const resumes = hiding === "hidden";
    if (!resumes) clearTimeout(hiding);
    hiding = null;
    if (resumes) { state("connecting"); open(); }
  }

  document.addEventListener("visibilitychange", seen);
  addEventListener("online", retryNow);
  state("connecting");
  if (document.hidden) seen();
  open();
  return { close: () => finish("Closed.") };
}

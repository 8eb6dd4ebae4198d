// Cards of findings. Everything a model or a file says is text, never markup.
import { SEVERITIES, element, pill } from "/static/elements.js";
import { changes, common, grammarOf, write } from "/static/words.js";

const FENCE = /(```[\s\S]*?(?:```|$))/;
const CODE = /(`[^`\n]+`)/;

function spans(text) {
  return text.split(CODE).map((piece) =>
    (piece.length > 2 && piece.startsWith("`") && piece.endsWith("`") ? element("code", {}, piece.slice(1, -1)) : piece));
}

// Paragraphs, `code` and fenced blocks; everything else stays as written
function prose(text) {
  return text.split(FENCE).flatMap((part) => {
    if (part.startsWith("```")) {
      return [element("pre", {}, part.replace(/^```[^\n]*\n?/, "").replace(/\n?```$/, ""))];
    }
    return part.split(/\n{2,}/).map((paragraph) => paragraph.trim()).filter(Boolean)
      .map((paragraph) => element("p", {}, ...spans(paragraph)));
  });
}

function swap([kind, , , text], rules, changed) {
  const name = { "+": "added", "-": "removed" }[kind] ?? "same";
  const made = element("div", { class: `swap ${name}`, "data-sign": kind });
  write(made, text || " ", rules, changed);
  return made;
}

function suggested(before, suggestion, path) {
  const after = suggestion === "" ? [] : suggestion.replace(/\n$/, "").split("\n");
  const [head, tail] = common(before, after);
  const row = (kind) => (text) => [kind, null, null, text];
  const rows = [
    ...before.slice(0, head).map(row(" ")),
    ...before.slice(head, before.length - tail).map(row("-")),
    ...after.slice(head, after.length - tail).map(row("+")),
    ...before.slice(before.length - tail).map(row(" ")),
  ];
  const changed = changes(rows);
  return element("figure", { class: "suggestion" },
    element("figcaption", {}, after.length ? "Suggested change" : "Suggested: remove"),
    element("div", { class: "swaps" }, ...rows.map((one) => swap(one, grammarOf(path), changed.get(one) ?? null))));
}

/** "line 4", "lines 4 to 7", "removed line 4", or null for a finding on the whole file. */
export function lines(finding) {
  if (finding.line === null) return null;
  const removed = finding.side === "LEFT" ? "removed " : "";
  const last = finding.end_line ?? finding.line;
  return last === finding.line ? `${removed}line ${finding.line}` : `${removed}lines ${finding.line} to ${last}`;
}

/** A card; `fresh` ones came while somebody looked on. */
export function card(finding, fresh) {
  const place = lines(finding);
  const made = element("article", {
    class: `finding is-${finding.severity}${fresh ? " fresh" : ""}`, id: `finding-${finding.id}`, tabindex: "-1",
    "data-finding": finding.id, "data-severity": finding.severity, "aria-labelledby": `title-${finding.id}` },
  element("header", {}, pill(finding.severity, finding.severity),
    element("h4", { id: `title-${finding.id}` }, ...spans(finding.title)),
    element("a", { class: "anchor", href: `#finding-${finding.id}`, title: "Link to this finding" }, place ?? "whole file")),
  element("div", { class: "said" }, ...prose(finding.message)),
  element("div", { class: "change" }),
  element("footer", {}, ...[finding.category, `${finding.confidence} confidence`, finding.source]
    .map((word) => element("span", {}, word))));
  if (fresh) setTimeout(() => made.classList.remove("fresh"), 4_000);
  return made;
}

/** What of a card depends on where it stands: the quote where its line is not shown, the text it would replace. */
export function settle(made, finding, { shown, before }) {
  made.querySelector(".quoted")?.remove();
  if (!shown && finding.quote.trim()) {
    const line = `${finding.line ?? ""}`;
    made.querySelector("header").after(element("div", { class: "quoted" },
      element("span", { class: "number" }, line), finding.quote));
  }
  if (finding.suggestion !== null) {
    const old = before ?? (finding.quote ? [finding.quote] : []);
    made.querySelector(".change").replaceChildren(suggested(old, finding.suggestion, finding.path));
  }
}

/** Strikes a card through, and says why. */
export function withdraw(made, reason) {
  if (made.classList.contains("withdrawn")) return;
  made.classList.add("withdrawn");
  made.querySelector("header").after(element("p", { class: "withdrawal" }, element("strong", {}, "Withdrawn. "), reason));
}

/** The worst of some severities, or null. */
export const worst = (severities) => SEVERITIES.find((severity) => severities.includes(severity)) ?? null;

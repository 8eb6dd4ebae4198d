// What a review amounts to: tiles of numbers, and coverage with its reasons.
import { SEVERITIES, count, duration, element, money, pill, plural } from "/static/elements.js";

function tile(name, value, ...more) {
  return element("div", { class: "tile", "data-total": name.toLowerCase().replace(" ", "-") },
    element("dt", {}, name), element("dd", {}, element("strong", {}, value), ...more));
}

const quiet = (text) => element("span", { class: "quiet" }, text);
const share = (part, whole) => (whole ? `${Math.floor(100 * part / whole)}%` : "–");

function bar(part, whole) {
  const filled = element("span", { class: "part done" });
  filled.style.width = whole ? `${100 * part / whole}%` : "0";
  return element("span", { class: "share", "aria-hidden": "true" }, filled);
}

/** The tiles; every number may be missing. */
export function showTotals(list, said) {
  const { counts, coverage, changed, first, seconds, tokens, cost, calls, done, total, over } = said;
  const found = SEVERITIES.reduce((sum, severity) => sum + (counts[severity] ?? 0), 0);
  const kinds = SEVERITIES.filter((severity) => counts[severity])
    .map((severity) => pill(`${count(counts[severity])} ${severity}`, severity));
  const read = coverage
    ? [share(coverage.reviewed, coverage.changed_lines),
      quiet(`${count(coverage.reviewed)} of ${plural(coverage.changed_lines, "line")}`),
      bar(coverage.reviewed, coverage.changed_lines)]
    : [total ? `${done}/${total}` : "–", quiet(changed ? `chunks of ${plural(changed, "line")}` : "chunks"), bar(done, total)];
  list.replaceChildren(
    tile("Findings", count(found), element("span", { class: "kinds" }, ...kinds)),
    tile(coverage || over ? "Coverage" : "Progress", ...read),
    tile("First finding", first === null ? "–" : duration(first), quiet(first !== null ? "after the start" : over ? "none" : "none yet")),
    tile("Duration", seconds === null ? "–" : duration(seconds), quiet(over ? "start to end" : "so far")),
    tile("Tokens", tokens ? count(tokens) : "–",
      quiet(!tokens ? "none bought" : calls ? `in ${plural(calls, "call")}` : over ? "in all" : "so far")),
    tile("Cost", money(cost) ?? "–", quiet(cost === null ? "nothing bought" : over ? "USD" : "so far")),
  );
}

function reason(words, files, lines) {
  return element("details", { class: "reason", "data-reason": words },
    element("summary", {}, element("strong", {}, words),
      quiet([plural(files.length, "file"), lines ? plural(lines, "line") : ""].filter(Boolean).join(" · "))),
    element("ul", {}, ...files.map(([path, own]) => element("li", {}, path, own ? quiet(` ${plural(own, "line")}`) : null))));
}

function grouped(rows) {
  const reasons = new Map();
  for (const [words, path, lines] of rows) {
    const files = reasons.get(words) ?? reasons.set(words, []).get(words);
    files.push([path, lines]);
  }
  return [...reasons].map(([words, files]) => reason(words, files, files.reduce((sum, [, lines]) => sum + lines, 0)));
}

function panel(get, words, part, whole, rows, all) {
  get("coverage-words").textContent = words;
  get("coverage-share").replaceChildren(...bar(part, whole).childNodes);
  get("reasons").replaceChildren(...(rows.length ? grouped(rows) : [element("p", { class: "quiet" }, all)]));
}

/** From the plan on: what nobody will look at. */
export function showPlanned(get, { changed_lines, skipped }) {
  panel(get, `${plural(changed_lines, "changed line")} to review`, 0, changed_lines,
    skipped.map((file) => [file.reason, file.path, 0]), "No file is left out.");
}

/** At the end: what was read, and why the rest was not. */
export function showCoverage(get, coverage) {
  const rows = coverage.files.flatMap((file) => [
    ...Object.entries(file.not_reviewed).map(([words, lines]) => [words, file.path, lines]),
    ...(file.trimmed ? [["read, but too long to be shown whole", file.path, file.trimmed]] : []),
  ]);
  panel(get, `${count(coverage.reviewed)} of ${plural(coverage.changed_lines, "changed line")} reviewed`,
    coverage.reviewed, coverage.changed_lines, rows, "Every changed line was reviewed.");
}

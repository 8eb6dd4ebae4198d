// One file of the diff, with findings set in under their lines.
import { SEVERITIES, element, load, plural } from "/static/elements.js";
import { settle, worst } from "/static/findings.js";
import { hold } from "/static/jump.js";
import { changes, grammarOf, write } from "/static/words.js";

const LINE = 20; // pixels of a row, before it is there to be measured
const LETTERS = { added: "A", removed: "D", renamed: "R", copied: "C" };

const rank = (finding) => SEVERITIES.indexOf(finding.severity);

const model = (() => {
  const row = element("tr", {}, ...["number", "number", "code"].map((kind) => element("td", { class: kind })));
  return () => row.cloneNode(true);
})();

const KINDS = { " ": "same", "+": "added", "-": "removed", "\\": "note" };

function lineRow([kind, old, fresh, text], rules, changed) {
  const row = model();
  const [left, right, code] = row.children;
  row.className = KINDS[kind] ?? "same";
  if (old !== null) left.textContent = old;
  if (fresh !== null) right.textContent = fresh;
  code.dataset.sign = kind === "\\" ? " " : kind;
  write(code, text, rules, changed);
  return row;
}

function hunkRow(header) {
  const parts = /^(@@.*?@@)(.*)$/s.exec(header) ?? ["", header, ""];
  return element("tr", { class: "hunk" }, element("td", { colspan: "2" }),
    element("td", {}, parts[1], element("span", { class: "scope" }, parts[2])));
}

function pathWords(path) {
  const cut = path.lastIndexOf("/") + 1;
  return [element("span", { class: "folder" }, path.slice(0, cut)), element("span", { class: "base" }, path.slice(cut))];
}

function deltas(file) {
  if (!file || (!file.added && !file.removed)) return [];
  return [element("span", { class: "plus" }, `+${file.added}`), element("span", { class: "minus" }, `−${file.removed}`)];
}

function insert(where, card, order) {
  card.dataset.order = order;
  const after = [...where.children].find((other) => Number(other.dataset.order) > order);
  where.insertBefore(card, after ?? null);
}

/** A file as a section of the page, and its link in the list of files. */
export class FileView {
  constructor(path, file, number, url) {
    this.path = path;
    this.file = file; // null: not in the diff
    this.url = url;
    this.id = `file-${number}`;
    this.findings = new Map();
    this.rows = new Map();
    this.built = false;
    this.loading = null;
    this.byHand = false;
    this.fold = element("button", { class: "fold", type: "button", "aria-controls": `${this.id}-body` });
    this.count = element("span", { class: "counter", hidden: "" });
    this.whole = element("div", { class: "whole" });
    this.box = element("div", { class: "lines" });
    this.unplaced = element("div", { class: "unplaced" });
    this.body = element("div", { class: "file-body", id: `${this.id}-body` }, this.whole, this.box, this.unplaced);
    this.section = element("section", { class: "file", id: this.id, "data-path": path, "aria-label": path },
      this.#head(), this.body);
    this.link = this.#link();
    this.fold.addEventListener("click", () => { this.byHand = true; this.toggle(this.body.hidden); });
    this.toggle(!file?.binary);
  }

  #head() {
    const { file } = this;
    const name = element("h3", {}, ...(file?.old_path && file.old_path !== this.path
      ? [element("span", { class: "folder" }, `${file.old_path} → `)] : []), ...pathWords(this.path));
    const status = file === null ? "not in the diff" : LETTERS[file.status] ? file.status : "";
    return element("div", { class: "file-head" }, this.fold, name,
      status ? element("span", { class: `tag ${file?.status ?? ""}` }, status) : null,
      this.count, element("span", { class: "spread" }), element("span", { class: "deltas" }, ...deltas(file)));
  }

  #link() {
    const letter = this.file === null ? "·" : LETTERS[this.file.status] ?? "M";
    this.badge = element("span", { class: "counter", hidden: "" });
    return element("li", { "data-path": this.path }, element("a", { href: `#${this.id}`, title: this.path },
      element("span", { class: `letter ${this.file?.status ?? ""}`, "aria-hidden": "true" }, letter),
      element("span", { class: "path" }, ...pathWords(this.path)), this.badge));
  }

  get lines() {
    return (this.file?.hunks ?? []).reduce((sum, hunk) => sum + hunk.lines.length + 1, 0);
  }

  toggle(open) {
    this.body.hidden = !open;
    this.section.classList.toggle("folded", !open);
    this.fold.setAttribute("aria-expanded", open);
    this.fold.setAttribute("aria-label", `${open ? "Fold" : "Unfold"} ${this.path}`);
    if (!open) return;
    if (this.built || !this.file) return;
    if (this.file.hunks === null && !this.file.binary) { this.#wait(); return; }
    this.box.style.minHeight = `${this.lines * LINE}px`;
  }

  // A file whose lines did not come with the rest is fetched when it comes into sight
  #wait() {
    if (this.watching) return;
    this.box.replaceChildren(element("p", { class: "placeholder" }, "The diff of this file loads when you get here."));
    this.watching = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.fetch();
    }, { rootMargin: "400px" });
    this.watching.observe(this.section);
  }

  async fetch() {
    if (this.loading) return;
    this.watching.disconnect();
    this.loading = true;
    this.box.replaceChildren(element("div", { class: "bone" }), element("div", { class: "bone short" }));
    try {
      const { files } = await load(`${this.url}?path=${encodeURIComponent(this.path)}`);
      this.file.hunks = files[0]?.hunks ?? [];
      hold(() => this.build());
    } catch (error) {
      const again = element("button", { type: "button", class: "act" }, "Try again");
      again.addEventListener("click", () => { this.loading = null; this.fetch(); });
      this.box.replaceChildren(element("p", { class: "placeholder" }, `${error.message} `, again));
    }
  }

  build() {
    if (this.built || !this.file || (this.file.hunks === null && !this.file.binary)) return;
    this.built = true;
    this.box.style.minHeight = "";
    const { binary, hunks } = this.file;
    if (binary || !hunks.length) {
      this.box.replaceChildren(element("p", { class: "placeholder" }, binary ? "Binary file, not shown." : "No lines changed."));
    } else {
      const body = element("tbody");
      const rules = grammarOf(this.path);
      for (const hunk of hunks) {
        body.append(hunkRow(hunk.header));
        const changed = changes(hunk.lines);
        for (const line of hunk.lines) body.append(this.#row(line, rules, changed.get(line) ?? null));
      }
      this.box.replaceChildren(element("table", {},
        element("caption", { class: "visually-hidden" }, `Changes in ${this.path}`),
        element("col", { class: "col" }), element("col", { class: "col" }), element("col"), body));
      this.section.style.containIntrinsicSize = `auto ${this.lines * LINE + 46}px`;
    }
    const focused = document.activeElement;
    for (const [finding, card] of this.findings.values()) this.#set(finding, card);
    if (this.section.contains(focused)) focused.focus({ preventScroll: true }); // a card that is moved loses it
  }

  #row(line, rules, changed) {
    const row = lineRow(line, rules, changed);
    const [kind, old, fresh, text] = line;
    if (kind === "\\") return row;
    if (old !== null) this.rows.set(`LEFT ${old}`, { row, text });
    if (fresh !== null) this.rows.set(`RIGHT ${fresh}`, { row, text });
    return row;
  }

  add(finding, card) {
    this.findings.set(finding.id, [finding, card]);
    if (!this.byHand) this.toggle(true);
    this.build();
    this.#set(finding, card);
    this.recount();
  }

  #range(finding) {
    const found = [];
    for (let line = finding.line; line <= (finding.end_line ?? finding.line); line += 1) {
      const row = this.rows.get(`${finding.side} ${line}`);
      if (!row) break;
      found.push(row);
    }
    return found;
  }

  #set(finding, card) {
    const range = finding.line === null ? [] : this.#range(finding);
    if (!range.length) {
      settle(card, finding, { shown: false, before: null });
      insert(finding.line === null ? this.whole : this.unplaced, card, finding.line ?? 0);
      this.unplaced.dataset.note = this.file && this.unplaced.childElementCount ? "On lines that this diff does not show" : "";
      return;
    }
    const whole = range.length === (finding.end_line ?? finding.line) - finding.line + 1;
    settle(card, finding, { shown: true, before: whole ? range.map((row) => row.text) : null });
    for (const { row } of range) {
      const mark = SEVERITIES[Math.min(rank(finding), row.dataset.mark ? SEVERITIES.indexOf(row.dataset.mark) : 9)];
      row.dataset.mark = mark;
    }
    const last = range.at(-1).row;
    let inset = last.nextElementSibling;
    if (!inset?.classList.contains("inset")) {
      inset = element("tr", { class: "inset" }, element("td", { colspan: "3" }, element("div", { class: "cards" })));
      last.after(inset);
    }
    insert(inset.querySelector(".cards"), card, rank(finding));
  }

  recount() {
    const stand = [...this.findings.values()].filter(([, card]) => !card.classList.contains("withdrawn"));
    const kind = worst(stand.map(([finding]) => finding.severity));
    for (const counter of [this.count, this.badge]) {
      counter.hidden = !stand.length;
      counter.className = `counter is-${kind}`;
    }
    this.count.textContent = plural(stand.length, "finding");
    const words = ` ${stand.length === 1 ? "finding" : "findings"}, worst ${kind}`;
    this.badge.replaceChildren(`${stand.length}`, element("span", { class: "visually-hidden" }, words));
  }
}

// Moving among findings, and not moving when findings come.
import { count, plural } from "/static/elements.js";

/** Applies a change of the page, and keeps what the reader looks at where it was. */
export function hold(apply) {
  const kept = scrollY > 8 ? looked() : null;
  const before = kept?.getBoundingClientRect().top;
  apply();
  if (!kept?.isConnected) return;
  const moved = kept.getBoundingClientRect().top - before;
  if (Math.abs(moved) >= 1) scrollBy({ top: moved, behavior: "instant" });
}

// The finding in focus, else what is a third down the window
function looked() {
  const focused = document.activeElement?.closest(".finding");
  if (focused) {
    const { top, bottom } = focused.getBoundingClientRect();
    if (bottom > 0 && top < innerHeight) return focused;
  }
  const { left, width } = document.getElementById("diff").getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, innerHeight / 3);
  return there?.closest("tr, .finding, .file-head, .file, .panels, #totals") ?? null;
}

/** Buttons and the keys n and p go from finding to finding, in the order of the page. */
export class Jump {
  constructor(get, reveal) {
    this.get = get;
    this.reveal = reveal;
    this.current = null;
    get("next").addEventListener("click", () => this.go(1));
    get("previous").addEventListener("click", () => this.go(-1));
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, [contenteditable]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "n") this.go(1);
      if (event.key === "p") this.go(-1);
    });
    get("diff").addEventListener("focusin", (event) => {
      const made = event.target.closest(".finding");
      if (made) { this.current = made; this.count(); }
    });
  }

  get cards() {
    return [...this.get("diff").querySelectorAll(".finding:not(.withdrawn)")];
  }

  go(step) {
    const { cards } = this;
    if (!cards.length) return;
    const at = cards.indexOf(this.current);
    this.arrive(cards[at < 0 ? this.#nearest(cards, step) : (at + step + cards.length) % cards.length]);
  }

  #nearest(cards, step) {
    const tops = cards.map((made) => made.getBoundingClientRect().top);
    const below = tops.findIndex((top) => top > 60);
    if (step > 0) return Math.max(below, 0);
    return (below < 0 ? cards.length : below + cards.length - 1) % cards.length;
  }

  arrive(made) {
    this.reveal(made);
    this.current = made;
    made.focus({ preventScroll: true });
    made.scrollIntoView({ block: "center", behavior: "instant" });
    // Rows that were out of sight get their true heights only now
    requestAnimationFrame(() => made.scrollIntoView({ block: "center", behavior: "instant" }));
    this.count();
  }

  count() {
    const { cards } = this;
    const at = cards.indexOf(this.current);
    const words = !cards.length ? "No findings"
      : at < 0 ? plural(cards.length, "finding") : `${count(at + 1)} of ${count(cards.length)}`;
    if (this.get("place").textContent !== words) this.get("place").textContent = words;
    for (const name of ["next", "previous"]) this.get(name).disabled = !cards.length;
  }
}

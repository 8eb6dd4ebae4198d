// The diff: its files in order, the list of them, and findings put where they belong.
import { FileView } from "/static/file.js";

const LARGE = 1_500; // lines of a diff from which on files without findings are folded
const SLICE = 8; // milliseconds of a frame that go into rows

/** All files of a review, in `root`, with links to them in `links`. */
export class DiffView {
  constructor(root, links, url) {
    this.root = root;
    this.links = links;
    this.url = url;
    this.files = new Map();
    this.names = new Map(); // also by old path
    this.cards = new Map();
    this.number = 0;
    this.sight = new IntersectionObserver((entries) => this.#look(entries), { rootMargin: "-60px 0px -70% 0px" });
    links.addEventListener("click", (event) => {
      const path = event.target.closest("[data-path]")?.dataset.path;
      if (path) this.files.get(path).toggle(true);
    });
  }

  /** Shows a diff, or with null only what has findings. What was placed before is placed anew. */
  show(diff) {
    this.root.replaceChildren();
    this.links.replaceChildren();
    this.files.clear();
    this.names.clear();
    for (const file of diff?.files ?? []) {
      const view = this.#file(file.path, file);
      if (file.old_path) this.names.set(file.old_path, view);
    }
    for (const view of this.files.values()) this.names.set(view.path, view);
    const views = [...this.files.values()];
    const large = (diff?.truncated ?? false) || views.reduce((sum, view) => sum + view.lines, 0) > LARGE;
    if (large) for (const view of views) view.toggle(false);
    for (const [finding, card] of this.cards.values()) this.#view(finding.path).add(finding, card);
    this.#build(views);
  }

  #file(path, file) {
    const view = new FileView(path, file, this.number += 1, this.url);
    this.files.set(path, view);
    const later = file ? null : [...this.files.values()].find((other) => !other.file && other.path > path);
    this.root.insertBefore(view.section, later?.section ?? null);
    this.links.insertBefore(view.link, later?.link ?? null);
    this.sight.observe(view.section);
    return view;
  }

  #view(path) {
    if (!this.names.has(path)) this.names.set(path, this.#file(path, null));
    return this.names.get(path);
  }

  // Rows are made a few milliseconds a frame, so that a large diff never freezes the page
  #build(views) {
    const rest = views.filter((view) => !view.built && !view.body.hidden);
    const begin = performance.now();
    while (rest.length && performance.now() - begin < SLICE) rest.shift().build();
    if (rest.length) requestAnimationFrame(() => this.#build(rest));
  }

  #look(entries) {
    for (const { target, isIntersecting } of entries) {
      const link = this.files.get(target.dataset.path)?.link.firstElementChild;
      if (isIntersecting) link?.setAttribute("aria-current", "true");
      else link?.removeAttribute("aria-current");
    }
  }

  place(finding, card) {
    this.cards.set(finding.id, [finding, card]);
    this.#view(finding.path).add(finding, card);
  }

  recount(path) {
    this.names.get(path)?.recount();
  }

  /** Opens the file that holds a card, so that it can be scrolled to. */
  reveal(card) {
    const view = this.files.get(card.closest(".file").dataset.path);
    if (view.body.hidden) view.toggle(true);
    view.build();
  }
}

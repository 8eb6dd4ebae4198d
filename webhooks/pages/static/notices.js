// Notices above the review: one of a kind at a time.
import { SEVERITIES, element, load, plural } from "/static/elements.js";

const TOGETHER = 2_500; // milliseconds of findings in one sentence

/** Shows a notice in place of the one with the same key; without children it goes. `bad` ones are read out at once. */
export function notice(key, kind, ...children) {
  document.getElementById("notices").querySelector(`[data-notice="${key}"]`)?.remove();
  if (!children.length) return;
  document.getElementById("notices").append(element("div", {
    class: `notice ${kind}`, "data-notice": key, role: kind === "bad" ? "alert" : "status",
  }, element("p", {}, ...children)));
}

/** A reason as the end of a sentence, whether it came with a full stop or not. */
export const sentence = (reason) => `${reason.replace(/[.\s]+$/, "")}.`;

/** A button within a notice. */
export function button(words, act) {
  const made = element("button", { type: "button", class: "act" }, words);
  made.addEventListener("click", act);
  return made;
}

let told = [];
let telling = null;
let latest = 0;

/** Says in one breath what came in a while: a screen reader is not made to read every card. */
export function announce(severity, all) {
  told.push(severity);
  latest = all;
  telling ??= setTimeout(() => {
    const counts = SEVERITIES.filter((kind) => told.includes(kind))
      .map((kind) => `${told.filter((other) => other === kind).length} ${kind}`);
    const words = `${plural(told.length, "new finding")}: ${counts.join(", ")}. ${latest} so far.`;
    document.getElementById("announcer").textContent = words;
    [told, telling] = [[], null];
  }, TOGETHER);
}

/** Says that a newer head took over, and links to its review if there is one. */
export async function superseded(by, { id, repository, pull_request }) {
  const words = `A newer head, ${by.slice(0, 7)}, took the place of this one.`;
  notice("superseded", "", words);
  if (pull_request === null) return;
  const query = new URLSearchParams({ repository, pull_request });
  const { reviews } = await load(`/reviews?${query}`).catch(() => ({ reviews: [] }));
  const next = reviews.find((review) => review.head_sha === by && review.id !== id);
  if (next) notice("superseded", "", `${words} `, element("a", { href: `/r/${next.id}` }, "See its review"));
}

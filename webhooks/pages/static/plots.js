// Plots as SVG, each with its values in a table, on hover and by keyboard.
import { element } from "/static/elements.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 220;
const LEFT = 52;
const BOTTOM = 24;
const TOP = 8;

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const swatch = (index) => element("span", { class: `swatch s${index + 1}`, "aria-hidden": "true" });

export const legend = (names) => element("ul", { class: "legend" },
  ...names.map((name, index) => element("li", {}, swatch(index), name)));

/** The values of a plot for those who would rather read them. */
export function table(heads, rows, caption) {
  return element("details", {}, element("summary", {}, "Show the values"),
    element("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
      element("table", {}, element("caption", { class: "visually-hidden" }, caption),
        element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
        element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first),
          ...rest.map((value) => element("td", {}, value))))))));
}

// 1, 2 or 5 times a power of ten, so that at most five lines reach over the largest value
function ticks(largest) {
  const rough = (largest || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  return Array.from({ length: Math.ceil((largest || 1) / step) + 1 }, (_, index) => index * step);
}

const sum = (values) => values.reduce((all, one) => all + one, 0);

/** A stack with its top rounded. */
function stack(values, x, wide, y) {
  let from = 0;
  const parts = [];
  values.forEach((value, index) => {
    if (value <= 0) return;
    const [low, high] = [y(from), y(from + value)];
    parts.push(drawn("rect", { class: `s${index + 1}`, x, width: wide, y: high, height: Math.max(low - high - (from ? 1 : 0), 0.5), rx: Math.min(2, wide / 4) }));
    from += value;
  });
  return parts;
}

function bubbleOf(column, names, format) {
  const rows = names.map((name, index) => [name, column.values[index], index]).filter(([, value]) => value > 0).reverse();
  return [element("strong", {}, column.label),
    element("dl", {}, ...rows.flatMap(([name, value, index]) => [element("dt", {}, swatch(index), name), element("dd", {}, format(value))]),
      element("dt", {}, "all"), element("dd", {}, element("strong", {}, format(sum(column.values)))))];
}

/**
 * Stacked bars: columns are `{ label, short, values }`, their values in the order of `names`.
 *
 * One stop for the tab key; the arrows, Home and End go from column to column and tell its values.
 */
export function bars({ name, names, columns, format }) {
  const bubble = element("div", { class: "bubble", "aria-hidden": "true", hidden: "" });
  const told = element("p", { class: "visually-hidden", "aria-live": "polite" });
  const svg = drawn("svg", { height: HEIGHT, tabindex: "0", role: "group", "aria-roledescription": "bar chart",
    "aria-label": `${name}. Left and right go through the days.` });
  const frame = element("div", { class: "frame" }, svg, bubble, told);
  const marks = ticks(Math.max(...columns.map((column) => sum(column.values)), 0));
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / marks.at(-1));
  let groups = [];
  let at = -1;
  let wide = 0;

  function point(index, aloud) {
    groups[at]?.classList.remove("on");
    at = index;
    bubble.hidden = index < 0;
    if (index < 0) return;
    groups[index].classList.add("on");
    const column = columns[index];
    bubble.replaceChildren(...bubbleOf(column, names, format));
    const x = LEFT + (index + 0.5) * wide;
    const over = frame.clientWidth - bubble.offsetWidth;
    bubble.style.left = `${Math.max(0, x + wide + bubble.offsetWidth > frame.clientWidth ? Math.min(x - wide - bubble.offsetWidth, over) : x + wide)}px`;
    if (aloud) told.textContent = `${column.label}: ${format(sum(column.values))}`;
  }

  function draw(width) {
    wide = (width - LEFT) / columns.length;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const lines = marks.flatMap((mark) => [
      drawn("line", { class: mark ? "grid" : "base", x1: LEFT, x2: width, y1: y(mark), y2: y(mark) }),
      drawn("text", { x: LEFT - 8, y: y(mark) + 4, "text-anchor": "end" }, format(mark))]);
    const every = Math.ceil(columns.length / Math.max(Math.floor((width - LEFT) / 64), 1));
    const bar = Math.min(Math.max(wide * 0.72, 1), 44);
    groups = columns.map((column, index) => {
      const x = LEFT + index * wide;
      const group = drawn("g", { class: "column" }, drawn("rect", { class: "touch", x, y: TOP, width: wide, height: HEIGHT - TOP - BOTTOM }),
        ...stack(column.values, x + (wide - bar) / 2, bar, y));
      if ((columns.length - 1 - index) % every === 0) group.append(drawn("text", { x: x + wide / 2, y: HEIGHT - 6, "text-anchor": index === columns.length - 1 && wide < 40 ? "end" : "middle" }, column.short));
      group.addEventListener("pointerenter", () => point(index, false));
      return group;
    });
    svg.replaceChildren(...lines, ...groups);
    point(-1);
  }

  svg.addEventListener("pointerleave", () => point(-1));
  svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) point(columns.length - 1, true); });
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("keydown", (event) => {
    const last = columns.length - 1;
    const to = { ArrowLeft: Math.max(at - 1, 0), ArrowRight: Math.min(at + 1, last), Home: 0, End: last }[event.key];
    if (event.key === "Escape") point(-1);
    if (to === undefined) return;
    event.preventDefault();
    point(to, true);
  });
  new ResizeObserver(([entry]) => { if (entry.contentRect.width) draw(entry.contentRect.width); }).observe(frame);
  return frame;
}

// A bar of a hundred units, cut into `[colour, value]`; the words beside it say the same
function strip(parts, all) {
  const svg = drawn("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", height: 8, "aria-hidden": "true", class: "strip" });
  let from = 0;
  for (const [colour, value] of parts) {
    const width = all ? value / all * 100 : 0;
    if (width > 0) svg.append(drawn("rect", { class: `s${colour}`, x: from, y: 0, width: Math.max(width - 0.3, 0.3), height: 8 }));
    from += width;
  }
  return svg;
}

/** Horizontal bars: rows are `{ name, value, text, colour }`, all against the largest. */
export function ranks(rows) {
  const largest = Math.max(...rows.map((row) => row.value), 0);
  return element("ol", { class: "ranks" }, ...rows.map((row) => element("li", {},
    element("div", { class: "row" }, element("span", {}, row.name), element("span", {}, row.text)), strip([[row.colour, row.value]], largest))));
}

/** One bar that is the whole, and what its parts are: `{ name, value, text }`. */
export function shares(parts) {
  const all = sum(parts.map((part) => part.value));
  return element("div", {}, strip(parts.map((part, index) => [index + 1, part.value]), all),
    element("ul", { class: "legend shares" }, ...parts.map((part, index) => element("li", {}, swatch(index), part.name, " ", element("strong", {}, part.text)))));
}

// Colours within a line: what of it changed, and its strings, comments, numbers and keywords.
import { element } from "/static/elements.js";

const LONGEST = 400; // characters of a line worth colouring
const HASH = new Set("py sh rb yml yaml toml pl r conf dockerfile makefile tf ex exs".split(" "));
const SLASH = new Set("js mjs ts tsx jsx go rs java kt c h cc cpp hpp cs swift php scala css scss proto dart".split(" "));
const KEYWORDS = new Set(`and as async await break case catch class const continue def default defer del do elif else enum except
export extends false False finally fn for from func function go if impl implements import in interface is lambda let match mod mut
new nil None not null or package pass pub public private protected raise return select self static struct super switch this throw
throws trait true True try type undefined use var void while with yield`.split(/\s+/));

const STRING = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` + "`(?:[^`\\\\]|\\\\.)*`";
const REST = String.raw`(?<number>\b\d[\w.]*)|(?<word>[A-Za-z_]\w*)`;
const grammar = (comment) => new RegExp(`(?<comment>${comment})|(?<string>${STRING})|${REST}`, "g");
const GRAMMARS = { hash: grammar(String.raw`(?<![\w$&{])#.*`), slash: grammar(String.raw`\/\/.*|\/\*.*?(?:\*\/|$)`) };

/** What reads a path's lines, or null where nothing is known of its language. */
export function grammarOf(path) {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const ending = name.slice(name.lastIndexOf(".") + 1);
  if (HASH.has(ending)) return GRAMMARS.hash;
  return SLASH.has(ending) ? GRAMMARS.slash : null;
}

function pieces(text, rules) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(rules)) {
    const { comment, string, number } = match.groups;
    const kind = comment ? "t-comment" : string ? "t-string" : number ? "t-number" : KEYWORDS.has(match[0]) ? "t-keyword" : null;
    if (!kind) continue;
    if (match.index > at) found.push([text.slice(at, match.index), ""]);
    found.push([match[0], kind]);
    at = match.index + match[0].length;
  }
  found.push([text.slice(at), ""]);
  return found;
}

function* cut(parts, [from, to]) {
  let at = 0;
  for (const [text, kind] of parts) {
    const marks = [Math.max(from - at, 0), Math.max(to - at, 0)].map((mark) => Math.min(mark, text.length));
    yield [text.slice(0, marks[0]), kind];
    yield [text.slice(marks[0], marks[1]), `${kind} t-changed`];
    yield [text.slice(marks[1]), kind];
    at += text.length;
  }
}

/** Puts a line into its cell; `changed` are the offsets of what differs from the line it stands for, or null. */
export function write(cell, text, rules, changed) {
  if (text.length > LONGEST || (!rules && !changed)) { cell.textContent = text; return; }
  let parts = rules ? pieces(text, rules) : [[text, ""]];
  if (changed) parts = [...cut(parts, changed)];
  for (const [piece, kind] of parts) {
    if (piece) cell.append(kind ? element("span", { class: kind.trim() }, piece) : piece);
  }
}

/** How much two texts, or two lists of lines, share at their begin and at their end. */
export function common(before, after) {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return [head, tail];
}

function differing(before, after) {
  const [head, tail] = common(before, after);
  // Lines that share little were not changed but replaced: colouring all of them says nothing
  return (head + tail) * 3 < Math.max(before.length, after.length) ? null : [head, tail];
}

/** For each line of a hunk the offsets that changed: as many removed as added lines in a row are taken for pairs. */
export function changes(lines) {
  const found = new Map();
  for (let at = 0; at < lines.length;) {
    let middle = at;
    while (lines[middle]?.[0] === "-") middle += 1;
    let last = middle;
    while (lines[last]?.[0] === "+") last += 1;
    if (middle > at && middle - at === last - middle) {
      for (let step = 0; at + step < middle; step += 1) {
        const [before, after] = [lines[at + step][3], lines[middle + step][3]];
        const [head, tail] = differing(before, after) ?? [];
        if (head === undefined) continue;
        found.set(lines[at + step], [head, before.length - tail]);
        found.set(lines[middle + step], [head, after.length - tail]);
      }
    }
    at = Math.max(last, at + 1);
  }
  return found;
}

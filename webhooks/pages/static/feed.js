// What both pages share: the stream, and elements made without ever parsing text as HTML.
const TYPES = ["review.queued", "review.started", "review.planned", "chunk.started", "chunk.progress", "finding",
  "finding.withdrawn", "chunk.retrying", "chunk.completed", "chunk.failed", "review.published",
  "review.postponed", "review.completed", "review.failed", "review.superseded", "review.cancelled"];
export const SEVERITIES = ["critical", "high", "medium", "low"];

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const pill = (text, kind) => element("span", { class: `pill ${kind}` }, text);
export const money = (cost) => (cost === null || cost === undefined ? null : `$${cost.toFixed(4)}`);

export function follow(url, hear) {
  const connection = document.getElementById("connection");
  const source = new EventSource(url);
  let last = 0;
  source.onopen = () => { connection.textContent = "live"; };
  source.onerror = () => { connection.textContent = "reconnecting…"; };
  for (const type of TYPES) {
    source.addEventListener(type, (message) => {
      const position = Number(message.lastEventId);
      if (position <= last) return;
      last = position;
      hear(type, JSON.parse(message.data));
    });
  }
}

export async function load(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (answer.status === 401) { location.assign("/login"); throw new Error("Log in first."); }
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

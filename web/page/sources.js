// Sources, the feed of events, and the demo's switches.
import { el, put, mark, age, byName, timeOfDay, plural, button } from "./words.js";
import { model, now, shortHost, maxEvents } from "./model.js";
import { wanted } from "./rows.js";
import { act, confirm } from "./actions.js";

const root = document.getElementById("source-list");
const cards = new Map();

export function updateSources() {
  const names = model.parts.sources.map((s) => s.name).sort(byName);
  for (const [name, card] of cards) if (!names.includes(name)) { card.node.remove(); cards.delete(name); }
  names.forEach((name, i) => {
    if (!cards.has(name)) {
      const card = { title: el("h3", "", name), badge: el("span", "badge"), last: el("span", "lease"), facts: el("p", "facts"), error: el("p", "error"), warning: el("p", "warning") };
      card.node = el("article", "card source", el("div", "card-head", card.title, card.badge, card.last), card.facts, card.error, card.warning);
      cards.set(name, card);
    }
    const card = cards.get(name), source = model.parts.sources.find((s) => s.name === name);
    if (root.children[i] !== card.node) root.insertBefore(card.node, root.children[i] || null);
    patch(card, source);
  });
  if (!names.length) put(root, model.ready ? "No source has been polled yet." : "");
}

function patch(card, source) {
  mark(card.node, "data-state", source.state);
  put(card.badge, source.state);
  card.lastGood = source.name === "manual" ? 0 : source.last_good;
  const facts = [plural(source.streams, "stream")];
  if (source.rules) facts.push("rules v" + source.rules.version + " of " + shortHost(source.rules.by));
  if (source.expect?.length) facts.push("expects " + source.expect.join(", "));
  if (source.stalled?.length) facts.push("stalled: " + source.stalled.join(", "));
  if (source.over) facts.push("announces the " + source.max + " it may; " + plural(source.over, "new stream") + " refused, such as " + source.over_example);
  if (source.refused) facts.push(plural(source.refused, "mount") + " refused" + (source.example ? ", such as " + source.example : ""));
  put(card.facts, facts.join(" · "));
  put(card.error, source.error || "");
  card.error.hidden = !source.error;
  put(card.warning, source.warning || "");
  card.warning.hidden = !source.warning;
  tickSource(card, now());
}

function tickSource(card, at) {
  put(card.last, card.lastGood ? "good " + age(at - card.lastGood) + " ago" : "");
}

export function tickSources() {
  const at = now();
  for (const card of cards.values()) tickSource(card, at);
}

// The feed, newest first.
const feed = document.getElementById("feed-list");
const shownEvents = 150;
const levels = { "host-down": "bad", reaped: "bad", hold: "bad", refused: "bad", lost: "bad", nonsense: "bad", "source-unknown": "bad", "source-full": "bad", failed: "bad", crashed: "warn", restarted: "warn",
  waits: "warn", unassigned: "warn", "host-up": "ok", claimed: "ok", "source-good": "ok", rules: "warn", differs: "bad", agrees: "ok", appeared: "info", gone: "info" };

function line(event) {
  const subject = [event.stream, event.slot].filter(Boolean).join(" ");
  const node = el("li", "", el("time", "", timeOfDay(Number(event.id.split("-")[0]))), el("span", "what", event.event),
    el("span", "about", [subject, event.host && (subject ? "on " : "") + shortHost(event.host)].filter(Boolean).join(" ")));
  if (event.reason) node.append(el("span", "why", event.reason));
  if (event.actor && event.actor !== event.host) node.title = "by " + event.actor;
  node.dataset.level = levels[event.event] || "";
  node.dataset.id = event.id;
  return node;
}

const haystack = (e) => [e.event, e.stream, e.slot, e.host, e.reason].join("\n").toLowerCase();

// addLines shows new events; the oldest leave.
export function addLines(events) {
  const nodes = events.filter((e) => wanted(haystack(e))).slice(-shownEvents).reverse().map(line);
  feed.prepend(...nodes);
  while (feed.children.length > shownEvents) feed.lastChild.remove();
}

export function refilterFeed() {
  feed.replaceChildren();
  addLines(model.events.slice(-maxEvents));
}

// The demo.
const demo = document.getElementById("demo");
const switches = new Map();

export function updateDemo() {
  const state = model.parts.demo;
  demo.hidden = !state;
  if (!state) return;
  state.streams.forEach((s) => toggle("demo-streams", "s " + s.key, s.key, s.on, s.on ? "on" : "off", () => quietly(act("demo/stream", { key: s.key, on: !s.on }))));
  state.hosts.forEach((h) => toggle("demo-hosts", "h " + h.host, h.host, h.alive, h.alive ? "kill" : "revive", () => {
    if (h.alive) confirm({ title: "Kill " + h.host + "?", text: "Its runner and its children end at once, without a word, as in a power cut.", verb: "Kill", danger: true, go: () => act("demo/host", { host: h.host, alive: false }) });
    else quietly(act("demo/host", { host: h.host, alive: true }));
  }));
}

// quietly: what went wrong was told already.
function quietly(promise) { promise.catch(() => {}); }

function toggle(parent, id, name, on, word, go) {
  if (!switches.has(id)) {
    const text = el("span", "word"), sw = { text };
    sw.node = button("", "switch", () => sw.go());
    sw.node.replaceChildren(el("span", "dot"), el("span", "", name), text);
    document.getElementById(parent).append(sw.node);
    switches.set(id, sw);
  }
  const sw = switches.get(id);
  sw.go = go;
  mark(sw.node, "aria-pressed", String(on));
  put(sw.text, word);
}

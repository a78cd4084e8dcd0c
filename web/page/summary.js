// The line of verdicts, and the list of what needs somebody.
import { el, put, mark, plural, age } from "./words.js";
import { model, now, levelOf, stateOf } from "./model.js";

const root = document.getElementById("summary");
const tiles = new Map();

function tile(id, title) {
  if (!tiles.has(id)) {
    const value = el("strong"), more = el("span", "more");
    const node = el("div", "tile", el("span", "title", title), value, more);
    node.id = "tile-" + id;
    tiles.set(id, { node, value, more });
    root.append(node);
  }
  return tiles.get(id);
}

function show(id, title, level, value, more) {
  const t = tile(id, title);
  mark(t.node, "data-level", level);
  put(t.value, value);
  put(t.more, more);
}

export function summarise() {
  if (!model.ready) return;
  let running = 0, all = 0, bad = 0, degraded = 0;
  for (const stream of model.streams.values()) {
    for (const slot of stream.slots) {
      if (slot.state === "stopping" || !slot.lead) continue;
      all++;
      const level = levelOf(stream, slot), some = Boolean(stream.degraded?.includes(slot.slot));
      if (some || stateOf(slot) === "running" && level !== "bad") running++;
      if (some) degraded++;
      if (level === "bad") bad++;
    }
  }
  const rest = all - running;
  const fragile = model.parts.fragile.length, words = [];
  if (rest) words.push(plural(rest, "does", "do") + " not run");
  if (degraded) words.push(degraded + " degraded");
  if (fragile) words.push(fragile + " fragile");
  show("slots", "Slots", bad ? "bad" : words.length ? "warn" : "ok", running + " / " + all, words.join(", ") || (all ? "all run" : "none wanted"));
  const gone = model.parts.missing.length;
  show("streams", "Streams", gone ? "warn" : "ok", String(model.streams.size), gone ? gone + " missing" : "live");
  const hosts = [...model.hosts.values()].filter((h) => !h.left), down = hosts.filter((h) => h.state === "down").length;
  const up = hosts.filter((h) => h.state === "up").length;
  show("hosts", "Hosts", down ? "bad" : up < hosts.length ? "warn" : "ok", up + " / " + hosts.length,
    down ? plural(down, "is", "are").replace(/^\d+/, down) + " down" : up < hosts.length ? (hosts.length - up) + " cordoned or draining" : "up");
  const sources = model.parts.sources, unknown = sources.filter((s) => s.state !== "good").length;
  show("sources", "Sources", unknown ? "bad" : "ok", (sources.length - unknown) + " / " + sources.length, unknown ? unknown + " unknown" : "good");
  jobs(model.parts.jobs);
  const room = model.parts.headroom;
  if (room) show("headroom", "Survives the loss of any one host?", room.survives ? "ok" : "warn", room.survives ? "yes" : "no",
    room.text === "yes" ? "all its slots would have a place" : room.text.replace(/^(no: |yes; )/, ""));
  attend();
  document.title = (rest ? "(" + rest + ") " : "") + "stream-api";
}

// jobs stand apart from slots; their strip is there while there are any.
function jobs(counts) {
  if (!counts) {
    tiles.get("jobs")?.node.remove();
    tiles.delete("jobs");
    return;
  }
  const words = [counts.waiting && plural(counts.waiting, "waits", "wait"), counts.failed && counts.failed + " failed"].filter(Boolean);
  show("jobs", "Jobs", counts.failed ? "bad" : "ok", counts.running + " running", words.join(", ") || "none waits");
}

const list = document.getElementById("attention-list");
const items = new Map();

// attend lists what needs somebody, as the server found and sorted it.
function attend() {
  const found = [...model.parts.problems], more = model.parts.more;
  if (more > 0) found.push({ id: "more", level: "warn", what: plural(more, "more thing"), why: "filter for them in the table below" });
  render(found);
}

function render(found) {
  const keep = new Set(found.map((f) => f.id));
  for (const [id, item] of items) if (!keep.has(id)) { item.node.remove(); items.delete(id); }
  found.forEach((f, i) => {
    let item = items.get(f.id);
    if (!item) {
      const what = el("span", "what"), why = el("span", "why"), time = el("span", "time");
      item = { node: el("li", "", el("span", "mark"), what, why, time), what, why, time };
      items.set(f.id, item);
    }
    mark(item.node, "data-level", f.level);
    put(item.what, f.what);
    put(item.why, f.why);
    mark(item.node, "title", f.what + "\n" + f.why); // a long text is cut
    item.since = f.since;
    item.until = f.until;
    if (list.children[i] !== item.node) list.insertBefore(item.node, list.children[i] || null);
  });
  document.getElementById("attention").hidden = !found.length;
  tickAttention();
}

export function tickAttention() {
  const at = now();
  for (const item of items.values()) {
    let text = "";
    if (item.since && isFinite(item.since)) text = age(at - item.since);
    else if (item.until > at) text = "for " + age(item.until - at + 999);
    put(item.time, text);
  }
}

// The line of verdicts, and the list of what needs somebody.
import { el, put, mark, plural, age } from "./words.js";
import { model, now, severity, shortHost, stateOf } from "./model.js";

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
  let running = 0, all = 0, bad = 0;
  for (const stream of model.streams.values()) {
    for (const slot of stream.slots) {
      if (slot.state === "stopping" || !slot.lead) continue;
      all++;
      const level = severity(slot);
      if (stateOf(slot) === "running" && level !== "bad") running++;
      if (level === "bad") bad++;
    }
  }
  const rest = all - running;
  show("slots", "Slots", rest ? (bad ? "bad" : "warn") : "ok", running + " / " + all,
    rest ? plural(rest, "does", "do").replace(/^\d+/, rest) + " not run" : all ? "all run" : "none wanted");
  const gone = model.parts.missing.length;
  show("streams", "Streams", gone ? "warn" : "ok", String(model.streams.size), gone ? gone + " missing" : "live");
  const hosts = [...model.hosts.values()].filter((h) => !h.left), down = hosts.filter((h) => h.state === "down").length;
  const up = hosts.filter((h) => h.state === "up").length;
  show("hosts", "Hosts", down ? "bad" : up < hosts.length ? "warn" : "ok", up + " / " + hosts.length,
    down ? plural(down, "is", "are").replace(/^\d+/, down) + " down" : up < hosts.length ? (hosts.length - up) + " cordoned or draining" : "up");
  const sources = model.parts.sources, unknown = sources.filter((s) => s.state !== "good").length;
  show("sources", "Sources", unknown ? "bad" : "ok", (sources.length - unknown) + " / " + sources.length, unknown ? unknown + " unknown" : "good");
  const room = model.parts.headroom;
  if (room) show("headroom", "Survives the loss of any one host?", room.survives ? "ok" : "warn", room.survives ? "yes" : "no",
    room.text === "yes" ? "all its slots would have a place" : room.text.replace(/^no: /, ""));
  attend();
  document.title = (rest ? "(" + rest + ") " : "") + "stream-api";
}

const list = document.getElementById("attention-list");
const items = new Map();
const maxItems = 10;

const some = (names) => names.slice(0, 4).join(", ") + (names.length > 4 ? " and " + (names.length - 4) + " more" : "");

// attend lists what does not run, alike things together.
function attend() {
  const found = [];
  const hold = model.parts.hold;
  if (hold) found.push({ id: "hold", level: "bad", what: "On hold: nothing is taken or given", why: hold.reason, until: hold.until });
  for (const key of model.parts.aside || []) {
    found.push({ id: "aside " + key.key, level: "warn", what: "Key " + key.key + " was a " + key.was + " and no " + key.should, why: "somebody wrote it by hand; what should be in it is made anew. What it held is " + key.aside + ": look at it, then DEL that" });
  }
  for (const l of model.parts.lost || []) {
    found.push({ id: "lost " + l.stream + l.slot + l.at, level: "bad", what: l.slot + " of " + l.stream + " ran twice", why: shortHost(l.host) + " ended its own: " + l.reason + ". It had been cut off from Redis, or frozen; a sink that must not see two writers wants on_store_loss: stop", since: l.at });
  }
  for (const r of model.parts.refused || []) {
    if (hold?.refuses === r.word) continue; // said above
    found.push({ id: "denied " + r.host + r.what, level: "bad", what: "Redis refuses " + r.what + " of " + shortHost(r.host), why: r.answer + "; " + r.do, since: r.at });
  }
  for (const t of model.parts.troubles || []) {
    found.push({ id: "trouble " + t.host, level: "warn", what: shortHost(t.host) + ": " + t.what, why: t.do });
  }
  for (const source of model.parts.sources) {
    if (source.stalled?.length) found.push({ id: "stalled " + source.name, level: "bad", what: some(source.stalled) + " of " + source.name + (source.stalled.length > 1 ? " stand still" : " stands still"), why: "listed, but no bytes come in: a frozen publisher, as a rule" });
    if (source.warning) found.push({ id: "warning " + source.name, level: "warn", what: "Source " + source.name, why: source.warning });
    if (source.over) found.push({ id: "over " + source.name, level: "bad", what: plural(source.over, "new stream") + " of " + source.name + " refused", why: "such as " + source.over_example + "; it announces the " + source.max + " it may (max_streams)" });
    if (source.refused) found.push({ id: "refused " + source.name, level: "warn", what: plural(source.refused, "mount") + " of " + source.name + " refused", why: (source.example ? "such as " + source.example + "; " : "") + "nothing runs for them" });
    for (const f of source.differs || []) {
      const force = source.rules ? "v" + source.rules.version + " of " + shortHost(source.rules.by) : "nothing";
      if (f.refused) found.push({ id: "differs " + source.name + f.host, level: "bad", what: shortHost(f.host) + " announces nothing of " + source.name, why: f.refused, since: f.since });
      else found.push({ id: "differs " + source.name + f.host, level: "warn", what: "The file of " + shortHost(f.host) + " differs from the rules of " + source.name, why: f.what + "; in force is " + force + ". stream-api sources diff " + source.name + " " + f.host, since: f.since });
    }
    if (source.state !== "good") found.push({ id: "source " + source.name, level: "bad", what: "Source " + source.name + " is unknown", why: (source.error || "it has not answered yet") + "; its streams stay as they are", since: source.last_good });
  }
  for (const host of model.hosts.values()) {
    if (host.state === "down" && !host.left) found.push({ id: "host " + host.host, level: "bad", what: shortHost(host.host) + " is down", why: "its lease ended" });
  }
  for (const g of slotsInTrouble()) {
    found.push({ id: g.id, level: g.level, what: some(g.slots) + " of " + some(g.keys), why: g.why, since: g.since });
  }
  const absent = new Map();
  for (const m of model.parts.missing) absent.set(m.source, [...(absent.get(m.source) || []), m.key]);
  for (const [source, keys] of absent) {
    found.push({ id: "missing " + source, level: "warn", what: some(keys) + (keys.length > 1 ? " are missing" : " is missing"), why: "source " + source + " expects " + (keys.length > 1 ? "them and nobody publishes them" : "it and nobody publishes it") });
  }
  found.sort((a, b) => rank(a) - rank(b) || order(a) - order(b));
  const more = found.length - maxItems;
  if (more > 0) found.splice(maxItems, more, { id: "more", level: "warn", what: plural(more, "more thing"), why: "filter for them in the table below" });
  render(found);
}

const rank = (item) => item.level === "bad" ? 0 : 1;
// order: the oldest first; what has no age leads what is bad and ends the rest.
const order = (item) => item.since || (item.level === "bad" ? 0 : Number.MAX_VALUE);

// slotsInTrouble puts together what is alike: one slot of several streams for
// one reason, then several slots of the same streams, which as a rule wait for
// the first of them: those that follow, or are only in line.
function slotsInTrouble() {
  const reasons = new Map();
  for (const stream of model.streams.values()) {
    for (const slot of stream.slots) {
      const level = severity(slot);
      if (level !== "warn" && level !== "bad") continue;
      const state = stateOf(slot), silent = { running: "slower than real time: " + slot.speed, failing: "its child failed" };
      const why = slot.reason || silent[state] || "in line";
      const id = [slot.slot, state, why].join("\n");
      if (!reasons.has(id)) reasons.set(id, { level, slots: [slot.slot], why: (state === "running" ? "" : state + ": ") + why, keys: [], since: Infinity,
        follows: slot.state === "pending" && (!slot.reason || slot.code === "needs") });
      const group = reasons.get(id);
      group.keys.push(stream.key);
      group.since = Math.min(group.since, slot.since);
    }
  }
  const groups = new Map();
  for (const g of reasons.values()) {
    const id = g.keys.join("\n"), all = groups.get(id);
    if (!all) {
      groups.set(id, { ...g, id });
      continue;
    }
    all.slots.push(...g.slots);
    all.since = Math.min(all.since, g.since);
    if (g.level === "bad") all.level = "bad";
    if (g.follows) continue;
    all.why = all.follows ? g.why : all.why + "; " + g.slots[0] + " " + g.why;
    all.follows = false;
  }
  return groups.values();
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

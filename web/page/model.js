// What the page knows: the server's picture, kept up to date by its changes.

export const model = {
  streams: new Map(),  // key → stream
  hosts: new Map(),    // name → host
  parts: { sources: [], headroom: null, missing: [], problems: [], more: 0, fragile: [], jobs: null, demo: null },
  events: [],          // newest last
  can: new Set(),
  version: "",
  host: "",
  ready: false,
};

export const maxEvents = 300;

let serverAt = 0, heardAt = 0;

// now is the store's clock, carried on by ours.
export const now = () => serverAt + (performance.now() - heardAt);

function setClock(at) {
  if (at && at !== serverAt) {
    serverAt = at;
    heardAt = performance.now();
  }
}

// applyPicture takes the whole; it returns what may differ.
export function applyPicture(message) {
  const streams = new Set([...model.streams.keys(), ...Object.keys(message.streams)]);
  for (const key of model.streams.keys()) if (!(key in message.streams)) message.streams[key] = null;
  for (const name of model.hosts.keys()) if (!("host:" + name in message.parts)) message.parts["host:" + name] = null;
  applyChange(message);
  model.ready = true;
  return streams;
}

export function applyChange(message) {
  setClock(message.at);
  for (const [key, stream] of Object.entries(message.streams)) {
    if (stream === null) model.streams.delete(key);
    else model.streams.set(key, prepare(stream));
  }
  for (const [name, part] of Object.entries(message.parts)) {
    if (!name.startsWith("host:")) model.parts[name] = part;
    else {
      const host = name.slice(5);
      if (part === null || !model.hosts.has(host)) shorts = new Map();
      if (part === null) model.hosts.delete(host);
      else model.hosts.set(host, part);
    }
  }
  const keys = new Set(Object.keys(message.streams));
  if (message.parts.fragile || keys.size) for (const key of breakable()) keys.add(key);
  return keys;
}

// breakable tells streams which of their instances are fragile, as the server lists them;
// it gives the streams of which that is news.
let fragile = new Map(); // key → instance → why
function breakable() {
  const before = fragile, news = [];
  fragile = new Map();
  for (const f of model.parts.fragile || []) {
    if (!fragile.has(f.stream)) fragile.set(f.stream, new Map());
    fragile.get(f.stream).set(f.instance, f.reason);
  }
  for (const key of new Set([...before.keys(), ...fragile.keys()])) {
    const stream = model.streams.get(key), now = fragile.get(key) || new Map();
    if (!stream || String([...now]) === String([...stream.fragile])) continue;
    model.streams.set(key, { ...stream, fragile: now }); // another object: it is drawn anew
    news.push(key);
  }
  return news;
}

// addEvent keeps events once and in order; it tells whether this one is new.
export function addEvent(event) {
  const last = model.events.at(-1);
  if (last && !later(event.id, last.id)) return false;
  model.events.push(event);
  if (model.events.length > maxEvents) model.events.shift();
  return true;
}

function later(a, b) {
  const [am, an] = a.split("-").map(Number), [bm, bn] = b.split("-").map(Number);
  return am > bm || am === bm && an > bn;
}

// prepare adds what filtering and showing need, once per change.
function prepare(stream) {
  // A slot is shown as the instance that leads it, its others beside that.
  stream.bySlot = new Map(stream.slots.filter((slot) => slot.lead).map((slot) => [slot.slot, slot]));
  for (const slot of stream.slots) if (!stream.bySlot.has(slot.slot)) stream.bySlot.set(slot.slot, slot);
  for (const slot of stream.slots) slot.others = stream.slots.filter((o) => o.slot === slot.slot && o !== slot);
  stream.fragile = new Map();
  stream.trouble = stream.slots.some((slot) => severity(slot) !== "ok");
  stream.haystack = [stream.key, stream.source, stream.reason || "", stream.held ? "held" : "", stream.switched_on || stream.switched_off ? "switched" : "",
    ...(stream.down?.length ? ["down"] : []), ...(stream.degraded?.length ? ["degraded"] : []),
    ...stream.slots.flatMap((s) => [s.name, stateOf(s), s.host, s.reason, s.stale ? "stale" : "", s.pin ? "pinned" : ""]),
    ...Object.values(stream.vars)].join("\n").toLowerCase();
  return stream;
}

// copiesOf is how many instances a slot is to have and how many of them run. One and its
// successor are one: they have the number of their copy, or a host, in common.
export function copiesOf(slot) {
  const places = new Map();
  for (const one of [slot, ...slot.others]) {
    if (one.state === "stopping") continue;
    const at = one.instance.includes("@") ? one.instance : one.copy;
    places.set(at, places.get(at) || stateOf(one) === "running");
  }
  return { wanted: places.size, running: [...places.values()].filter(Boolean).length };
}

// levelOf is the severity of a slot as a whole: while something of it runs it is degraded
// at worst.
export function levelOf(stream, slot) {
  return stream.degraded?.includes(slot.slot) ? "warn" : severity(slot);
}

// besideText says with which copies an instance is that it should be apart from.
export const besideText = (slot) => slot.together ? "together with " + slot.together.with.join(", ") + (slot.together.by ? " by hand: " + slot.host + ", by " + slot.together.by : ": one moves away when another host has room") : "";

// farFrom names what an instance wishes to be near to and is far from.
export const farFrom = (slot) => Object.entries(slot.near || {}).filter(([, distance]) => distance === "far").map(([target]) => target).join(", ");

export const speedOf = (slot) => slot.speed ? parseFloat(slot.speed) : NaN;

// stateOf is the state in one word: the phase of a running slot that has one. What
// is unready starts still.
export const stateOf = (slot) => slot.state !== "running" || !slot.phase ? slot.state : slot.phase === "unready" ? "starting" : slot.phase;

// severity: ok, info (on its way), warn, bad. That of a reason is the server's, by
// its code.
export function severity(slot) {
  switch (slot.state) {
  case "running":
    if (slot.phase === "failing") return "bad";
    if (slot.phase === "starting" || slot.phase === "unready") return slot.severity || "info";
    if (slot.reason && slot.severity !== "info") return slot.severity;
    return speedOf(slot) < 0.95 ? "warn" : "ok";
  case "assigned": return "info";
  case "stopping": return "idle";
  default: return slot.exit || slot.severity === "bad" ? "bad" : "warn";
  }
}

// shortHost is what tells a host apart: the first label of its name, or, where
// others have the same, all but what every host's name ends in.
let shorts = new Map();
export function shortHost(name) {
  if (!shorts.size) shorts = shortNames([...model.hosts.keys()]);
  return shorts.get(name) || name;
}

const isAddress = (name) => /^[\d.]+$/.test(name) || name.includes(":");
const firstLabel = (name) => name.split(".")[0];

function shortNames(names) {
  const times = new Map(), suffix = commonSuffix(names);
  for (const name of names) times.set(firstLabel(name), (times.get(firstLabel(name)) || 0) + 1);
  return new Map(names.map((name) => {
    if (isAddress(name)) return [name, name];
    if (times.get(firstLabel(name)) === 1) return [name, firstLabel(name)];
    return [name, suffix && name.length > suffix.length ? name.slice(0, -suffix.length) : name];
  }));
}

function commonSuffix(names) {
  if (names.length < 2 || names.some(isAddress)) return "";
  let parts = names[0].split(".").slice(1);
  while (parts.length && !names.every((n) => n.endsWith("." + parts.join(".")))) parts = parts.slice(1);
  return parts.length ? "." + parts.join(".") : "";
}

// switched tells of the slots that an operator switched on or off.
export function switched(stream) {
  return [...(stream.switched_on || []).map((s) => s + " switched on"), ...(stream.switched_off || []).map((s) => s + " switched off")].join(", ");
}

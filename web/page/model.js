// What the page knows: the server's picture, kept up to date by its changes.

export const model = {
  streams: new Map(),  // key → stream
  hosts: new Map(),    // name → host
  parts: { sources: [], hold: null, headroom: null, missing: [], demo: null },
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
    else if (part === null) model.hosts.delete(name.slice(5));
    else model.hosts.set(name.slice(5), part);
  }
  return new Set(Object.keys(message.streams));
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
  stream.bySlot = new Map(stream.slots.map((slot) => [slot.slot, slot]));
  stream.trouble = stream.slots.some((slot) => severity(slot) !== "ok");
  stream.haystack = [stream.key, stream.source, stream.reason || "", stream.held ? "held" : "",
    ...stream.slots.flatMap((s) => [s.slot, s.state, s.host, s.reason, s.stale ? "stale" : "", s.pin ? "pinned" : ""]),
    ...Object.values(stream.vars)].join("\n").toLowerCase();
  return stream;
}

export const speedOf = (slot) => slot.speed ? parseFloat(slot.speed) : NaN;

// severity: ok, info (on its way), warn, bad.
export function severity(slot) {
  switch (slot.state) {
  case "running":
    // Its child ended and is started again and again; but without a publisher
    // that says nothing of it.
    if (slot.reason) return slot.exit && !slot.reason.includes("counts for nothing") ? "bad" : "warn";
    return speedOf(slot) < 0.95 ? "warn" : "ok";
  case "assigned": return "info";
  case "stopping": return "idle";
  default: return slot.exit ? "bad" : "warn";
  }
}

// short takes off what all hosts' names end in.
let suffix = "", suffixOf = "";
export function shortHost(name) {
  const names = [...model.hosts.keys()];
  const id = names.join();
  if (id !== suffixOf) {
    suffixOf = id;
    suffix = commonSuffix(names);
  }
  return suffix && name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : name;
}

function commonSuffix(names) {
  if (names.length < 2 || names.some((n) => /^[\d.:]+$/.test(n))) return "";
  let parts = names[0].split(".").slice(1);
  while (parts.length && !names.every((n) => n.endsWith("." + parts.join(".")))) parts = parts.slice(1);
  return parts.length ? "." + parts.join(".") : "";
}

// Hosts with what they offer and hold.
import { el, put, mark, age, byName, button, plural } from "./words.js";
import { model, now, shortHost } from "./model.js";
import { confirm, act } from "./actions.js";

const root = document.getElementById("host-list");
const cards = new Map();

function makeCard(name) {
  const title = el("h3"), badge = el("span", "badge"), lease = el("span", "lease"), labels = el("p", "labels");
  const services = el("div", "services"), held = el("details", "held");
  const summary = el("summary"), chips = el("div", "chips");
  held.append(summary, chips);
  const state = button("", "small", () => changeState(name)), drain = button("Drain", "small", () => drainHost(name));
  const tools = el("div", "row-tools", state, drain);
  const node = el("article", "card host", el("div", "card-head", title, badge, lease), labels, services, held, tools);
  node.dataset.host = name;
  const card = { node, title, badge, lease, labels, services, held, summary, chips, state, drain, bars: new Map() };
  held.addEventListener("toggle", () => fillHeld(card, name));
  return card;
}

function changeState(name) {
  const host = model.hosts.get(name);
  if (!host) return;
  if (host.state === "up") {
    confirm({ title: "Cordon " + name + "?", text: "It keeps what it has and takes nothing new.", verb: "Cordon", go: () => act("hosts/cordon", { host: name }) });
  } else {
    confirm({ title: "Uncordon " + name + "?", text: "It takes slots again.", verb: "Uncordon", go: () => act("hosts/uncordon", { host: name }) });
  }
}

function drainHost(name) {
  const n = heldBy(name).length;
  confirm({ title: "Drain " + name + "?", text: "It takes nothing new and hands over " + (n ? "its " + plural(n, "slot") : "what it holds") + " to hosts with room.",
    verb: "Drain", danger: true, go: () => act("hosts/drain", { host: name }) });
}

export function heldBy(name) {
  const out = [];
  for (const stream of model.streams.values()) for (const slot of stream.slots) if (slot.host === name) out.push([stream.key, slot]);
  return out;
}

export function updateHosts() {
  const names = [...model.hosts.keys()].sort(byName);
  for (const [name, card] of cards) if (!model.hosts.has(name)) { card.node.remove(); cards.delete(name); }
  const counts = new Map();
  for (const stream of model.streams.values()) for (const slot of stream.slots) if (slot.host) counts.set(slot.host, (counts.get(slot.host) || 0) + 1);
  names.forEach((name, i) => {
    if (!cards.has(name)) cards.set(name, makeCard(name));
    const card = cards.get(name);
    if (root.children[i] !== card.node) root.insertBefore(card.node, root.children[i] || null);
    patch(card, model.hosts.get(name), counts.get(name) || 0);
  });
  put(document.getElementById("hosts-count"), plural(names.length, "host"));
  if (!names.length && model.ready) put(document.getElementById("hosts-count"), "none yet: stream-api run -c FILE starts one");
}

function patch(card, host, held) {
  put(card.title, shortHost(host.host));
  mark(card.title, "title", host.host + (host.version ? ", version " + host.version : ""));
  const state = host.left ? "left" : host.state;
  mark(card.node, "data-state", state);
  put(card.badge, state);
  put(card.state, host.state === "up" ? "Cordon" : "Uncordon");
  const labels = Object.entries(host.labels || {}).sort((a, b) => byName(a[0], b[0]));
  put(card.labels, labels.map(([label, value]) => label + " " + value).join(" · "));
  card.labels.hidden = !labels.length;
  card.drain.hidden = host.state === "draining" || host.state === "down";
  card.state.hidden = host.state === "down";
  put(card.summary, held ? "holds " + plural(held, "slot") : "holds nothing");
  card.end = host.lease_end;
  card.left = host.left;
  const seen = new Set(), pools = host.pools || [];
  [...pools, ...host.services].forEach((row, i) => {
    const at = row.pool ? "pool " + row.pool : row.type;
    seen.add(at);
    if (!card.bars.has(at)) card.bars.set(at, row.pool ? makePool(row.pool) : makeBar(host.host, row.type));
    const bar = card.bars.get(at);
    if (card.services.children[i] !== bar.node) card.services.insertBefore(bar.node, card.services.children[i] || null);
    if (row.pool) patchPool(bar, row); else patchBar(bar, row, host);
  });
  for (const [type, bar] of card.bars) if (!seen.has(type)) { bar.node.remove(); card.bars.delete(type); }
  if (card.held.open) fillHeld(card, host.host);
  tickCard(card, now());
}

function makeBar(host, type) {
  const name = el("span", "type", type), fill = el("span", "fill"), number = el("span", "number"), note = el("span", "note");
  const track = el("span", "track", fill);
  track.setAttribute("role", "meter");
  track.setAttribute("aria-label", "slots of " + type);
  track.setAttribute("aria-valuemin", "0");
  // What a host polls has no capacity to change.
  const node = type === "source" ? el("div", "bar") : button("", "bar", () => setCapacity(host, type));
  if (type === "source") track.style.visibility = "hidden"; // it keeps the figures in line
  node.replaceChildren(name, track, number, note);
  return { node, track, fill, number, note };
}

// A pool is what services share: a bar that nobody can press, its size is the file's.
function makePool(pool) {
  const name = el("span", "type", pool), fill = el("span", "fill"), number = el("span", "number"), note = el("span", "note", "pool");
  const track = el("span", "track", fill);
  track.setAttribute("role", "meter");
  track.setAttribute("aria-label", "taken of the pool " + pool);
  track.setAttribute("aria-valuemin", "0");
  return { node: el("div", "bar", name, track, number, note), track, fill, number, note };
}

function patchPool(bar, pool) {
  const width = ((pool.size > 0 ? Math.min(1, pool.used / pool.size) : 1) * 100).toFixed(1) + "%";
  mark(bar.node, "data-level", pool.used > pool.size ? "bad" : pool.used === pool.size ? "warn" : "ok");
  if (bar.width !== width) { bar.width = width; bar.fill.style.width = width; }
  put(bar.number, pool.used + " / " + pool.size);
  mark(bar.track, "aria-valuenow", String(pool.used));
  mark(bar.track, "aria-valuemax", String(pool.size));
  put(bar.note, pool.used > pool.size ? "pool, over-full" : "pool");
}

function patchBar(bar, service, host) {
  const limit = service.capacity;
  const part = limit === null ? (service.used ? 0.15 : 0) : limit > 0 ? Math.min(1, service.used / limit) : 1;
  const over = limit !== null && service.used > limit; // what is told of a service need not keep anything from it
  const level = over || service.reason && service.severity !== "warn" ? "bad" : service.reason || service.used === limit ? "warn" : "ok";
  mark(bar.node, "data-level", level);
  mark(bar.node, "data-open", limit === null ? "" : null);
  const width = (part * 100).toFixed(1) + "%";
  if (bar.width !== width) { bar.width = width; bar.fill.style.width = width; }
  if (service.type === "source") put(bar.number, "polls");
  else put(bar.number, limit === null ? service.used + " / ∞" : service.used + " / " + limit);
  mark(bar.track, "aria-valuenow", String(service.used));
  mark(bar.track, "aria-valuemax", String(limit === null ? service.used : limit));
  const notes = [];
  if (service.reason) notes.push(service.reason);
  else if (service.state !== host.state) notes.push(service.state);
  if (service.filter) notes.push("only " + service.filter);
  const uses = Object.entries(service.uses || {}).map(([pool, amount]) => amount + " " + pool);
  if (uses.length) notes.push("each uses " + uses.join(", "));
  put(bar.note, notes.join(" · "));
  if (service.type !== "source") mark(bar.node, "title", "Change the capacity of " + service.type + " on " + host.host);
}

function setCapacity(host, type) {
  const service = model.hosts.get(host)?.services.find((s) => s.type === type);
  if (!service) return;
  const input = el("input");
  input.type = "number"; input.min = "0"; input.max = "1000000"; input.value = service.capacity === null ? "" : String(service.capacity);
  input.placeholder = "no limit";
  confirm({ title: "Capacity of " + type + " on " + shortHost(host), text: service.used + " in use. What runs goes on, even above a lower capacity. Empty means no limit; the number stays until the host's file says another.",
    fields: [["Slots at once", input]], verb: "Set",
    go: () => act("services/set", { type, host, capacity: input.value === "" ? null : Number(input.value) }) });
}

const maxChips = 200;
function fillHeld(card, name) {
  if (!card.held.open) return;
  const all = heldBy(name).sort((a, b) => byName(a[0], b[0]));
  const text = all.slice(0, maxChips).map(([key, slot]) => key + " " + slot.name);
  if (card.heldText === text.join("\n")) return;
  card.heldText = text.join("\n");
  card.chips.replaceChildren(...text.map((t) => el("span", "chip", t)));
  if (all.length > maxChips) card.chips.append(el("span", "chip", "and " + (all.length - maxChips) + " more"));
}

function tickCard(card, at) {
  let text = card.left ? "ended as it was told to" : "no lease";
  if (card.end) text = card.end > at ? "lease ends in " + Math.ceil((card.end - at) / 1000) + " s" : "lease ended " + age(at - card.end) + " ago";
  put(card.lease, text);
  // Late is what has less than a third left of what it had at its best: how
  // long leases are is each host's own affair.
  card.best = Math.max(card.best || 0, card.end - at);
  mark(card.lease, "data-late", card.end && card.end - at < card.best / 3 ? "" : null);
}

export function tickHosts() {
  const at = now();
  for (const card of cards.values()) tickCard(card, at);
}

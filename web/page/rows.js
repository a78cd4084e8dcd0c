// The streams' tables: rows and cells are made once and patched by key.
import { el, put, mark, brief, byName, plural } from "./words.js";
import { model, now, levelOf, besideText, copiesOf, farFrom, shortHost, stateOf, switched } from "./model.js";
import { layout, chainOf } from "./layout.js";
import { openSlot, openStream } from "./drawer.js";

const maxRows = 1000; // more are found by the filter

const root = document.getElementById("grids");
const rows = new Map();  // key → row
let tables = [], shape = "";
let filter = [], onlyTrouble = false;

const glyphs = { running: "●", pending: "◇", assigned: "◔", starting: "◔", failing: "○", stopping: "◌" };

export function setFilter(text, troubled) {
  filter = text.toLowerCase().split(/\s+/).filter(Boolean);
  onlyTrouble = troubled;
  arrange();
}

export const wanted = (haystack) => filter.every((word) => haystack.includes(word));

function passes(stream) {
  return (!onlyTrouble || stream.trouble) && wanted(stream.haystack);
}

// missingStreams stand in the table like streams, with nothing in them.
function missingStreams() {
  return model.parts.missing.filter((m) => !model.streams.has(m.key)).map((m) => ({
    key: m.key, source: m.source, chain: [], slots: [], bySlot: new Map(), vars: {}, missing: true, trouble: true,
    haystack: (m.key + "\n" + m.source + "\nmissing").toLowerCase(),
  }));
}

// arrange makes the tables and the rows' order right. It is needed when
// streams come, go or change their chain, and when the filter changes.
export function arrange() {
  const absent = missingStreams();
  const all = [...model.streams.values(), ...absent].sort((a, b) => byName(a.key, b.key));
  const plan = layout(model.streams.values());
  if (!plan.length) plan.push({ columns: [], chains: new Set([""]) });
  const newShape = JSON.stringify(plan.map((t) => t.columns));
  if (newShape !== shape) {
    shape = newShape;
    tables = plan.map(makeTable);
    root.replaceChildren(...tables.map((t) => t.node));
    rows.clear();
  }
  const shown = all.filter(passes).slice(0, maxRows);
  const keep = new Set(shown.map((s) => s.key));
  for (const [key, row] of rows) {
    if (!keep.has(key)) { row.node.remove(); rows.delete(key); }
  }
  const groups = tables.map(() => []);
  for (const stream of shown) {
    const id = chainOf(stream).join();
    let at = stream.missing ? 0 : plan.findIndex((t) => t.chains.has(id));
    if (at < 0) at = 0;
    groups[at].push(rowOf(stream, tables[at]).node);
  }
  tables.forEach((table, i) => {
    order(table.body, groups[i]);
    table.node.hidden = !groups[i].length;
  });
  count(all.length, all.filter(passes).length);
  holdFocus();
}

// order makes the children of parent be nodes with as few moves as may be.
function order(parent, nodes) {
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function count(all, passing) {
  let text = passing === all ? plural(all, "stream") : passing + " of " + plural(all, "stream");
  if (passing > maxRows) text += ", the first " + maxRows + " shown";
  put(document.getElementById("streams-count"), text);
  const nothing = document.getElementById("nothing");
  nothing.hidden = passing > 0;
  put(nothing, all ? "Nothing matches the filter." : model.ready ? "No stream is live. As soon as somebody publishes one, it appears here." : "Reading…");
}

function makeTable(plan) {
  const head = el("div", "row heads");
  head.setAttribute("role", "row");
  for (const name of ["stream", ...plan.columns]) {
    const cell = el("div", "cell", name);
    cell.setAttribute("role", "columnheader");
    cell.title = name; // a long one is cut
    head.append(cell);
  }
  const body = el("div", "rows");
  body.setAttribute("role", "rowgroup");
  const node = el("div", "table", head, body);
  node.setAttribute("role", "grid");
  node.setAttribute("aria-label", "Streams and their slots; arrow keys move, Enter opens");
  node.style.setProperty("--slots", Math.max(1, plan.columns.length));
  return { node, body, columns: plan.columns };
}

function rowOf(stream, table) {
  let row = rows.get(stream.key);
  if (row && row.table !== table) { row.node.remove(); row = null; }
  if (!row) {
    row = makeRow(stream, table);
    rows.set(stream.key, row);
  }
  patch(row, stream);
  return row;
}

function makeRow(stream, table) {
  const name = el("span", "key", stream.key), note = el("span", "note");
  const first = el("div", "cell stream", name, note);
  first.setAttribute("role", "rowheader");
  first.tabIndex = -1;
  const node = el("div", "row", first);
  node.setAttribute("role", "row");
  node.dataset.key = stream.key;
  const row = { node, name, note, first, table, cells: new Map(), stream: null };
  if (stream.missing) {
    row.gap = el("div", "cell gap");
    row.gap.setAttribute("role", "gridcell");
    node.append(row.gap);
    return row;
  }
  for (const slot of table.columns) {
    const cell = makeCell(slot);
    row.cells.set(slot, cell);
    node.append(cell.node);
  }
  return row;
}

function makeCell(slot) {
  const glyph = el("span", "glyph"), who = el("span", "who"), time = el("span", "time");
  const detail = el("span", "detail"), copies = el("span", "copies"), marks = el("span", "marks");
  glyph.setAttribute("aria-hidden", "true");
  const node = el("div", "cell slot", el("span", "line", glyph, el("span", "label", slot), who, copies, time), marks, detail);
  node.setAttribute("role", "gridcell");
  node.dataset.slot = slot;
  node.tabIndex = -1;
  return { node, glyph, who, copies, time, marks, detail, since: 0, label: "" };
}

function patch(row, stream) {
  if (row.stream === stream) return;
  row.stream = stream;
  mark(row.node, "data-missing", stream.missing ? "" : null);
  if (stream.missing) {
    put(row.note, "expected by " + stream.source);
    put(row.gap, "missing: nobody publishes it");
    return;
  }
  const notes = [];
  if (stream.held) notes.push("held");
  if (switched(stream)) notes.push(switched(stream));
  if (stream.priority) notes.push("priority " + stream.priority);
  notes.push(stream.source || "no source");
  put(row.note, notes.join(" · "));
  mark(row.node, "data-held", stream.held ? "" : null);
  mark(row.first, "title", stream.reason || null);
  for (const [slot, cell] of row.cells) patchCell(cell, stream.bySlot.get(slot), stream, slot);
}

function patchCell(cell, slot, stream, name) {
  if (!slot) {
    mark(cell.node, "data-level", "none");
    cell.since = 0;
    put(cell.glyph, "");
    put(cell.who, stream.chain.includes(name) ? "not begun" : "");
    put(cell.copies, "");
    patchMarks(cell, []);
    put(cell.time, "");
    put(cell.detail, "");
    mark(cell.node, "title", null);
    return;
  }
  mark(cell.node, "data-level", levelOf(stream, slot));
  mark(cell.node, "data-state", slot.state);
  put(cell.glyph, glyphs[stateOf(slot)] || "◇");
  put(cell.who, stateOf(slot) === "running" ? shortHost(slot.host) : slot.state === "pending" ? "pending" : stateWord(slot));
  const copies = copiesOf(slot), marks = marksOf(stream, slot);
  put(cell.copies, copies.wanted > 1 ? copies.running + "/" + copies.wanted : "");
  mark(cell.copies, "title", copies.wanted > 1 ? copies.running + " of " + copies.wanted + " copies run" : null);
  patchMarks(cell, marks);
  put(cell.detail, details(slot));
  const said = [...marks.map((m) => m.why), slot.reason || (slot.host ? stateOf(slot) + " on " + slot.host : ""), slot.pin && "pinned to " + slot.pin];
  mark(cell.node, "title", said.filter(Boolean).join("; ") || null);
  cell.since = slot.since;
  tickCell(cell, now());
}

// marksOf are what is to be known of a slot that runs as it should: each a word, and why.
function marksOf(stream, slot) {
  const marks = [], beside = stream.items?.[slot.slot]?.with;
  if (beside && slot.host) marks.push({ word: "follows " + beside, why: "it runs where " + beside + " runs" });
  const far = [slot, ...slot.others].map(farFrom).find(Boolean);
  if (far) marks.push({ word: "far", why: "far from " + far });
  const together = [slot, ...slot.others].find((one) => one.together);
  if (together) marks.push({ word: "together", why: besideText(together), warns: !together.together.by });
  const frail = [slot, ...slot.others].find((one) => stream.fragile.has(one.instance));
  if (frail) marks.push({ word: "fragile", why: "it runs, and would have no place again: " + stream.fragile.get(frail.instance), warns: true });
  return marks;
}

function patchMarks(cell, marks) {
  const said = marks.map((m) => m.word + "\n" + m.why).join("\n");
  if (cell.said === said) return;
  cell.said = said;
  cell.marks.replaceChildren(...marks.map((m) => {
    const node = el("span", "mark-word", m.word);
    node.title = m.why;
    if (m.warns) node.dataset.level = "warn";
    return node;
  }));
}

function stateWord(slot) {
  const words = { assigned: "starts", starting: "starts", failing: "fails" };
  return (words[stateOf(slot)] || "stops") + " on " + shortHost(slot.host);
}

function details(slot) {
  const bits = [];
  for (const o of slot.others) {
    if (o.state === "stopping") bits.push(stateWord(o));
    else bits.push(o.name + (o.host ? " on " + shortHost(o.host) : "") + ": " + (stateOf(o) === "running" ? "running" : stateOf(o) + (o.reason ? ", " + o.reason : "")));
  }
  if (slot.state !== "running" || slot.reason) {
    if (slot.reason) bits.push(slot.reason);
    else if (slot.state === "pending") bits.push("in line");
  } else {
    if (slot.speed) bits.push(/x$/.test(slot.speed) ? slot.speed : slot.speed + "x");
    if (slot.fps) bits.push(slot.fps + " fps");
  }
  if (slot.restarts) bits.push("↻ " + slot.restarts);
  if (slot.stale) bits.push("stale");
  if (slot.pin) bits.push("pinned");
  return bits.join(" · ");
}

function tickCell(cell, at) {
  const label = cell.since ? brief(at - cell.since) : "";
  if (label !== cell.label) {
    cell.label = label;
    put(cell.time, label);
  }
}

// tick carries the running times on.
export function tick() {
  const at = now();
  for (const row of rows.values()) for (const cell of row.cells.values()) if (cell.since) tickCell(cell, at);
}

// update patches the rows of the streams that changed; it arranges anew only
// if it must.
export function update(keys) {
  let again = false;
  for (const key of keys) {
    const stream = model.streams.get(key), row = rows.get(key);
    if (!stream || !row) { again = again || Boolean(stream ? passes(stream) : row); continue; }
    if (row.stream?.missing || !passes(stream) || chainOf(stream).some((slot) => !row.cells.has(slot))) again = true;
    else patch(row, stream);
  }
  if (again) arrange();
}

// One cell of all tables takes part in tabbing; the arrow keys move it.
let spot = { key: "", column: 0 };

function cellsOf(row) { return [...row.children].filter((c) => c.hasAttribute("tabindex")); }

function holdFocus() {
  const row = rows.get(spot.key)?.node || root.querySelector(".rows .row");
  if (!row) return;
  spot.key = row.dataset.key;
  point(cellsOf(row)[spot.column] || cellsOf(row)[0]);
}

let pointed = null;
function point(cell) {
  if (!cell || cell === pointed) return;
  if (pointed) pointed.tabIndex = -1;
  pointed = cell;
  cell.tabIndex = 0;
}

root.addEventListener("keydown", (event) => {
  const cell = event.target.closest(".rows .cell");
  if (!cell) return;
  const row = cell.parentElement, cells = cellsOf(row), at = cells.indexOf(cell);
  const all = [...root.querySelectorAll(".rows .row")], r = all.indexOf(row);
  const go = { ArrowRight: [r, at + 1], ArrowLeft: [r, at - 1], ArrowDown: [r + 1, at], ArrowUp: [r - 1, at],
    Home: [r, 0], End: [r, cells.length - 1], PageDown: [Math.min(r + 10, all.length - 1), at], PageUp: [Math.max(r - 10, 0), at] }[event.key];
  if (go) {
    event.preventDefault();
    const target = all[go[0]] && cellsOf(all[go[0]]);
    (target?.[go[1]] || target?.[0] && target[Math.min(go[1], target.length - 1)])?.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open(cell);
  }
});

root.addEventListener("focusin", (event) => {
  const cell = event.target.closest(".rows .cell[tabindex]");
  if (!cell) return;
  spot = { key: cell.parentElement.dataset.key, column: cellsOf(cell.parentElement).indexOf(cell) };
  point(cell);
});

root.addEventListener("click", (event) => {
  const cell = event.target.closest(".rows .cell");
  if (cell) open(cell);
});

function open(cell) {
  const key = cell.parentElement.dataset.key, stream = model.streams.get(key);
  if (!stream) return;
  if (cell.dataset.slot && stream.bySlot.has(cell.dataset.slot)) openSlot(key, cell.dataset.slot);
  else openStream(key);
}

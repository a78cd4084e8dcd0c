// The panel of one slot or one stream.
import { el, put, age, timeOfDay, button, link, byName } from "./words.js";
import { model, now, besideText, copiesOf, farFrom, stateOf, switched } from "./model.js";
import { confirm, act } from "./actions.js";

const dialog = document.getElementById("drawer");
let open = null;   // {key, slot}
let reading = null; // of the log

export function openSlot(key, slot) { show({ key, slot }); }
export function openStream(key) { show({ key, slot: "" }); }

function show(what) {
  stopLog();
  open = what;
  render();
  if (!dialog.open) dialog.showModal();
  document.getElementById("drawer-title").focus(); // not on a button, which a held Enter would press
  if (what.slot && model.can.has("logs")) startLog();
}

dialog.addEventListener("close", () => { open = null; stopLog(); });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// refresh is called when streams changed.
export function refresh(keys) {
  if (open && keys.has(open.key)) render();
}

// patchFacts makes a list show rows of a name, a text and what makes a node of
// the text. Rows that say the same are left alone, with the reader's focus and
// selection in them.
function patchFacts(list, wanted) {
  list.rows ??= new Map();
  wanted = wanted.filter(([, text]) => text !== "" && text !== null && text !== undefined);
  const names = new Set(wanted.map(([name]) => name));
  for (const [name, row] of list.rows) if (!names.has(name)) { row.dt.remove(); row.dd.remove(); list.rows.delete(name); }
  let at = list.firstChild;
  for (const [name, text, make] of wanted) {
    let row = list.rows.get(name);
    if (!row) {
      row = { dt: el("dt", "", name), dd: el("dd") };
      list.rows.set(name, row);
    }
    if (row.dt === at) at = row.dd.nextSibling;
    else list.insertBefore(row.dd, list.insertBefore(row.dt, at).nextSibling);
    if (row.text === text) continue;
    row.text = text;
    row.dd.replaceChildren(make ? make(text) : String(text));
  }
}

function patchVariables(vars) {
  const names = Object.keys(vars).sort(byName);
  patchFacts(shell.vars, names.map((name) => [name, vars[name], link]));
  shell.noVars.hidden = names.length > 0;
}

let shell = null; // what stays while the stream changes

function makeShell(id) {
  const title = el("h2", "", open.slot ? open.key + " · " + open.slot : open.key);
  title.id = "drawer-title";
  title.tabIndex = -1;
  shell = { id, gone: el("p", "hint", "It is gone."), facts: el("dl", "facts"), wordsTitle: el("h3", "", "Its last words"), words: el("pre", "stderr"),
    vars: el("dl", "facts"), noVars: el("p", "hint", "none"), age: el("span"), since: 0, tools: el("div", "buttons"), log: el("pre", "log"), logNote: el("p", "hint") };
  shell.log.tabIndex = 0;
  shell.log.setAttribute("aria-label", "Log");
  const close = button("Close", "plain", () => dialog.close());
  shell.body = el("div", "body", shell.facts, shell.wordsTitle, shell.words, el("h3", "", open.slot ? "Published variables" : "Variables"), shell.vars, shell.noVars);
  shell.logPart = el("section", "logpart", el("h3", "", "Log"), shell.logNote, shell.log);
  shell.logPart.hidden = !open.slot || !model.can.has("logs");
  dialog.replaceChildren(el("div", "drawer-head", title, close), shell.gone, shell.body, shell.tools, shell.logPart);
  shell.choices = open.slot ? slotTools(open.key, open.slot) : streamTools(open.key);
  shell.tools.append(...shell.choices.map(([tool]) => tool));
}

function render() {
  const stream = model.streams.get(open.key), slot = stream?.bySlot.get(open.slot);
  const id = open.key + "\n" + open.slot;
  if (!shell || shell.id !== id) makeShell(id);
  const there = Boolean(open.slot ? slot : stream);
  shell.gone.hidden = there;
  shell.body.hidden = shell.tools.hidden = !there;
  if (!there) return;
  for (const [tool, fits] of shell.choices) tool.hidden = Boolean(fits) && !fits(stream, slot);
  const words = slot?.stderr?.join("\n") || "";
  shell.wordsTitle.hidden = shell.words.hidden = !words;
  put(shell.words, words);
  patchFacts(shell.facts, slot ? slotFacts(stream, slot) : streamFacts(stream));
  patchVariables(slot ? slot.vars : stream.vars);
  shell.since = slot ? slot.since : 0;
  tickDrawer();
}

function slotFacts(stream, slot) {
  const item = stream.items?.[slot.slot] || {}, copies = copiesOf(slot), site = model.hosts.get(slot.host)?.labels?.site;
  return [["State", stateOf(slot)], ["For", "its age", () => shell.age], ["Host", slot.host + (site ? " (site " + site + ")" : "")],
    ["Leads", copies.wanted > 1 ? slot.instance : ""], ["Copies", copies.wanted > 1 ? copies.running + " of " + copies.wanted + " run" : ""],
    ["Others", slot.others.map((o) => o.instance + (o.host ? " on " + o.host : "") + ": " + stateOf(o) + (o.reason ? ", " + o.reason : "")).join("; ")],
    ["Apart", item.apart && "copies never share a " + item.apart], ["Not apart", besideText(slot)], ["Runs beside", item.with], ["Far from", farFrom(slot)],
    ["Fragile", stream.fragile.get(slot.instance) && "would have no place again: " + stream.fragile.get(slot.instance)], ["Pinned to", slot.pin], ["Reason", slot.reason], ["Restarts", String(slot.restarts)],
    ["Last failure", slot.exit], ["Speed", slot.speed], ["Frames", slot.fps && slot.fps + " fps"],
    ["Environment", slot.stale ? "stale: it would now differ; a restart takes it up" : ""], ["Token", slot.token]];
}

function streamFacts(stream) {
  return [["Source", stream.source], ["Chain", stream.chain.join(" → ")], ["Priority", String(stream.priority)], ["Held", stream.held ? "yes, by an operator" : ""], ["Switched by an operator", switched(stream)], ["Note", stream.reason]];
}

export function tickDrawer() {
  if (open && shell?.since) put(shell.age, age(now() - shell.since));
}

// Tools are buttons, each with when it fits if it does not always.
function slotTools(key, slot) {
  if (!model.can.has("move")) return [];
  return [
    [button("Restart", "", () => confirm({ title: "Restart " + slot + " of " + key + "?", text: "Its children end and start anew on the same host. What depends on it sees a short gap.",
      verb: "Restart", go: () => act("streams/restart", { key, slot, stale: false }) }))],
    [button("Move", "", () => askMove(key, slot))],
    [button("Unpin", "", () => confirm({ title: "Unpin " + slot + " of " + key + "?", text: "It stays where it runs, and may run on any host from now on.",
      verb: "Unpin", go: () => act("streams/unpin", { key, slot }) })), (_, at) => at.pin],
  ];
}

function askMove(key, slot) {
  const current = model.streams.get(key)?.bySlot.get(slot);
  const select = el("select");
  select.append(new Option("any other host with room", ""));
  for (const host of [...model.hosts.values()].sort((a, b) => byName(a.host, b.host))) {
    const service = host.services.find((s) => s.type === (current?.type || slot));
    if (!service || host.state !== "up" || host.host === current?.host) continue;
    const room = service.capacity === null ? "no limit" : (service.capacity - service.used) + " free";
    select.append(new Option(host.host + " (" + room + ")", host.host));
  }
  const pin = el("input");
  pin.type = "checkbox";
  confirm({ title: "Move " + slot + " of " + key + "?", text: "It runs on " + (current?.host || "no host") + " now." + (current?.pin ? " It is pinned to " + current.pin + "." : ""), fields: [["To", select], ["Keep it there (pin)", pin]], verb: "Move",
    go: () => act("streams/move", { key, slot, to: select.value, pin: pin.checked }) });
}

function streamTools(key) {
  const tools = [
    [button("Unhold", "", () => confirm({ title: "Let " + key + " run again?", text: "Its slots go back in line.", verb: "Unhold", go: () => act("streams/unhold", { key }) })), (stream) => stream.held],
    [button("Hold", "", () => confirm({ title: "Hold " + key + "?", text: "All its slots stop, and none starts until you unhold it.", verb: "Hold", danger: true, go: () => act("streams/hold", { key }) })), (stream) => !stream.held],
  ];
  if (model.can.has("restart")) tools.push([button("Restart all", "", () => confirm({ title: "Restart all slots of " + key + "?", text: "Every child of this stream ends and starts anew where it is.", verb: "Restart", danger: true, go: () => act("streams/restart", { key, slot: "", stale: false }) }))]);
  tools.push([button("Set a variable", "", () => askSet(key))]);
  tools.push([button("Remove", "", () => confirm({ title: "Remove " + key + "?", text: "It was added by hand; its slots stop.", verb: "Remove", danger: true, go: () => act("streams/rm", { key }) })), (stream) => stream.source === "manual"]);
  return tools;
}

function textInput(placeholder, pattern) {
  const input = el("input");
  input.type = "text";
  input.placeholder = placeholder;
  if (pattern) { input.pattern = pattern; input.required = true; }
  input.autocomplete = "off";
  return input;
}

function askSet(key) {
  const name = textInput("lang", "[A-Za-z_][A-Za-z0-9_]*"), value = textInput("de");
  confirm({ title: "Set a variable of " + key, text: "It stands over what the source says. An empty value takes yours back.", fields: [["Name", name], ["Value", value]], verb: "Set",
    go: () => act("streams/set", { key, vars: { [name.value]: value.value } }) });
}

export function askAdd() {
  const key = textInput("s1", "[A-Za-z0-9][A-Za-z0-9._~\\-\\/]*"), chain = textInput("dist, transcode", "[a-z0-9_, ]+");
  const first = [...model.streams.values()][0];
  if (first) chain.value = first.chain.join(", ");
  confirm({ title: "Add a stream", text: "It is announced by hand and stays until it is removed.", fields: [["Key", key], ["Chain", chain]], verb: "Add",
    go: () => act("streams/add", { key: key.value, chain: chain.value.split(/[\s,]+/).filter(Boolean) }) });
}

// The log of the open slot, live.
const maxLines = 1000;

async function startLog() {
  const stop = new AbortController(), mine = shell;
  reading = stop;
  put(mine.logNote, "reading…");
  const path = open.key.split("/").map(encodeURIComponent).join("/") + "/" + encodeURIComponent(open.slot);
  try {
    const answer = await fetch("api/v1/logs/" + path + "?tail=200&follow=1", { signal: stop.signal });
    if (!answer.ok) {
      const said = await answer.json();
      mine.logNote.replaceChildren(said.error || "the server answered " + answer.status);
      if (said.url) mine.logNote.append(" ", link(said.url));
      return;
    }
    put(mine.logNote, "");
    await readLines(answer.body.getReader(), (lines) => addLog(mine.log, lines));
    put(mine.logNote, "the log has ended");
  } catch (error) {
    if (!stop.signal.aborted) put(mine.logNote, "the log broke off: " + error.message);
  }
}

async function readLines(reader, each) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    each(lines.filter(Boolean).map((line) => JSON.parse(line)));
  }
}

function addLog(log, lines) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(...lines.map((line) => {
    const node = el("span", "logline", el("time", "", timeOfDay(Date.parse(line.at))), " ", line.text, "\n");
    node.dataset.mark = line.mark;
    return node;
  }));
  while (log.children.length > maxLines) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function stopLog() {
  reading?.abort();
  reading = null;
  shell = null;
}

// The panel of one slot or one stream.
import { el, put, age, button, link, byName } from "./words.js";
import { model, now } from "./model.js";
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

function facts(pairs) {
  const list = el("dl", "facts");
  for (const [name, value] of pairs) {
    if (value === "" || value === null || value === undefined) continue;
    const dd = el("dd", "", value instanceof Node ? value : String(value));
    list.append(el("dt", "", name), dd);
  }
  return list;
}

function variables(vars) {
  const names = Object.keys(vars).sort(byName);
  if (!names.length) return el("p", "hint", "none");
  return facts(names.map((name) => [name, link(vars[name])]));
}

let shell = null; // what stays while the rest is drawn anew

function render() {
  const stream = model.streams.get(open.key), slot = stream?.bySlot.get(open.slot);
  const id = open.key + "\n" + open.slot;
  if (!shell || shell.id !== id) {
    const title = el("h2", "", open.slot ? open.key + " · " + open.slot : open.key);
    title.id = "drawer-title";
    title.tabIndex = -1;
    shell = { id, body: el("div", "body"), tools: el("div", "buttons"), log: el("pre", "log"), logNote: el("p", "hint") };
    shell.log.tabIndex = 0;
    shell.log.setAttribute("aria-label", "Log");
    const close = button("Close", "plain", () => dialog.close());
    shell.logPart = el("section", "logpart", el("h3", "", "Log"), shell.logNote, shell.log);
    shell.logPart.hidden = !open.slot || !model.can.has("logs");
    dialog.replaceChildren(el("div", "drawer-head", title, close), shell.body, shell.tools, shell.logPart);
    shell.tools.append(...(open.slot ? slotTools(open.key, open.slot) : streamTools(open.key)));
  }
  if (!stream || open.slot && !slot) {
    shell.body.replaceChildren(el("p", "hint", "It is gone."));
    shell.tools.hidden = true;
    return;
  }
  shell.tools.hidden = false;
  shell.body.replaceChildren(...(slot ? slotBody(slot) : streamBody(stream)));
  tickDrawer();
}

function slotBody(slot) {
  shell.age = el("span");
  shell.since = slot.since;
  shell.state = slot.state;
  const out = [facts([["State", slot.state], ["For", shell.age], ["Host", slot.host], ["Reason", slot.reason], ["Restarts", String(slot.restarts)],
    ["Last failure", slot.exit], ["Speed", slot.speed], ["Frames", slot.fps && slot.fps + " fps"],
    ["Environment", slot.stale ? "stale: it would now differ; a restart takes it up" : ""], ["Token", slot.token]])];
  if (slot.stderr?.length) out.push(el("h3", "", "Its last words"), el("pre", "stderr", slot.stderr.join("\n")));
  out.push(el("h3", "", "Published variables"), variables(slot.vars));
  return out;
}

function streamBody(stream) {
  shell.age = null;
  const out = [facts([["Source", stream.source], ["Chain", stream.chain.join(" → ")], ["Priority", String(stream.priority)], ["Held", stream.held ? "yes, by an operator" : ""], ["Note", stream.reason]])];
  out.push(el("h3", "", "Variables"), variables(stream.vars));
  return out;
}

export function tickDrawer() {
  if (open && shell?.age) put(shell.age, age(now() - shell.since));
}

function slotTools(key, slot) {
  if (!model.can.has("move")) return [];
  return [
    button("Restart", "", () => confirm({ title: "Restart " + slot + " of " + key + "?", text: "Its children end and start anew on the same host. What depends on it sees a short gap.",
      verb: "Restart", go: () => act("streams/restart", { key, slot, stale: false }) })),
    button("Move", "", () => askMove(key, slot)),
  ];
}

function askMove(key, slot) {
  const current = model.streams.get(key)?.bySlot.get(slot);
  const select = el("select");
  select.append(new Option("any other host with room", ""));
  for (const host of [...model.hosts.values()].sort((a, b) => byName(a.host, b.host))) {
    const service = host.services.find((s) => s.type === slot.replace(/~next$/, ""));
    if (!service || host.state !== "up" || host.host === current?.host) continue;
    const room = service.capacity === null ? "no limit" : (service.capacity - service.used) + " free";
    select.append(new Option(host.host + " (" + room + ")", host.host));
  }
  const pin = el("input");
  pin.type = "checkbox";
  confirm({ title: "Move " + slot + " of " + key + "?", text: "It runs on " + (current?.host || "no host") + " now.", fields: [["To", select], ["Keep it there (pin)", pin]], verb: "Move",
    go: () => act("streams/move", { key, slot, to: select.value, pin: pin.checked }) });
}

function streamTools(key) {
  const stream = model.streams.get(key);
  const tools = [];
  if (stream?.held) tools.push(button("Unhold", "", () => confirm({ title: "Let " + key + " run again?", text: "Its slots go back in line.", verb: "Unhold", go: () => act("streams/unhold", { key }) })));
  else tools.push(button("Hold", "", () => confirm({ title: "Hold " + key + "?", text: "All its slots stop, and none starts until you unhold it.", verb: "Hold", danger: true, go: () => act("streams/hold", { key }) })));
  if (model.can.has("restart")) tools.push(button("Restart all", "", () => confirm({ title: "Restart all slots of " + key + "?", text: "Every child of this stream ends and starts anew where it is.", verb: "Restart", danger: true, go: () => act("streams/restart", { key, slot: "", stale: false }) })));
  tools.push(button("Set a variable", "", () => askSet(key)));
  if (stream?.source === "manual") tools.push(button("Remove", "", () => confirm({ title: "Remove " + key + "?", text: "It was added by hand; its slots stop.", verb: "Remove", danger: true, go: () => act("streams/rm", { key }) })));
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
    const answer = await fetch("/api/v1/logs/" + path + "?tail=200&follow=1", { signal: stop.signal });
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
    const node = el("span", "logline", el("time", "", line.at.slice(11, 19)), " ", line.text, "\n");
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

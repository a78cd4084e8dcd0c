// Keeps the page in touch with the server and draws what changed, once a frame.
import { put, mark, age } from "./words.js";
import { model, applyPicture, applyChange, addEvent } from "./model.js";
import { arrange, update, tick, setFilter } from "./rows.js";
import { summarise, tickAttention } from "./summary.js";
import { updateHosts, tickHosts } from "./hosts.js";
import { updateSources, tickSources, addLines, refilterFeed, updateDemo } from "./sources.js";
import { refresh, tickDrawer, askAdd } from "./drawer.js";

const byId = (id) => document.getElementById(id);

// Drawing: messages note what is to be drawn; a frame draws it.
let changed = new Set(), news = [], parts = false, whole = false, due = false;

function draw() {
  due = false;
  drawn = performance.now();
  if (whole) arrange();
  update(changed);
  refresh(changed);
  if (parts || changed.size) { updateHosts(); summarise(); }
  if (parts) { updateSources(); updateDemo(); }
  if (news.length) addLines(news);
  changed = new Set(); news = []; parts = false; whole = false;
}

// The first change after a quiet moment is drawn at once, a flood of them four
// times a second. A hidden page draws when it is looked at again.
const drawGap = 250;
let drawn = 0;
function schedule() {
  if (due) return;
  due = true;
  setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn + drawGap - performance.now()));
}

// The connection.
let source = null, heard = 0, problem = "", tries = 0, retry = 0, lastID = "";
const silence = 12000; // the server says something every second or so

function connect() {
  clearTimeout(retry);
  source?.close();
  heard = performance.now();
  source = new EventSource("api/v1/events" + (lastID ? "?after=" + encodeURIComponent(lastID) : ""));
  const on = (name, take) => source.addEventListener(name, (event) => {
    heard = performance.now();
    tries = 0;
    take(JSON.parse(event.data));
    live();
  });
  on("hello", greet);
  on("picture", (message) => { problem = ""; changed = new Set([...changed, ...applyPicture(message)]); parts = whole = true; schedule(); });
  on("change", (message) => {
    problem = "";
    const missingBefore = JSON.stringify(model.parts.missing);
    for (const key of applyChange(message)) changed.add(key);
    if (Object.keys(message.parts).length) parts = true;
    if (JSON.stringify(model.parts.missing) !== missingBefore) whole = true;
    schedule();
  });
  on("event", (event) => { lastID = event.id; if (addEvent(event)) { news.push(event); schedule(); } });
  on("beat", (beat) => { problem = beat.problem || ""; });
  source.onerror = lost;
}

function greet(hello) {
  model.can = new Set(hello.can);
  model.host = hello.host;
  // Asynqmon's own links want the root of a name.
  byId("asynqmon").hidden = !model.can.has("asynqmon") || location.pathname !== "/";
  byId("logout").hidden = !model.can.has("logout");
  if (model.version && model.version !== hello.version) updated = true;
  model.version = model.version || hello.version;
}
let updated = false;

function lost() {
  source.close();
  tries++;
  retry = setTimeout(connect, Math.min(3000, 250 * 2 ** tries) * (0.75 + Math.random() / 2));
  live();
  // An ended login looks like any failure to an EventSource.
  if (tries % 3 === 1) fetch("api/v1/picture", { signal: AbortSignal.timeout(5000) }).then((answer) => {
    if (answer.status === 401) location.assign("login");
  }, () => { /* not reachable; the next try says more */ });
}

// live says how old what is seen is, and why.
function live() {
  const old = performance.now() - heard, banner = byId("banner");
  let state = "live", text = "live", warning = "";
  if (tries > 0 || old > silence) {
    state = "lost";
    text = age(old) + " old";
    warning = "The server does not answer. What you see is " + age(old) + " old; trying again…";
  } else if (problem) {
    state = "lost";
    text = "store unreachable";
    warning = "The server cannot read the store: " + problem;
  } else if (old > 4000) { state = "wait"; text = age(old) + " old"; }
  else if (updated) warning = "The server was updated. Reload the page to see its new version.";
  mark(byId("live"), "data-state", model.ready ? state : "wait");
  put(byId("live-text"), model.ready || state === "lost" ? text : "connecting");
  banner.hidden = !warning;
  put(banner, warning);
  mark(document.body, "data-old", state === "lost" ? "" : null);
}

setInterval(() => {
  live();
  if (performance.now() - heard > silence && tries === 0) lost();
  if (document.hidden || !model.ready) return;
  tick(); tickHosts(); tickSources(); tickAttention(); tickDrawer();
}, 1000);

// The controls.
const filter = byId("filter"), troubled = byId("troubled");
let typing = 0;
function refilter() {
  setFilter(filter.value, troubled.checked);
  refilterFeed();
}
filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refilter, 80); });
troubled.addEventListener("change", refilter);
document.addEventListener("keydown", (event) => {
  const inField = event.target.closest?.("input,select,textarea,dialog");
  if (event.key === "/" && !inField) { event.preventDefault(); filter.focus(); filter.select(); }
  if (event.key === "Escape" && event.target === filter) { filter.value = ""; refilter(); filter.blur(); }
});
byId("add").addEventListener("click", askAdd);

const themes = ["", "light", "dark"], themeWords = { "": "as the system", light: "light", dark: "dark" }, themeSigns = { "": "◐", light: "○", dark: "●" };
function showTheme() {
  const chosen = document.documentElement.dataset.theme || "";
  byId("theme").setAttribute("aria-label", "Colours: " + themeWords[chosen]);
  byId("theme").title = "Colours: " + themeWords[chosen];
  byId("theme").textContent = themeSigns[chosen];
}
byId("theme").addEventListener("click", () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "") + 1) % themes.length];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("theme", next); } catch { /* storage is off: until the page is left */ }
  showTheme();
});
showTheme();

connect();

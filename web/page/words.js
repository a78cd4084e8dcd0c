// Words and small pieces of DOM. Text is only ever set as text.

export function el(tag, className, ...kids) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...kids);
  return node;
}

// put sets a node's text if it is another.
export function put(node, text) {
  if (node.shownText !== text) {
    node.shownText = text;
    node.textContent = text;
  }
}

// mark sets an attribute if it is another; null removes it.
export function mark(node, name, value) {
  if (value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function button(text, className, act) {
  const node = el("button", className, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

// brief is age for narrow cells.
export function brief(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return s + "s";
  if (s < 3600) return Math.floor(s / 60) + "m";
  if (s < 86400) return Math.floor(s / 3600) + "h" + String(Math.floor(s % 3600 / 60)).padStart(2, "0");
  return Math.floor(s / 86400) + "d" + Math.floor(s % 86400 / 3600) + "h";
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const timeOfDay = (ms) => clock.format(ms);

export const byName = new Intl.Collator("en", { numeric: true }).compare;

export function plural(n, one, many) {
  return n + " " + (n === 1 ? one : many || one + "s");
}

// link makes a link of a value that is a web address, else text. Other schemes
// are never links: a stranger may have written them.
export function link(value) {
  if (/^https?:\/\/[^\s]+$/i.test(value) && URL.canParse(value)) {
    const a = el("a", "", value);
    a.href = value;
    a.rel = "noopener noreferrer";
    a.target = "_blank";
    return a;
  }
  return document.createTextNode(value);
}

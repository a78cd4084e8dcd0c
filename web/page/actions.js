// What the operator can do: each asks first.
import { el, button } from "./words.js";

const dialog = document.getElementById("confirm");
const toast = document.getElementById("toast");
let fade = 0;

export function tell(text, level) {
  toast.textContent = text;
  toast.dataset.level = level || "ok";
  toast.dataset.shown = "";
  clearTimeout(fade);
  fade = setTimeout(() => delete toast.dataset.shown, 5000);
}

// act posts an action; it throws what the server says against it.
export async function post(path, body) {
  const answer = await fetch("api/v1/" + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(15000),
  });
  if (answer.status === 401) location.assign("login");
  let said = {};
  try { said = await answer.json(); } catch { /* a proxy's page; the status says enough */ }
  if (!answer.ok) throw new Error(said.error || "the server answered " + answer.status);
  return said.done || "done";
}

// act posts and tells; errors are told too, and thrown for a dialog to stay.
export async function act(path, body) {
  try {
    tell(await post(path, body));
  } catch (error) {
    tell(error.message, "bad");
    throw error;
  }
}

// confirm asks. fields are pairs of a label and an input.
export function confirm({ title, text, fields = [], verb, danger, go }) {
  const heading = el("h2", "", title), problem = el("p", "problem");
  heading.id = "confirm-title";
  problem.hidden = true;
  const form = el("form", "", heading, el("p", "text", text));
  for (const [label, input] of fields) form.append(el("label", input.type === "checkbox" ? "check" : "field", el("span", "", label), input));
  const yes = el("button", danger ? "main danger" : "main", verb);
  yes.type = "submit";
  form.append(problem, el("div", "buttons", button("Cancel", "", () => dialog.close()), yes));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await go();
      if (form.isConnected) dialog.close(); // else the next question is open already
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      yes.disabled = false;
    }
  });
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  (form.querySelector("input,select,textarea") || yes).focus();
}

// Runs before the first paint, so that a chosen theme does not flash.
(() => {
  let chosen = "";
  try { chosen = localStorage.getItem("theme") || ""; } catch { /* storage is off: as the system */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();

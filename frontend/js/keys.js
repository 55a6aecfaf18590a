// Single keys. A page names what they do: `[data-row]` for rows (with `a[data-open]` and `input[data-select]` inside) and
// `[data-key="a"]` for buttons; a key looks first in the current row, then in the page. Never inside a field, never with
// a modifier, and off altogether for people who turned them off (WCAG 2.1.4).
const GO = { n: 0, a: 1, o: 2, s: 3 };
const GO_MS = 1500;
let wentAt = 0;

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
const current = () => document.querySelector("[data-row].is-current");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  current()?.classList.remove("is-current");
  next.classList.add("is-current");
  next.scrollIntoView({ block: "nearest" });
  (next.querySelector("a[data-open]") ?? next).focus({ preventScroll: true });
}

function press(key) {
  const selector = `[data-key="${CSS.escape(key)}"]`;
  const isAnySelected = document.querySelector("input[data-select]:checked") !== null;
  const found = (!isAnySelected && current()?.querySelector(selector)) || document.querySelector(`[data-bulk-bar]:not([hidden]) ${selector}`) || document.querySelector(selector);
  if (!found) return false;
  if (found.matches("input, textarea, select")) found.focus();
  else found.click();
  return true;
}

function act(key) {
  if (Date.now() - wentAt < GO_MS && key in GO) {
    wentAt = 0;
    document.querySelectorAll(".side a")[GO[key]]?.click();
    return true;
  }
  switch (key) {
    case "g": wentAt = Date.now(); return true;
    case "j": move(1); return true;
    case "k": move(-1); return true;
    case "x": current()?.querySelector("input[data-select]")?.click(); return true;
    case "?": document.getElementById("keys-help")?.showModal(); return true;
    default: return /^[aersnu]$/.test(key) && press(key);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (document.body.dataset.shortcuts === "off" || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  if (act(event.key)) event.preventDefault();
});

// <rel-time>: "4 min ago" that stays true, <rel-time kind="countdown">: "4:07", <rel-time kind="duration">: "2 h 10 min". The server has written the same words;
// it hands over the patterns in <body data-words>, so that both speak one language.
const words = () => (rel.words ??= JSON.parse(document.body.dataset.words || "{}"));
const rel = { words: null, elements: new Set(), timer: 0 };
const fill = (pattern, value) => pattern.replace(/%[sd]/, value);

export function spell(seconds) {
  const w = words();
  if (seconds < 60) return fill(w.s, seconds);
  if (seconds < 3600) return fill(w.min, Math.floor(seconds / 60));
  if (seconds < 86400) {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    return hours < 6 && minutes ? `${fill(w.h, hours)} ${fill(w.min, minutes)}` : fill(w.h, hours);
  }
  return fill(w.d, Math.floor(seconds / 86400));
}

function countdown(left) {
  if (left <= 0) return words().due;
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

function text(element, at) {
  const past = Math.round((Date.now() - at) / 1000);
  const kind = element.getAttribute("kind");
  if (kind === "countdown") return countdown(-past);
  if (kind === "duration") return spell(Math.max(0, past));
  if (Math.abs(past) < 5) return words().now;
  return fill(past > 0 ? words().past : words().future, spell(Math.abs(past)));
}

function refresh() {
  for (const element of rel.elements) {
    const time = element.querySelector("time");
    const at = Date.parse(time?.dateTime ?? "");
    if (Number.isNaN(at)) continue;
    const now = text(element, at);
    if (time.textContent !== now) time.textContent = now;
  }
}

customElements.define("rel-time", class extends HTMLElement {
  connectedCallback() {
    rel.elements.add(this);
    rel.timer ||= setInterval(() => document.hidden || refresh(), 1000);
  }
  disconnectedCallback() {
    rel.elements.delete(this);
  }
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
document.addEventListener("htmx:after:swap", refresh);

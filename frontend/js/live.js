// <live-status>: says how fresh the page is, "live · 3 s ago", "stale, retrying" or "offline, retrying". It listens to
// htmx's polls (any element with hx-trigger="every ..."), slows them down while nobody looks, and says loudly when
// something that a person did was not done.
import { spell } from "./rel-time.js";

const HIDDEN_PAUSE_MS = 60_000;
const STALE_MS = 15_000;
const STALE_STREAM_MS = 40_000; // it beats every 15 s
// The badge in the page's head polls too, but says nothing of how fresh the page below it is.
const POLLS = '[hx-trigger*="every"]:not(.calls-live)';
// `stream`: "open", "polling" where one is wanted and there is none, "" where nobody asked (topics.js).
export const state = { answeredAt: Date.now(), isFailing: false, polledAt: new WeakMap(), stream: "" };
const isPoll = (ctx) => ctx?.sourceEvent?.type === "every";
const contextOf = (event) => event.detail?.ctx;

document.addEventListener("htmx:config:request", (event) => {
  const ctx = contextOf(event);
  if (!isPoll(ctx)) return;
  const last = state.polledAt.get(ctx.sourceElement) ?? 0;
  if (document.hidden && Date.now() - last < HIDDEN_PAUSE_MS) event.preventDefault();
  else if (isInUse(ctx.sourceElement)) event.preventDefault();
  else state.polledAt.set(ctx.sourceElement, Date.now());
});

// Nothing moves under the finger: a poll waits while somebody types, has a menu open, or has selected rows inside.
function isInUse(element) {
  const active = document.activeElement;
  const isTyping = element.contains(active) && active.matches("input:not([type=checkbox]), textarea, select");
  return isTyping || element.querySelector("details[open]:not([data-stays]), input[data-select]:checked") !== null;
}

document.addEventListener("htmx:after:request", (event) => {
  const ctx = contextOf(event);
  if (isPoll(ctx) && !ctx.sourceElement.matches(POLLS)) return;
  const status = ctx?.response?.status ?? 0;
  state.isFailing = status >= 500;
  if (!state.isFailing) state.answeredAt = Date.now();
  show();
});

document.addEventListener("htmx:response:error", (event) => {
  const ctx = contextOf(event);
  if (isPoll(ctx) || ctx.response.status === 422) return; // 422: the answer is the form with its errors
  toast(`${document.getElementById("toasts").dataset.refused} ${ctx.response.status}.`);
});

document.addEventListener("htmx:error", (event) => {
  const ctx = contextOf(event);
  if (!ctx) return;
  state.isFailing = true;
  show();
  if (!isPoll(ctx)) toast(document.getElementById("toasts").dataset.unsent);
});

export function toast(text) {
  const place = document.getElementById("toasts");
  const note = document.createElement("p");
  note.textContent = text;
  place.append(note);
  setTimeout(() => note.remove(), 12_000);
}

export function show() {
  for (const element of document.querySelectorAll("live-status")) element.show?.();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll(`${POLLS}, .calls-live`)) window.htmx.trigger(element, "every", {}, false);
});
window.addEventListener("offline", show);
window.addEventListener("online", show);

customElements.define("live-status", class extends HTMLElement {
  connectedCallback() {
    this.timer = setInterval(() => document.hidden || this.show(), 1000);
    this.show();
  }
  disconnectedCallback() {
    clearInterval(this.timer);
  }
  show() {
    const place = this.querySelector("span");
    const age = Date.now() - state.answeredAt;
    const isPolling = document.querySelector(POLLS) !== null;
    const isOffline = !navigator.onLine || (state.isFailing && age > STALE_MS);
    const staleMs = state.stream === "open" ? STALE_STREAM_MS : STALE_MS;
    const isStale = !isOffline && isPolling && (state.isFailing || age > staleMs);
    this.classList.toggle("is-offline", isOffline);
    this.classList.toggle("is-stale", isStale);
    const { stale, offline, polling } = this.dataset;
    const live = state.stream === "polling" ? polling : this.dataset.live;
    const seconds = Math.floor(age / 1000);
    let text = isOffline ? offline : isStale ? stale : isPolling ? live : "";
    // Only words that change rarely: a screen reader says each change of this region.
    if (place.textContent !== text) place.textContent = text;
    this.title = isPolling || isOffline ? spell(seconds) : "";
  }
});

// <title-count data-count="3">: "(3) Now · Midwatch", and the badge of an installed app.
customElements.define("title-count", class extends HTMLElement {
  static observedAttributes = ["data-count"]; // a morph changes the number and leaves the element where it is
  attributeChangedCallback() {
    if (this.isConnected) this.connectedCallback();
  }
  connectedCallback() {
    const count = Number(this.dataset.count) || 0;
    document.title = `(${count}) ${document.title.replace(/^\(\d+\) /, "")}`;
    navigator.setAppBadge?.(count).catch(() => undefined); // not every browser lets a page do this
  }
  disconnectedCallback() {
    document.title = document.title.replace(/^\(\d+\) /, "");
    navigator.clearAppBadge?.().catch(() => undefined);
  }
});

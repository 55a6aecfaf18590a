// <log-view>: the output of a step, as it comes. The server writes its end into the page; this element asks for what is new
// when the stream says so, and every few seconds where there is no stream. It follows the end until somebody presses Pause
// or scrolls up; both are told in words. It keeps so much in the page that a phone can bear it; the rest is in the download.
import { state } from "./live.js";

const POLL_MS = 3_000;
const KEPT_CHARACTERS = 400_000;
const AT_END_PIXELS = 24;

customElements.define("log-view", class extends HTMLElement {
  connectedCallback() {
    this.box = this.querySelector(".log-box");
    this.lines = this.querySelector(".log-lines");
    this.open = this.querySelector(".log-open");
    this.button = this.querySelector("[data-follow]");
    this.button.hidden = false;
    this.isPlaying = true;
    this.isOver = "over" in this.dataset;
    this.button.addEventListener("click", () => this.play(!this.isPlaying));
    this.box.addEventListener("scroll", () => this.scrolled());
    this.addEventListener("every", (event) => event.target === this && this.pull()); // topics.js: something came
    this.timer = setInterval(() => this.isOver || document.hidden || state.stream === "open" || this.pull(), POLL_MS);
    this.seen = () => document.hidden || this.pull();
    document.addEventListener("visibilitychange", this.seen);
    this.toEnd();
    this.pull(); // what came between the page and now
  }
  disconnectedCallback() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }
  play(isPlaying) {
    this.isPlaying = isPlaying;
    this.button.querySelector("span").textContent = isPlaying ? this.dataset.pause : this.dataset.play;
    this.button.setAttribute("aria-pressed", String(!isPlaying));
    this.classList.toggle("is-paused", !isPlaying);
    if (!isPlaying) return this.say(this.dataset.paused);
    this.say("");
    this.toEnd();
    this.pull();
  }
  scrolled() {
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < AT_END_PIXELS;
    if (!isAtEnd && this.isPlaying && this.box.scrollTop < (this.lastTop ?? 0)) this.play(false);
    this.lastTop = this.box.scrollTop;
  }
  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.lastTop = this.box.scrollTop;
  }
  async pull() {
    if (!this.isPlaying || !this.isConnected) return;
    if (this.isPulling) return void (this.isWanted = true);
    this.isPulling = true;
    this.isWanted = false;
    try {
      const answer = await fetch(`${this.dataset.url}?after=${encodeURIComponent(this.dataset.next)}`, {
        headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      this.take(await answer.json());
      this.say("");
    } catch {
      this.say(this.dataset.unread);
      this.isWanted = false;
    }
    this.isPulling = false;
    if (this.isWanted) this.pull();
  }
  take(said) {
    const isNew = said.next !== this.dataset.next || said.open !== this.shown;
    this.isOver = said.is_over;
    if (!isNew) return;
    if (said.is_behind) this.lines.replaceChildren();
    this.lines.insertAdjacentHTML("beforeend", said.html);
    this.open.innerHTML = this.shown = said.open;
    if (said.next !== this.dataset.next) this.isWanted = true; // there may be more than one answer holds
    this.dataset.next = said.next;
    this.shorten();
    this.classList.remove("is-empty");
    if (this.isPlaying) this.toEnd();
  }
  shorten() {
    let surplus = this.lines.textContent.length - KEPT_CHARACTERS;
    while (surplus > 0 && this.lines.children.length > 1) {
      surplus -= this.lines.firstElementChild.textContent.length;
      this.lines.firstElementChild.remove();
      this.classList.add("is-cut");
    }
  }
  say(words) {
    const place = this.querySelector(".log-said");
    if (place.textContent !== words) place.textContent = words;
  }
});

// <auto-save>: a form whose text saves itself three seconds after the last key. Without this file its button saves.
// One request at a time; what could not be sent is tried again, loudly; what somebody else overtook stays in the box and is
// kept by the server, which says where.
const PAUSE_MS = 3_000;
const AGAIN_MS = 5_000;

customElements.define("auto-save", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.text = this.form.elements.text;
    this.saved = this.text.value;
    this.text.addEventListener("input", () => this.plan(PAUSE_MS));
    this.text.addEventListener("blur", () => this.isDirty() && this.plan(0));
    this.addEventListener("click", (event) => this.show(event.target.closest("[data-from]")));
    this.warn = (event) => this.isDirty() && event.preventDefault();
    this.form.addEventListener("submit", () => this.leave());
    window.addEventListener("beforeunload", this.warn);
  }
  disconnectedCallback() {
    this.leave();
  }
  leave() {
    clearTimeout(this.timer);
    window.removeEventListener("beforeunload", this.warn);
  }
  isDirty() {
    return this.text.value !== this.saved;
  }
  plan(pause) {
    if (this.isDirty() && !this.timer && pause) this.say(this.dataset.typing);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), pause);
  }
  async save() {
    this.timer = undefined;
    if (this.isSending || !this.isDirty()) return;
    this.isSending = true;
    const sent = this.text.value;
    try {
      const answer = await fetch(this.form.action, {
        method: "POST", body: new FormData(this.form), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000),
      });
      if (answer.status >= 500 || answer.redirected) throw new Error(String(answer.status));
      this.took(sent, answer.ok || answer.status === 409 ? await answer.json() : { refused: `${answer.status}` });
    } catch {
      this.say(this.dataset.unsent, true);
      this.timer = setTimeout(() => this.save(), AGAIN_MS);
    }
    this.isSending = false;
    if (this.isDirty() && !this.timer && !this.isRefused) this.plan(PAUSE_MS);
  }
  took(sent, said) {
    this.isRefused = Boolean(said.refused);
    if (said.refused) return this.say(said.refused, true);
    this.saved = sent;
    if (said.conflict) return this.point(said);
    this.form.elements.base.value = said.revision;
    this.say(said.said);
    const hints = this.querySelector("[data-findings]");
    if (!hints.contains(document.activeElement)) hints.innerHTML = said.findings;
  }
  point({ said, conflict }) {
    this.say(said, true);
    const link = document.createElement("a");
    link.href = conflict;
    link.textContent = this.dataset.look;
    this.querySelector("[data-said]").append(" ", link);
  }
  say(words, isBad = false) {
    const place = this.querySelector("[data-said]");
    place.textContent = words;
    place.classList.toggle("is-unsaved", isBad);
  }
  show(finding) {
    if (!finding) return;
    this.text.focus();
    this.text.setSelectionRange(Number(finding.dataset.from), Number(finding.dataset.to));
  }
});

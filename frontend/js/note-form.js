// <note-form>: what somebody writes into the war room is never lost. The text is kept in this tab while it is typed; when
// it cannot be sent, the form says NOT SENT and keeps it; when it is written, the box is emptied.
customElements.define("note-form", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.box = this.querySelector("textarea");
    this.line = this.querySelector("[data-state]");
    const kept = sessionStorage.getItem(this.dataset.key);
    if (kept && !this.box.value) {
      this.box.value = kept;
      this.say(this.dataset.kept, true);
    }
    this.box.addEventListener("input", () => this.keep());
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
    this.onDone = (event) => this.done(event.detail?.ctx);
    this.onError = (event) => this.failed(event.detail?.ctx);
    document.addEventListener("htmx:after:request", this.onDone);
    document.addEventListener("htmx:error", this.onError);
  }
  disconnectedCallback() {
    document.removeEventListener("htmx:after:request", this.onDone);
    document.removeEventListener("htmx:error", this.onError);
  }
  keep() {
    if (this.box.value) sessionStorage.setItem(this.dataset.key, this.box.value);
    else sessionStorage.removeItem(this.dataset.key);
  }
  done(ctx) {
    if (ctx?.sourceElement !== this.form) return;
    const status = ctx.response?.status ?? 0;
    if (status >= 200 && status < 300) {
      this.form.reset();
      sessionStorage.removeItem(this.dataset.key);
      this.say("");
    } else if (status >= 400 && status < 500) {
      this.say(ctx.text || this.dataset.unsent);
    } else {
      this.say(this.dataset.unsent);
    }
  }
  failed(ctx) {
    if (ctx?.sourceElement === this.form) this.say(this.dataset.unsent);
  }
  say(text, isQuiet = false) {
    this.line.textContent = text;
    this.line.hidden = !text;
    this.line.classList.toggle("is-quiet", isQuiet);
  }
});

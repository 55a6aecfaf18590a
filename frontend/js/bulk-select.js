// <bulk-select> around a form with rows: `input[data-select]` in each row, `input[data-select-all]`, a `[data-bulk-bar]`
// that shows while something is selected, and in it `[data-bulk-count]`. Shift-click selects a range.
customElements.define("bulk-select", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => this.#range(event));
    this.addEventListener("change", (event) => this.#changed(event));
    this.#show();
  }
  get #boxes() {
    return [...this.querySelectorAll("input[data-select]")];
  }
  #range(event) {
    const box = event.target;
    if (!box.matches?.("input[data-select]")) return;
    const boxes = this.#boxes;
    if (event.shiftKey && this.last && boxes.includes(this.last)) {
      const [from, to] = [boxes.indexOf(this.last), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
    }
    this.last = box;
    this.#show();
  }
  #changed(event) {
    if (event.target.matches("input[data-select-all]")) {
      for (const box of this.#boxes) box.checked = event.target.checked;
    }
    this.#show();
  }
  #show() {
    const boxes = this.#boxes;
    const count = boxes.filter((box) => box.checked).length;
    for (const bar of this.querySelectorAll("[data-bulk-bar]")) bar.hidden = count === 0;
    for (const place of this.querySelectorAll("[data-bulk-count]")) place.textContent = String(count);
    for (const all of this.querySelectorAll("input[data-select-all]")) {
      all.checked = count > 0 && count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }
  }
});

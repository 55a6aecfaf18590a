// <zone-here>: what time zone this device is in. Around a hidden field: fills it in (the log-in tells the server, which may
// offer a change). Around a select: `data-takes` chooses it where nothing was chosen before (a new account); otherwise a
// button offers it, with `data-offer` ("This device is in %s: use it"), and never takes it unasked.
customElements.define("zone-here", class extends HTMLElement {
  connectedCallback() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const select = this.querySelector("select");
    if (!select) {
      const field = this.querySelector("input");
      if (field && zone) field.value = zone;
      return;
    }
    const isKnown = [...select.options].some((option) => option.value === zone);
    if (!isKnown || select.value === zone) return;
    if ("takes" in this.dataset) {
      if (select.value === "UTC") select.value = zone;
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = this.dataset.offer.replace("%s", zone);
    button.addEventListener("click", () => {
      select.value = zone;
      button.remove();
    });
    this.append(button);
  }
});

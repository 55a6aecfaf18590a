// A page that a phone opened at night. Two things, both optional: a form that did not reach the server says NOT SENT (a
// browser's own error page would lose the button), and <main data-poll="3"> asks for its state again.
const TIMEOUT_MS = 10_000;
const banner = document.getElementById("unsent");
let isSending = false;
let again = null;

async function ask(url, options) {
  const answer = await fetch(url, { ...options, headers: { "X-Midwatch-Landing": options.method }, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status >= 500) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function replace(page) {
  const fresh = page.getElementById("main");
  if (!fresh) return;
  const old = document.getElementById("main");
  // Nothing moves under the finger while somebody types.
  if (old.dataset.state === fresh.dataset.state && fresh.dataset.state) return;
  if (old.contains(document.activeElement) && document.activeElement.matches("input, textarea")) return;
  old.replaceWith(fresh);
  document.title = page.title;
}

async function send(form, submitter) {
  if (isSending) return;
  isSending = true;
  const buttons = [...form.querySelectorAll("button")];
  const body = new URLSearchParams(new FormData(form, submitter));
  for (const button of buttons) button.disabled = true;
  try {
    const page = await ask(form.getAttribute("action") || location.href, { method: "POST", body });
    delete document.getElementById("main").dataset.state;
    replace(page);
    banner.hidden = true;
    scrollTo(0, 0);
  } catch {
    banner.hidden = false;
    again = () => send(form, submitter);
    for (const button of buttons) button.disabled = false;
  } finally {
    isSending = false;
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.hasAttribute("data-plain")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});
banner?.querySelector("button").addEventListener("click", () => again?.());

async function poll() {
  const seconds = Number(document.getElementById("main")?.dataset.poll) || 0;
  if (seconds && !document.hidden && !isSending) {
    try {
      const page = await ask(location.href, { method: "GET" });
      if (!isSending) replace(page);
    } catch {
      // Nothing was asked of the server by a person: the next poll tries again.
    }
  }
  setTimeout(poll, 1000 * (seconds || 10));
}
setTimeout(poll, 3000);

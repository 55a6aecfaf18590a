// Elements with data-topic="incident:42" poll as others do (hx-trigger="every 5s"). Where the server keeps a stream open they
// stay quiet until it says that their topic changed; with data-polls they go on asking, and are only told sooner. One stream
// a tab that is looked at (a browser has six connections to a host). Without it they poll, and the page's head says so.
import { show, state } from "./live.js";

const SILENT_MS = 40_000; // a beat comes every 15 s
const ANYWAY_MS = 60_000; // even while told of nothing
const SPREAD_MS = 200; // or all who look would ask in the same millisecond
const BACK_OFF_MS = [500, 1_000, 3_000, 10_000, 30_000];
const TOPICS_MAX = 10;
const now = { topics: "", refused: "", position: "", abort: null, failures: 0, timer: 0, silence: 0 };
const due = new WeakSet(); // told, and not read again yet
const readAt = new WeakMap();
const loadedAt = Date.now();

const followers = () => [...document.querySelectorAll("[data-topic]")];
const topicsOf = (element) => element.dataset.topic.split(" ").filter(Boolean);
const isPoll = (ctx) => ctx?.sourceEvent?.type === "every" && ctx.sourceElement.matches("[data-topic]");

document.addEventListener("htmx:config:request", (event) => {
  const ctx = event.detail?.ctx;
  if (!isPoll(ctx) || event.defaultPrevented) return; // somebody types there: it stays due
  const element = ctx.sourceElement;
  const isQuiet = state.stream === "open" && !("polls" in element.dataset) && !due.has(element);
  if (isQuiet && Date.now() - (readAt.get(element) ?? loadedAt) < ANYWAY_MS) return event.preventDefault();
  due.delete(element);
  readAt.set(element, Date.now());
});

for (const name of ["htmx:after:request", "htmx:error"]) {
  document.addEventListener(name, (event) => {
    const ctx = event.detail?.ctx;
    if (isPoll(ctx) && (ctx.response?.status ?? 500) >= 500) due.add(ctx.sourceElement);
  });
}

function changed(topics) {
  for (const element of followers()) {
    if (!topicsOf(element).some((topic) => topics.includes(topic))) continue;
    due.add(element);
    setTimeout(() => element.isConnected && window.htmx.trigger(element, "every", {}, false), Math.random() * SPREAD_MS);
  }
}

// --- the stream ---

function follow() {
  const topics = [...new Set(followers().flatMap(topicsOf))].slice(0, TOPICS_MAX).sort().join(" ");
  if (document.hidden || !topics) return stop("");
  if (topics === now.refused || (topics === now.topics && (now.abort || now.timer))) return;
  stop(state.stream);
  if (topics !== now.topics) now.position = followers()[0].dataset.topicAfter ?? "";
  now.topics = topics;
  listen();
}

function stop(word) {
  clearTimeout(now.timer);
  now.timer = 0;
  now.abort?.abort();
  now.abort = null;
  say(word);
}

function say(word) {
  state.stream = word;
  show();
}

async function listen() {
  const abort = (now.abort = new AbortController());
  const query = new URLSearchParams(now.topics.split(" ").map((topic) => ["topic", topic]));
  if (now.position) query.set("after", now.position);
  let status = 0;
  try {
    const answer = await fetch(`/live?${query}`, { headers: { Accept: "text/event-stream" }, signal: abort.signal, cache: "no-store" });
    status = answer.status;
    if (answer.ok && answer.headers.get("Content-Type").startsWith("text/event-stream")) await read(answer.body, abort);
    else if (answer.ok) take(await answer.json());
    else if (status === 503) take(await (await fetch(`/live?${query}`, { signal: abort.signal })).json());
  } catch {
    // Cut off, or not reached: the polls go on, and say how they fare.
  } finally {
    clearTimeout(now.silence);
  }
  if (now.abort !== abort) return; // another one took over, or nobody looks
  now.abort = null;
  say("polling");
  if (status === 401 || status === 403) now.refused = now.topics; // the next poll says why
  if (now.refused === now.topics) return;
  const pause = BACK_OFF_MS[Math.min(now.failures++, BACK_OFF_MS.length - 1)];
  now.timer = setTimeout(() => { now.timer = 0; listen(); }, pause * (0.75 + Math.random() / 2));
}

async function read(body, abort) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    clearTimeout(now.silence);
    now.silence = setTimeout(() => abort.abort(), SILENT_MS);
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) hear(Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)])));
  }
}

function hear({ id, event, data }) {
  if (event === "hello") now.failures = 0;
  state.answeredAt = Date.now();
  state.isFailing = false;
  if (event !== "over" && event !== "bye") say("open");
  take({ position: id, changed: event === "changed" ? JSON.parse(data).topics : [] });
}

function take({ position, changed: topics }) {
  now.position = String(position ?? now.position);
  if (topics?.length) changed(topics);
}

document.addEventListener("visibilitychange", follow);
document.addEventListener("htmx:after:swap", follow);
window.addEventListener("online", follow);
follow();

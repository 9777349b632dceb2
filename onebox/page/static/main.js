// Listens to the stack, keeps what it says, and has it drawn: at most once a frame.

import { desk } from "./desk.js";
import { say } from "./dom.js";
import { lockScreens } from "./phones.js";
import { stories } from "./stories.js";
import { timeline } from "./timeline.js";

const link = document.getElementById("link");
const known = new Map();
const waiting = new Set();
const parts = [lockScreens(), timeline(), desk(), stories(until)];
let drawing = false;

/** Resolve once something holds of all that is known. */
function until(holds) {
  return new Promise((resolve) => {
    const look = (all) => holds(all) && (waiting.delete(look), resolve());
    waiting.add(look);
    look(everything());
  });
}

function everything() {
  const of = (kind) => [...known].filter(([name]) => name.startsWith(kind)).map(([name, value]) => [name, value]);
  const values = (kind) => of(kind).map(([, value]) => value);
  return {
    phones: values("phone/").sort((a, b) => a.place - b.place),
    ways: of("way/"),
    deeds: of("deed/"),
    faults: known.get("about/faults") ?? [],
    stack: known.get("about/stack") ?? { commits_seen: true, phones_hidden: 0 },
  };
}

function draw() {
  drawing = false;
  const all = everything();
  for (const part of parts) part(all);
  for (const look of [...waiting]) look(all);
}

function take(event, { whole }) {
  const { put, gone } = JSON.parse(event.data);
  if (whole) known.clear();
  for (const name of gone) known.delete(name);
  for (const [name, value] of Object.entries(put)) known.set(name, value);
  if (drawing) return;
  drawing = true;
  // A tab that nobody looks at gets no frames.
  if (document.hidden) setTimeout(draw);
  else requestAnimationFrame(draw);
}

function show(state, words) {
  link.dataset.state = state;
  say(link, words);
}

function listen() {
  const source = new EventSource("events");
  source.addEventListener("open", () => show("live", "live"));
  source.addEventListener("all", (event) => take(event, { whole: true }));
  source.addEventListener("changes", (event) => take(event, { whole: false }));
  source.addEventListener("error", () => {
    show("lost", "the stack has stopped; waiting for it");
    // A browser gives up for good where something answers that is no stream of events.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

listen();

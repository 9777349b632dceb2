// The timeline: each publish with all that came of it, and between them what was done by hand; the newest first.

import { arrange, element, say } from "./dom.js";
import { asText, inWords } from "./reading.js";

const list = document.getElementById("ways");
const empty = document.getElementById("no-ways");
const unseen = document.getElementById("no-commits");

const GOOD = ["applied"];
const WAITING = ["stored"];

/** Draw the timeline from now on. */
export function timeline() {
  const kept = new Map();
  return ({ ways, deeds, stack }) => {
    const items = [
      ...ways.map(([name, way]) => [name, { ...way, commitsSeen: stack.commits_seen }]),
      ...deeds,
    ].sort(([, a], [, b]) => b.at_ms - a.at_ms);
    arrange(list, kept, items, (item) => ("what" in item ? deedView(item) : wayView()));
    list.hidden = items.length === 0;
    empty.hidden = items.length > 0;
    unseen.hidden = stack.commits_seen;
  };
}

// --- a publish

function wayView() {
  const event = element("span", { className: "event" });
  const activity = element("strong", { className: "activity" });
  const took = element("span", { className: "took" });
  const at = element("time");
  const state = element("p", { className: "state" });
  const steps = element("ol", { className: "steps" });
  const node = element("li", { className: "way" }, element("p", { className: "head" }, event, activity, took, at), state, steps);
  let drawn = "";

  function show(way) {
    const now = JSON.stringify(way);
    if (now === drawn) return;
    drawn = now;
    node.dataset.event = way.alert && way.event === "update" ? "alert" : (way.event ?? "unknown");
    say(event, !way.known ? "push" : way.alert && way.event === "update" ? "update, rings" : (way.event ?? "message"));
    say(activity, way.activity ?? "without an activity");
    say(at, clock(way.at_ms));
    say(took, total(way));
    const parts = Object.entries(way.state ?? {}).map(([name, value]) => `${inWords(name)} ${asText(value)}`);
    say(state, parts.join(" · "));
    state.hidden = parts.length === 0;
    const more = way.more ? [step("", "soft", `and ${way.more} more pushes`)] : [];
    const settled = way.known ? [step("published", "good", way.known ? clock(way.at_ms, true) : ""), commit(way)] : [];
    steps.replaceChildren(...settled, ...way.pushes.map((push) => pushStep(push, way)), ...more);
  }

  return { node, show };
}

function commit(way) {
  if (way.outcome === "refused") return step("refused", "bad", way.reason ?? "", since(way.settled_at_ms, way.at_ms));
  if (way.outcome === null) return step("commit", "soft", way.commitsSeen ? "not yet" : "not seen here");
  const words = { took: "took", repeated: "known already", superseded: "superseded by a newer one" }[way.outcome];
  const revision = way.revision === null ? "" : `, revision ${way.revision}`;
  const kind = way.outcome === "superseded" ? "late" : "good";
  return step("commit", kind, `${words ?? way.outcome}${revision}`, since(way.settled_at_ms, way.at_ms));
}

function pushStep(push, way) {
  const who = push.phone ?? (push.channel ? push.environment : "nobody’s token");
  const said = [[push.channel ? "broadcast" : "push", since(push.at_ms, way.settled_at_ms ?? way.at_ms)], answer(push), verdict(push)];
  const hops = element("div", { className: "hops" });
  const node = element("li", { className: "step push" }, element("span", { className: "who" }, who), hops);
  const kinds = said.map((part) => part?.[2] ?? "good");
  node.dataset.kind = kinds.includes("bad") ? "bad" : kinds.includes("late") ? "late" : kinds.includes("soft") ? "soft" : "good";
  for (const part of said) {
    if (part === null) continue;
    const [words, after, kind] = part;
    const hop = element("span", { className: "hop" }, words, ms(after));
    hop.dataset.kind = kind ?? "good";
    hops.append(hop);
  }
  if (push.fault) hops.append(element("span", { className: "fault" }, push.fault === "answer" ? "fault" : `fault: ${push.fault.replaceAll("_", " ")}`));
  return node;
}

function answer(push) {
  if (push.status === null) return ["Apple did not look", "", "bad"];
  const words = [push.status, push.status === 200 ? "" : push.reason].filter(Boolean).join(" ");
  if (push.answered_at_ms === null) return [`${words}, unheard`, "", push.fault ? "bad" : "late"];
  return [words, since(push.answered_at_ms, push.at_ms), push.status === 200 ? "good" : "bad"];
}

function verdict(push) {
  if (push.channel) {
    const counted = Object.entries(push.verdicts).map(([name, count]) => `${name.replaceAll("_", " ")} ×${count}`);
    return push.status === 200 ? [counted.join(", ") || "nobody listens yet", "", "good"] : null;
  }
  if (push.verdict === null) return null;
  const kind = GOOD.includes(push.verdict) ? "good" : WAITING.includes(push.verdict) ? "late" : "bad";
  const after = push.late_ms === null ? "" : since(push.late_ms, push.at_ms);
  const words = push.verdict === "stored" ? "kept for a phone that is away" : push.verdict.replaceAll("_", " ");
  return [words, after, kind];
}

function step(name, kind, words, after = "") {
  const node = element(
    "li",
    { className: "step" },
    element("span", { className: "who" }, name),
    element("div", { className: "hops" }, element("span", { className: "hop" }, words, ms(after))),
  );
  node.dataset.kind = kind;
  return node;
}

function ms(after) {
  return after ? element("span", { className: "ms" }, after) : null;
}

function total(way) {
  const good = way.pushes.filter((push) => (push.channel ? push.verdicts : { [push.verdict]: 1 }).applied);
  if (good.length === 0) return "";
  // What is said again, to a phone or on a channel, brings nobody anything new.
  const first = new Map(good.toReversed().map((push) => [push.phone ?? push.environment, push]));
  const heard = [...first.values()].map((push) => (push.channel ? push.verdicts.applied : 1));
  const phones = heard.reduce((a, b) => a + b, 0);
  const last = Math.max(...[...first.values()].map((push) => push.late_ms ?? push.at_ms));
  return `${phones} ${phones === 1 ? "phone" : "phones"}, ${length(last - way.at_ms)}`;
}

// --- what was done by hand

const DEEDS = {
  phone: () => "gets a phone, and opens the app",
  launch: () => "opens the app",
  offline: () => "goes offline",
  online: () => "is online again",
  kill_tokens: (deed) => `: Apple calls the token of ${deed.activity ?? "everything"} dead`,
  rotate: (deed) => `gets a new token for ${deed.activity}`,
  swipe: (deed) => `swipes ${deed.activity} away`,
  fault: (deed) => `Apple will err: ${deed.faults.map(inFew).join(", ")}`,
  clear: () => "Apple errs no more",
};

/** A fault in few words: "429 TooManyRequests, 3 times". */
export function inFew(fault) {
  const what = fault.kind === "answer" ? [fault.status, fault.reason].filter(Boolean).join(" ") : fault.kind.replaceAll("_", " ");
  const long = fault.latency_s ? ` of ${fault.latency_s} s` : "";
  const often = fault.count === null ? ", always" : (fault.count ?? 1) > 1 ? `, ${fault.count} times` : "";
  return `${what}${long}${fault.on === "broadcast" ? " of a broadcast" : ""}${often}`;
}

function deedView(deed) {
  const words = (DEEDS[deed.what] ?? (() => deed.what.replaceAll("_", " ")))(deed);
  const node = element(
    "li",
    { className: "deed" },
    element("span", {}, deed.phone ? element("strong", {}, deed.phone) : null, deed.phone && !words.startsWith(":") ? " " : "", words),
    element("time", {}, clock(deed.at_ms)),
  );
  return { node, show: () => {} };
}

// --- times

function clock(ms, fine = false) {
  const at = new Date(ms);
  const pad = (number, digits = 2) => String(number).padStart(digits, "0");
  const whole = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return fine ? `${whole}.${pad(at.getMilliseconds(), 3)}` : whole;
}

function since(ms, before) {
  return ms === null || before === null ? "" : `+${length(Math.max(0, ms - before))}`;
}

function length(ms) {
  if (ms < 1000) return `${ms} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

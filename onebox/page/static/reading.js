// What a content-state means to a reader: its names in words, its numbers as progress. Nothing here touches the page.

const PROGRESS = /progress|percent|fraction|complet|ratio/i;
const COUNTDOWN = /\b(left|remaining|minutes|seconds|eta|countdown|stops)\b|\baway$/i;
const HEADLINE = ["stage", "status", "phase", "state", "title", "score", "message", "step"];
const TITLE = ["title", "name", "shop", "teams", "restaurant", "flight", "order", "route"];

/** "minutesLeft" → "Minutes left", "on_its_way" → "On its way", "ETA" → "ETA". */
export function inWords(name) {
  const words = name
    .replace(/[_\-.]+/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .trim()
    .split(/\s+/)
    .map((word) => (/^[A-Z0-9]{2,}$/.test(word) ? word : word.toLowerCase()));
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A value as a person would write it. */
export function asText(value) {
  if (value === null || value === undefined) return "–";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 2 });
  if (Array.isArray(value)) return value.length ? value.map(asText).join(", ") : "none";
  if (typeof value === "object") {
    return Object.entries(value).map(([name, one]) => `${inWords(name)}: ${asText(one)}`).join(", ") || "nothing";
  }
  return String(value);
}

/** What a card is about: a text among its attributes that names it, or its activity. */
export function titleOf(attributes, activity) {
  const named = TITLE.filter((name) => name in attributes);
  const texts = Object.keys(attributes).filter((name) => typeof attributes[name] === "string");
  const name = named.find((one) => typeof attributes[one] === "string") ?? texts[0] ?? named[0];
  if (name === undefined) return activity;
  return typeof attributes[name] === "string" ? attributes[name] : `${inWords(name)} ${asText(attributes[name])}`;
}

/** Whether a number counts down: "minutesLeft" and "stopsAway" do, "awayScore" doesn't. */
function isCountdown(name) {
  return COUNTDOWN.test(inWords(name));
}

/**
 * What a state's progress is, from 0 to 1, if one of its numbers looks like one.
 *
 * @param most the highest value each number has had: a countdown is measured by where it began
 * @returns {{name, part, countdown}} or null
 */
export function progressOf(state, most) {
  const numbers = Object.entries(state).filter(([, value]) => typeof value === "number" && Number.isFinite(value));
  for (const [name, value] of numbers) {
    if (!PROGRESS.test(name) || value < 0) continue;
    if (value <= 1 && !/percent/i.test(name)) return { name, part: value, countdown: false };
    if (value <= 100) return { name, part: value / 100, countdown: false };
  }
  for (const [name, value] of numbers) {
    if (value > 0 && value < 1 && !isCountdown(name)) return { name, part: value, countdown: false };
  }
  for (const [name, value] of numbers) {
    const from = Math.max(most[name] ?? value, value);
    if (isCountdown(name) && value >= 0 && from > 0) return { name, part: 1 - value / from, countdown: true };
  }
  return null;
}

/** A state, taken apart for a card: one line above all, one number beside it, its progress, and what else there is. */
export function read(state, most) {
  const left = new Map(Object.entries(state));
  const texts = [...left.keys()].filter((name) => typeof left.get(name) === "string" && left.get(name) !== "");
  const headline = HEADLINE.find((name) => texts.includes(name)) ?? texts[0] ?? null;
  const progress = progressOf(state, most);
  const figure = progress?.name ?? [...left.keys()].find((name) => typeof left.get(name) === "number") ?? null;
  const taken = {
    headline: headline === null ? null : left.get(headline),
    figure: figure === null ? null : { name: inWords(figure), value: figureText(left.get(figure), progress) },
    progress,
  };
  left.delete(headline);
  left.delete(figure);
  return { ...taken, rest: [...left].map(([name, value]) => [inWords(name), asText(value)]) };
}

function figureText(value, progress) {
  return progress && !progress.countdown ? `${Math.round(progress.part * 100)} %` : asText(value);
}

const STAGES = ["taken", "baking", "on its way", "at the door", "delivered"];

/** A state that might follow this one: countdowns go down, progress and scores go up, stages go on. */
export function next(state, most) {
  const progress = progressOf(state, most);
  let moved = false;
  const after = Object.entries(state).map(([name, value]) => {
    const changed = moves(name, value, progress, most);
    moved ||= changed !== value;
    return [name, changed];
  });
  return moved ? Object.fromEntries(after) : { ...state, update: 1 };
}

function moves(name, value, progress, most) {
  if (typeof value === "number") {
    if (progress?.name === name && !progress.countdown) {
      const whole = value > 1 || /percent/i.test(name) ? 100 : 1;
      return Math.min(whole, Math.round((value + whole * 0.15) * 100) / 100);
    }
    if (isCountdown(name)) return Math.max(0, value - Math.max(1, Math.round((most[name] ?? value) / 6)));
    return Number.isInteger(value) ? value + 1 : value;
  }
  if (typeof value !== "string") return value;
  if (STAGES.includes(value)) return STAGES[Math.min(STAGES.indexOf(value) + 1, STAGES.length - 1)];
  // A score: "1–0" → "2–0".
  return /^\d+\s*[–:-]\s*\d+$/.test(value) ? value.replace(/\d+/, (goals) => Number(goals) + 1) : value;
}

/** A value as JSON that is easy on the eye: what fits in a line stands in one. */
export function written(value, indent = "") {
  const list = Array.isArray(value);
  const short = inALine(value);
  if (typeof value !== "object" || value === null || short.length + indent.length < 56) return short;
  const deeper = `${indent}  `;
  const parts = Object.entries(value).map(
    ([name, one]) => `${deeper}${list ? "" : `${JSON.stringify(name)}: `}${written(one, deeper)}`,
  );
  return [list ? "[" : "{", parts.join(",\n"), `${indent}${list ? "]" : "}"}`].join("\n");
}

function inALine(value) {
  if (Array.isArray(value)) return `[${value.map(inALine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${inALine(one)}`);
  return `{${parts.join(", ")}}`;
}

// Messages to begin with, and what may go wrong at Apple's.

/** The attributes types of the app on phones that are made here: orders, as in the guides, and matches. */
export const TYPES = ["OrderAttributes", "MatchAttributes"];

const ALERT = { title: "Nearly there", body: "7 minutes" };

/** A message of a kind, about what is on the lock screens now. */
export function example(kind, { phones }) {
  const cards = phones.flatMap((phone) => phone.cards);
  const running = cards.filter((card) => card.shows !== "ended").at(-1);
  const activity = running?.activity ?? "order-42";
  const state = running?.state ?? { stage: "on its way", driver: "Dora", minutes: 7 };
  switch (kind) {
    case "start":
      return start(fresh(cards), { users: users(phones) });
    case "alert":
      return { activity, aps: { event: "update", "content-state": state, alert: ALERT } };
    case "end":
      return { activity, aps: { event: "end", "content-state": state } };
    case "match":
      return kickOff();
    case "wrong":
      return { activity, aps: { event: "update" } };
    default:
      return { activity, aps: { event: "update", "content-state": state } };
  }
}

/** An order's start, for these. */
export function start(activity, to) {
  const aps = {
    event: "start",
    "attributes-type": TYPES[0],
    attributes: { shop: "Pizzeria Uno" },
    "content-state": { stage: "taken", driver: "Dora", minutes: 40 },
    alert: { title: "Order taken", body: "40 minutes" },
  };
  return { activity, to, aps };
}

/** A match's start, for all who follow a team. */
export function kickOff() {
  const aps = {
    event: "start",
    "attributes-type": TYPES[1],
    attributes: { teams: "Uno – Due" },
    "content-state": { score: "0–0", period: "First half", progress: 0 },
    alert: { title: "Kick-off", body: "Uno – Due" },
  };
  return { activity: "match-7", to: { audience: "team-42" }, channel: "frequent", aps };
}

function users(phones) {
  const found = [...new Set(phones.map((phone) => phone.user).filter(Boolean))];
  return found.length ? found : ["ana"];
}

function fresh(cards) {
  const taken = new Set(cards.map((card) => card.activity));
  let number = 42;
  while (taken.has(`order-${number}`)) number += 1;
  return `order-${number}`;
}

const answer = (status, reason) => ({ kind: "answer", status, reason });

/** What can go wrong, in words, and as the control interface wants it. */
export const FAULTS = [
  ["429 TooManyRequests", answer(429, "TooManyRequests")],
  ["503 ServiceUnavailable", answer(503, "ServiceUnavailable")],
  ["500 InternalServerError", answer(500, "InternalServerError")],
  ["410 Unregistered: the token is dead", answer(410, "Unregistered")],
  ["403 InvalidProviderToken: all wait a minute", answer(403, "InvalidProviderToken")],
  ["Answers come 3 s late", { kind: "latency", latency_s: 3 }],
  ["The answer is lost", { kind: "lost_answer" }],
  ["The stream is refused", { kind: "refused_stream" }],
  ["GOAWAY", { kind: "goaway" }],
  ["The connection is reset", { kind: "reset" }],
  ["503 to a broadcast", { ...answer(503, "ServiceUnavailable"), on: "broadcast" }],
];

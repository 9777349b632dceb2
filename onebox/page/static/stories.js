// What a first visit may play: phones are added, and something happens on their lock screens.

import { kickOff, start, TYPES } from "./examples.js";
import { post, tell } from "./roads.js";

const ORDER = [
  { stage: "baking", driver: "Dora", minutes: 25 },
  { stage: "on its way", driver: "Dora", minutes: 12 },
];
const NEARLY = [{ stage: "on its way", driver: "Dora", minutes: 7 }, { title: "Nearly there", body: "7 minutes" }];

const MATCH = [{ score: "0–0", period: "First half", progress: 0.3 }];
const GOAL = [{ score: "1–0", period: "First half", progress: 0.42 }, { title: "Goal", body: "Uno 1–0 Due" }];

// Long enough to see a state before the next.
const BEAT_MS = 1500;

/** Let the buttons of an empty page play. `until` resolves once something holds of all that is known. */
export function stories(until) {
  const buttons = ["play-order", "play-match"].map((id) => document.getElementById(id));
  const [order, match] = buttons;
  order.addEventListener("click", () => play(() => tellOrder(until)));
  match.addEventListener("click", () => play(() => tellMatch(until)));

  async function play(story) {
    buttons.forEach((button) => (button.disabled = true));
    // The button that was pressed goes with the welcome: whoever is on it is led to what happens.
    until(({ phones }) => phones.length > 0).then(() => document.getElementById("screens").focus({ preventScroll: true }));
    try {
      await story();
    } catch (error) {
      tell(error.message, { wrong: true });
    } finally {
      buttons.forEach((button) => (button.disabled = false));
    }
  }

  return () => {};
}

async function tellOrder(until) {
  const users = ["ana", "ben", "carl"];
  for (const user of users) await post("phones", { user, name: user, attributes_types: TYPES });
  await unfold(until, start("order-42", { users }), ORDER, NEARLY, users.length);
  tell("An order plays on three phones; the buttons of its activity go on with it");
}

async function tellMatch(until) {
  const follows = ["team-42"];
  const fans = [
    { user: "dana", follows },
    { user: "emil", follows, os_version: "26.1" },
    { user: "fay", follows, os_version: "17.5" },
    { user: "gus", follows, environment: "sandbox" },
  ];
  for (const fan of fans) await post("phones", { ...fan, name: fan.user, attributes_types: TYPES });
  await unfold(until, kickOff(), MATCH, GOAL, fans.length);
  tell("A match plays on four phones: on channels where iOS has them, else by tokens");
}

async function unfold(until, beginning, states, [last, alert], phones) {
  await until((all) => all.phones.length >= phones && all.phones.every((phone) => phone.idle));
  const { activity } = beginning;
  await post("publishes", beginning);
  const shown = (all) => all.phones.filter((phone) => phone.idle && phone.cards.some((card) => card.activity === activity));
  await until((all) => shown(all).length >= phones);
  for (const state of states) {
    await beat();
    await post("publishes", { activity, aps: { event: "update", "content-state": state } });
  }
  await beat();
  await post("publishes", { activity, aps: { event: "update", "content-state": last, alert } });
}

function beat() {
  return new Promise((resolve) => setTimeout(resolve, BEAT_MS));
}

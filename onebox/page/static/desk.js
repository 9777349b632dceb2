// What one does at the desk: add phones, publish by a button or by hand, let Apple err.

import { arrange, element, say } from "./dom.js";
import { FAULTS, TYPES, example } from "./examples.js";
import { next, written } from "./reading.js";
import { act, postText, tell } from "./roads.js";
import { inFew } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const NAMES = ["ana", "ben", "carl", "dana", "emil", "fay", "gus", "hana"];

/** Serve the forms from now on. */
export function desk() {
  let all = { phones: [], ways: [], faults: [] };
  const keptActivities = new Map();
  const keptFaults = new Map();
  const message = messageForm(() => all);
  phoneForm(() => all.phones);
  faultForm();
  return (everything) => {
    all = everything;
    const activities = activitiesOf(all.phones);
    const runningFirst = [...activities].sort(([, a], [, b]) => (b.running > 0) - (a.running > 0));
    arrange($("activities"), keptActivities, runningFirst, () => activityView(message.publish));
    $("no-activities").hidden = activities.size > 0;
    arrange($("armed"), keptFaults, all.faults.map((fault, place) => [`${place} ${inFew(fault)}`, fault]), armedView);
    $("no-faults").hidden = all.faults.length > 0;
    $("clear-faults").disabled = all.faults.length === 0;
    message.suggest();
    suggestName(all.phones);
  };
}

// --- phones

function phoneForm(phones) {
  const form = $("add-phone");
  const called = (user) => (phones().some((phone) => phone.name === user) ? {} : { name: user });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = Object.fromEntries(new FormData(form));
    const user = said.user.trim();
    form.elements.user.dataset.touched = "";
    const follows = said.follows.split(/[\s,]+/).filter(Boolean);
    act("phones", { ...said, ...called(user), user, follows, attributes_types: TYPES }, `${user} has a phone`);
  });
  form.elements.user.addEventListener("input", () => (form.elements.user.dataset.touched = "yes"));
}

function suggestName(phones) {
  const field = $("add-phone").elements.user;
  if (field.dataset.touched || document.activeElement === field) return;
  const taken = new Set(phones.map((phone) => phone.user));
  field.value = NAMES.find((name) => !taken.has(name)) ?? "ana";
}

// --- activities

/** What phones show, by activity: the newest of its cards, on how many phones it runs, and for whom. */
export function activitiesOf(phones) {
  const found = new Map();
  for (const phone of phones) {
    for (const card of phone.cards) {
      const one = found.get(card.activity) ?? { activity: card.activity, card, running: 0, shown: 0, users: new Set() };
      const newer = (card.run ?? 0) > (one.card.run ?? 0) || card.timestamp > one.card.timestamp;
      if (newer) one.card = card;
      one.running += card.shows !== "ended";
      one.shown += 1;
      if (phone.user) one.users.add(phone.user);
      found.set(card.activity, one);
    }
  }
  return found;
}

function activityView(publish) {
  const name = element("strong");
  const where = element("span", { className: "hint" });
  const buttons = [
    ["Update", () => ({ event: "update", "content-state": following() })],
    ["Alert", () => ({ event: "update", "content-state": following(), alert: { title: "Good news", body: "It moves on" } })],
    ["End", () => ({ event: "end", "content-state": one.card.state })],
  ].map(([label, aps]) => element("button", { onclick: () => publish({ activity: one.activity, aps: aps() }) }, label));
  const again = element("button", { onclick: () => publish(startOf(one)) }, "Start again");
  const node = element("li", {}, element("p", {}, name, where), element("p", { className: "row" }, ...buttons, again));
  let one = null;

  const following = () => next(one.card.state, one.card.most);

  function show(activity) {
    one = activity;
    say(name, one.activity);
    [...buttons, again].forEach((button) => (button.ariaLabel = `${button.textContent}, ${one.activity}`));
    const ended = one.running === 0;
    say(where, ended ? `ended on ${count(one.shown)}` : `on ${count(one.running)}`);
    buttons.forEach((button) => (button.hidden = ended));
    again.hidden = !ended;
  }

  return { node, show };
}

function startOf({ activity, card, users }) {
  const { attributes_type, attributes, state } = card;
  const alert = { title: "Once more", body: activity };
  const aps = { event: "start", "attributes-type": attributes_type, attributes, "content-state": state, alert };
  return { activity, to: { users: [...users] }, aps };
}

function count(phones) {
  return phones === 1 ? "1 phone" : `${phones} phones`;
}

// --- publishing

function messageForm(all) {
  const [form, field, said, kind] = [$("publish"), $("message"), $("message-said"), $("example")];
  // What somebody typed stays until they choose an example; what a button sent, until the next.
  let typed = false;
  let sent = false;

  const fill = (message) => (field.value = written(message));
  // Not under the hands of whoever is in it.
  const suggest = () => typed || sent || document.activeElement === field || fill(example(kind.value, all()));

  async function publish(message, text) {
    say(said, "");
    try {
      await postText("publishes", text);
      tell(`Published: ${message?.aps?.event ?? "a message"} of ${message?.activity ?? "nothing"}`);
    } catch (error) {
      say(said, error.message);
    }
  }

  field.addEventListener("input", () => {
    typed = true;
    say(said, "");
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  kind.addEventListener("change", () => {
    typed = sent = false;
    suggest();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    let message;
    try {
      message = JSON.parse(field.value);
    } catch (error) {
      say(said, `This is no JSON: ${error.message}`);
      return;
    }
    sent = true;
    publish(message, field.value);
  });

  return {
    suggest,
    publish: (message) => {
      sent = true;
      if (!typed) fill(message);
      return publish(message, JSON.stringify(message));
    },
  };
}

// --- faults

function faultForm() {
  const chosen = $("fault");
  chosen.append(...FAULTS.map(([label], place) => element("option", { value: place }, label)));
  $("faults").addEventListener("submit", (event) => {
    event.preventDefault();
    const [label, fault] = FAULTS[Number(chosen.value)];
    act("faults", [{ ...fault, count: Number($("times").value) }], `Apple will err: ${label}`);
  });
  $("clear-faults").addEventListener("click", () => act("faults", { clear: true }, "Apple errs no more"));
}

function armedView(fault) {
  return { node: element("li", {}, inFew(fault)), show: () => {} };
}

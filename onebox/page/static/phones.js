// The wall of lock screens: one article per phone, drawn as it would lie on a table.

import { arrange, element, say } from "./dom.js";
import { read, titleOf } from "./reading.js";
import { act } from "./roads.js";

const SVG = "http://www.w3.org/2000/svg";

// A banner goes by itself, as iOS's does; a little later, so that it can be read beside others.
const BANNER_MS = 7000;

const HUES = [258, 205, 330, 28, 158, 288, 185, 352];

const screens = document.getElementById("screens");
const welcome = document.getElementById("welcome");
const hidden = document.getElementById("hidden-phones");

/** Draw phones from now on. */
export function lockScreens() {
  const kept = new Map();
  setInterval(() => kept.forEach((phone) => phone.tick?.()), 1000);
  return ({ phones, stack }) => {
    arrange(screens, kept, phones.map((phone) => [phone.name, phone]), phoneView);
    screens.hidden = phones.length === 0;
    welcome.hidden = phones.length > 0;
    hidden.hidden = stack.phones_hidden === 0;
    say(hidden, `And ${stack.phones_hidden} more phones, which are not drawn.`);
  };
}

function phoneView({ name, place }) {
  const user = element("span");
  const kind = element("span", { className: "kind" });
  const time = element("span");
  const network = element("span", { className: "network" });
  const day = element("p", { className: "day" });
  const clock = element("p", { className: "clock" });
  const banner = bannerView();
  const cards = element("ul", { className: "cards", aria: { label: `What ${name} shows` } });
  const nothing = element("p", { className: "nothing" });
  const more = element("p", { className: "more" });
  const hands = element("ul", { className: "hands" });
  const offline = element("button", { onclick: () => toggle() });
  const open = element("button", { onclick: () => act("phones", { phone: name, do: "launch" }, `${name}: the app reports`) });
  const refused = element("p", { className: "said" });
  const glass = element(
    "div",
    { className: "glass" },
    element("div", { className: "status" }, time, element("span", { className: "island" }), network),
    day,
    clock,
    element("div", { className: "pile" }, nothing, more, banner.node, cards),
    element("div", { className: "home" }, torch(), element("span", { className: "bar" }), camera()),
  );
  glass.style.setProperty("--hue", HUES[place % HUES.length]);
  const node = element(
    "article",
    { className: "phone", aria: { label: `Phone ${name}` } },
    element("h3", {}, user, kind),
    element("div", { className: "device" }, glass),
    element("div", { className: "hand" }, element("p", { className: "row" }, offline, open), hands, refused),
  );
  const keptCards = new Map();
  const keptHands = new Map();
  let online = true;

  function toggle() {
    const done = online ? `${name} is offline` : `${name} is online again`;
    act("phones", { phone: name, do: online ? "offline" : "online" }, done);
  }

  function tick() {
    const now = new Date();
    const [hour, minute] = [now.getHours(), String(now.getMinutes()).padStart(2, "0")];
    say(time, `${hour}:${minute}`);
    say(clock, `${hour}:${minute}`);
    say(day, now.toLocaleDateString("en", { weekday: "long", month: "long", day: "numeric" }));
    banner.tick();
  }

  function show(phone) {
    online = phone.online;
    node.classList.toggle("offline", !online);
    say(user, phone.user ?? "nobody");
    const called = phone.name === phone.user ? [] : [phone.name];
    say(kind, [...called, `iOS ${phone.os_version}`, phone.environment, ...phone.follows].join(" · "));
    say(network, online ? "5G" : "✈ offline");
    say(offline, online ? "Go offline" : "Go online");
    say(open, phone.app_runs ? "Open app again" : "Open app");
    for (const button of [offline, open]) button.ariaLabel = `${button.textContent}, ${name}`;
    open.disabled = !phone.installed;
    say(nothing, phone.cards.length ? "" : resting(phone));
    more.hidden = phone.more === 0;
    say(more, `and ${phone.more} more`);
    banner.show(phone.banner);
    arrange(cards, keptCards, phone.cards.map((card) => [card.id, card]), cardView);
    const running = phone.cards.filter((card) => card.shows !== "ended");
    arrange(hands, keptHands, running.map((card) => [card.id, card]), (card) => handView(name, card));
    say(refused, phone.refusals.length ? `The API refused: ${phone.refusals[0]}` : "");
    tick();
  }

  return { node, show, tick };
}

function resting(phone) {
  if (!phone.installed) return "The app is deleted";
  if (!phone.user) return "Nobody is signed in";
  return phone.idle ? "No Live Activities" : "Registering…";
}

// --- cards

function cardView({ activity, attributes }) {
  const title = titleOf(attributes, activity);
  const badge = element("span", { className: "badge" });
  const headline = element("p", { className: "headline" });
  const value = element("span", { className: "value" });
  const unit = element("span", { className: "unit" });
  const figure = element("p", { className: "figure" }, value, unit);
  const fill = element("div", { className: "fill" });
  const bar = element("div", { className: "progress", role: "progressbar", aria: { valuemin: 0, valuemax: 100 } }, fill);
  const rest = element("dl", { className: "rest" });
  const foot = element("p", { className: "foot" });
  const node = element(
    "li",
    { className: "card" },
    element(
      "div",
      { className: "head" },
      element("span", { className: "app", aria: { hidden: true } }, title.trim().charAt(0).toUpperCase() || "·"),
      element("h4", {}, title),
      badge,
    ),
    element("div", { className: "body" }, headline, figure),
    bar,
    rest,
    foot,
  );
  let stamp = null;

  function show(card) {
    const told = read(card.state, card.most);
    node.dataset.shows = card.shows;
    say(badge, { stale: "Stale", ended: "Ended" }[card.shows] ?? "Live");
    const odd = card.odd === null ? null : `Can’t be drawn: ${card.odd}`;
    say(headline, odd ?? told.headline ?? (told.figure ? "" : "No details"));
    figure.hidden = told.figure === null;
    say(value, told.figure?.value ?? "");
    say(unit, told.figure?.name ?? "");
    bar.hidden = told.progress === null;
    if (told.progress) {
      const percent = Math.round(Math.min(1, told.progress.part) * 100);
      bar.setAttribute("aria-valuenow", percent);
      bar.setAttribute("aria-label", `Progress of ${activity}`);
      fill.style.setProperty("--part", `${percent}%`);
    }
    rest.hidden = told.rest.length === 0;
    const pairs = told.rest.map(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
    if (rest.textContent !== told.rest.flat().join("")) rest.replaceChildren(...pairs.flat());
    say(foot, [card.activity, card.channel ? "on a channel" : null, applied(card)].filter(Boolean).join(" · "));
    if (stamp !== null && stamp !== card.timestamp) pulse(node);
    stamp = card.timestamp;
  }

  return { node, show };
}

function applied(card) {
  return card.verdict === "applied" ? null : card.verdict.replaceAll("_", " ");
}

function pulse(node) {
  node.classList.remove("fresh");
  // Asked for its size, the browser has seen it without, and so begins anew.
  void node.offsetWidth;
  node.classList.add("fresh");
}

// --- what a hand does with a phone

function handView(phone, { activity }) {
  const ask = (label, what, done) =>
    element(
      "button",
      { onclick: () => act("phones", { phone, do: what, activity }, done), ariaLabel: `${label}, ${activity} on ${phone}` },
      label,
    );
  const node = element(
    "li",
    {},
    element("span", { className: "which" }, activity),
    ask("Kill token", "kill_tokens", `Apple calls the token of ${activity} on ${phone} dead`),
    ask("New token", "rotate", `${phone} has a new token for ${activity}`),
    ask("Swipe away", "swipe", `${activity} is swiped off ${phone}`),
  );
  return { node, show: ({ channel }) => [...node.querySelectorAll("button")].slice(0, 2).forEach((b) => (b.disabled = channel !== null)) };
}

function bannerView() {
  const title = element("strong");
  const body = element("span");
  const node = element("div", { className: "banner", hidden: true }, bell(), element("p", {}, title, body));
  let until = 0;

  return {
    node,
    tick: () => (node.hidden = Date.now() >= until),
    show: (said) => {
      until = said === null ? 0 : said.at_ms + BANNER_MS;
      say(title, said?.title ?? said?.activity ?? "");
      say(body, said?.body ?? "");
    },
  };
}

// --- ornaments

function drawn(className, path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  svg.firstChild.setAttribute("d", path);
  return element("span", { className }, svg);
}

const torch = () => drawn("round", "M8 3h8v4l-2 3v10a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1V10L8 7z");
const camera = () => drawn("round", "M4 8h3l2-3h6l2 3h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zm8 2.5a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4z");
const bell = () => drawn("bell", "M12 3a6 6 0 0 0-6 6v4.2L4.4 16a.8.8 0 0 0 .7 1.2h13.8a.8.8 0 0 0 .7-1.2L18 13.2V9a6 6 0 0 0-6-6zm-2.4 15.4a2.4 2.4 0 0 0 4.8 0z");

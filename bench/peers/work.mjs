// What work.py says, for the clients that run on Node.js.

import { readFileSync } from "node:fs";

const said = process.env;

export const work = {
  url: said.BENCH_URL,
  hostname: new URL(said.BENCH_URL).hostname,
  port: Number(new URL(said.BENCH_URL).port),
  caFile: said.BENCH_CA_FILE,
  keyFile: said.BENCH_KEY_FILE,
  keyId: said.BENCH_KEY_ID,
  teamId: said.BENCH_TEAM_ID,
  topic: said.BENCH_TOPIC,
  tokens: readFileSync(said.BENCH_TOKENS_FILE, "utf8").split(/\s+/).filter(Boolean),
  count: Number(said.BENCH_COUNT),
  inFlight: Number(said.BENCH_IN_FLIGHT),
};

export function payload(number) {
  const now = Math.floor(Date.now() / 1000);
  return {
    timestamp: now,
    event: "update",
    "content-state": {
      driver: "Ana",
      minutes: number,
      stage: "on its way",
      stops: ["Gran Vía 1", "Alcalá 45", "Serrano 7"],
      note: "The driver has your order and two more, and is at the second of three stops now.",
    },
    "stale-date": now + 3600,
    "relevance-score": 75,
  };
}

// Keep so many under way until all are sent; returns how many went well.
export async function sendAll(send) {
  let next = 0;
  let good = 0;
  const one = async () => {
    while (next < work.count) {
      const number = next++;
      if (await send(number, work.tokens[number % work.tokens.length])) good += 1;
    }
  };
  await Promise.all(Array.from({ length: work.inFlight }, one));
  return good;
}

// npm's apns2 as its users have it. It has no argument for another port than 443: its pool is made again, as it makes it.

import { readFileSync } from "node:fs";

import { ApnsClient, Notification } from "apns2";
import { Pool } from "undici";

import { work } from "./work.mjs";

export const client = new ApnsClient({
  team: work.teamId,
  keyId: work.keyId,
  signingKey: readFileSync(work.keyFile, "utf8"),
  defaultTopic: work.topic,
});
await client.client.close();
client.client = new Pool(work.url, {
  connections: 32,
  pipelining: 1,
  allowH2: true,
  maxConcurrentStreams: 100,
  connect: { ca: readFileSync(work.caFile) },
});

export function notificationOf(token, aps, options = {}) {
  return new Notification(token, { type: "liveactivity", priority: 10, expiration: 1900000000, aps, ...options });
}

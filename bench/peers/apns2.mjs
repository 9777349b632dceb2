// npm's apns2. It opens as many as 32 connections, and has no argument for another port than 443: its pool is made again, as it makes it.

import { readFileSync } from "node:fs";

import { ApnsClient, Notification } from "apns2";
import { Pool } from "undici";

import { payload, sendAll, work } from "./work.mjs";

const client = new ApnsClient({
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

const good = await sendAll(async (number, token) => {
  const notification = new Notification(token, {
    type: "liveactivity",
    priority: 10,
    expiration: 1900000000,
    aps: payload(number),
  });
  await client.send(notification);
  return true;
});
console.log(good);
await client.close();

// npm's @parse/node-apn: one Provider, one session.

import apn from "@parse/node-apn";

import { payload, sendAll, work } from "./work.mjs";

const provider = new apn.Provider({
  token: { key: work.keyFile, keyId: work.keyId, teamId: work.teamId },
  address: work.hostname,
  port: work.port,
  ca: work.caFile,
  production: true,
});

const good = await sendAll(async (number, token) => {
  const notification = new apn.Notification();
  notification.topic = work.topic;
  notification.pushType = "liveactivity";
  notification.priority = 10;
  notification.expiry = 1900000000;
  notification.rawPayload = { aps: payload(number) };
  const { sent, failed } = await provider.send(notification, token);
  for (const { error, status, response } of failed) console.error(`error: ${error?.message ?? `${status} ${response?.reason}`}`);
  return sent.length === 1;
});
console.log(good);
await provider.shutdown();

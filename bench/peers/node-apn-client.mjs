// npm's @parse/node-apn as its users have it: one Provider, and what they make of a push.

import apn from "@parse/node-apn";

import { work } from "./work.mjs";

export function providerOf(options = {}) {
  return new apn.Provider({
    token: { key: work.keyFile, keyId: work.keyId, teamId: work.teamId },
    address: work.hostname,
    port: work.port,
    ca: work.caFile,
    production: true,
    ...options,
  });
}

export function notificationOf(aps) {
  const notification = new apn.Notification();
  notification.topic = work.topic;
  notification.pushType = "liveactivity";
  notification.priority = 10;
  notification.expiry = 1900000000;
  notification.rawPayload = { aps };
  return notification;
}

// What npm's @parse/node-apn says of pushes: `sent`, or `failed` with Apple's answer or with an error of its own.

import { notificationOf, providerOf } from "../../bench/peers/node-apn-client.mjs";
import { converse } from "./line.mjs";

const provider = providerOf();
await converse(async ({ token, topic, aps }) => {
  const notification = notificationOf(aps);
  if (topic) notification.topic = topic;
  const { sent, failed } = await provider.send(notification, token);
  if (sent.length) return { status: 200 };
  const [{ status, response, error }] = failed;
  return { status, reason: response?.reason, timestamp: response?.timestamp, error: error?.message };
});
await provider.shutdown();

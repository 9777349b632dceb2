// What npm's @parse/node-apn says of channels and broadcasts, whole. Its argument: where channels are managed.

import { notificationOf, providerOf } from "../../bench/peers/node-apn-client.mjs";
import { converse } from "./line.mjs";

const { hostname, port } = new URL(process.argv[2]);
const provider = providerOf({ manageChannelsAddress: hostname, manageChannelsPort: Number(port) });

await converse(async ({ action, app, channel, expiry, payload, raw }) => {
  const notification = notificationOf({});
  notification.topic = undefined;
  notification.channelId = channel;
  notification.expiry = expiry ?? -1;
  notification.payload = payload ?? {};
  notification.rawPayload = raw;
  const { sent, failed } = await (action === "broadcast"
    ? provider.broadcast(notification, app)
    : provider.manageChannels(notification, app, action));
  return sent[0] ?? failed[0];
});
await provider.shutdown();

// npm's @parse/node-apn: one Provider, one session.

import { notificationOf, providerOf } from "./node-apn-client.mjs";
import { payload, sendAll } from "./work.mjs";

const provider = providerOf();
const good = await sendAll(async (number, token) => {
  const { sent, failed } = await provider.send(notificationOf(payload(number)), token);
  for (const { error, status, response } of failed) console.error(`error: ${error?.message ?? `${status} ${response?.reason}`}`);
  return sent.length === 1;
});
console.log(good);
await provider.shutdown();

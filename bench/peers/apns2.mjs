// npm's apns2. It opens as many as 32 connections.

import { client, notificationOf } from "./apns2-client.mjs";
import { payload, sendAll } from "./work.mjs";

const good = await sendAll(async (number, token) => {
  await client.send(notificationOf(token, payload(number)));
  return true;
});
console.log(good);
await client.close();

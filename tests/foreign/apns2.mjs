// What npm's apns2 says of pushes: nothing, or it throws an ApnsError with Apple's answer, or undici's error.

import { client, notificationOf } from "../../bench/peers/apns2-client.mjs";
import { converse } from "./line.mjs";

await converse(async ({ token, topic, aps }) => {
  try {
    await client.send(notificationOf(token, aps, topic ? { topic } : {}));
    return { status: 200 };
  } catch (error) {
    if (!error.response) return { error: error.message };
    return { status: error.statusCode, reason: error.reason, timestamp: error.timestamp };
  }
});
await client.close();

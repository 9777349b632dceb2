// An APNs that takes everything and says which push it answers. nghttpd is faster, but does not send `apns-id`.

import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const [certificate, port] = process.argv.slice(2);
const pem = readFileSync(certificate);
const server = createSecureServer({ cert: pem, key: pem, settings: { maxConcurrentStreams: 1000 } });
server.on("stream", (stream, headers) => {
  stream.resume();
  stream.respond({ ":status": 200, "apns-id": headers["apns-id"] ?? "" }, { endStream: true });
});
server.listen(Number(port), "127.0.0.1");

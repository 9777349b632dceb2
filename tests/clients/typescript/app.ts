// The day of by_python.py, told by openapi-fetch with the types that openapi-typescript makes of docs/openapi.json.
import createClient from "openapi-fetch";
import type { paths } from "./node_modules/.made/lockstep.js";

declare const process: { env: Record<string, string> };

const device = "7C9E6679-7425-40DE-944B-E07FC1F90AE7";
const card = "card-1";
const attributes_type = "OrderAttributes";
const token = "80a1f2c3d4e5f60718293a4b5c6d7e8f".repeat(2);

const as = (jwt: string) =>
  createClient<paths>({ baseUrl: process.env["LOCKSTEP_API"] ?? "", headers: { Authorization: `Bearer ${jwt}` } });
const ana = as(process.env["LOCKSTEP_JWT"] ?? "");
const told: [string, number, unknown][] = [];

const reported = await ana.PUT("/v1/devices/{device}", {
  params: { path: { device } },
  body: {
    observed_at_ms: Number(process.env["LOCKSTEP_NOW_MS"]),
    environment: "production",
    os_version: "18.2",
    start_tokens: [{ attributes_type, token }],
    cards: [],
  },
});
const order = reported.data?.activities[0];
if (!order) throw new Error("no order");
told.push(["report", reported.response.status, [order.activity, order.content_state, order.ended]]);

const startToken = "/v1/devices/{device}/start-tokens/{attributes_type}";
const passedOn = await ana.PUT(startToken, { params: { path: { device, attributes_type } }, body: { token } });
told.push(["start token", passedOn.response.status, passedOn.data ?? null]);

const carded = await ana.PUT("/v1/devices/{device}/cards/{card}", {
  params: { path: { device, card } },
  body: { activity: order.activity, run: order.run, token },
});
told.push(["card", carded.response.status, carded.data ?? null]);

const channel = "/v1/activities/{activity}/channel";
const found = await ana.GET(channel, { params: { path: { activity: "match-7" }, query: { environment: "production" } } });
told.push(["channel", found.response.status, found.data?.channel]);

const none = await ana.GET(channel, { params: { path: { activity: "order-42" }, query: { environment: "sandbox" } } });
told.push(["no channel", none.response.status, [none.error?.field, none.error?.message]]);

const short = await ana.PUT(startToken, { params: { path: { device, attributes_type } }, body: { token: "80a1" } });
told.push(["short token", short.response.status, [short.error?.field, short.error?.message]]);

const swiped = await ana.DELETE("/v1/devices/{device}/cards/{card}", {
  params: { path: { device, card }, query: { reason: "dismissed" } },
});
told.push(["card gone", swiped.response.status, swiped.data ?? null]);

const gone = await ana.DELETE("/v1/devices/{device}", { params: { path: { device } } });
told.push(["signed out", gone.response.status, gone.data ?? null]);

const nobody = await as("none").DELETE("/v1/devices/{device}", { params: { path: { device } } });
told.push(["nobody", nobody.response.status, nobody.error]);

console.log(JSON.stringify(told));

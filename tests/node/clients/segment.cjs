// Sends one of each with Segment's client for Node: `node segment.cjs URL KEY WHO`.
const { Analytics } = require("@segment/analytics-node");
const [url, writeKey, who] = process.argv.slice(2);
const at = new Date("2026-03-01T10:00:00.250Z");
const client = new Analytics({ writeKey, host: url, path: "/v1/batch", flushAt: 4, flushInterval: 50 });
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
client.identify({ userId: `${who}-u1`, anonymousId: `${who}-a1`, traits: { email: `${who}@example.com`, plan: "gold" }, timestamp: at });
client.track({
  userId: `${who}-u1`,
  event: "Order Completed",
  properties: { order_id: `${who}-o1`, total: 12.5, currency: "USD" },
  timestamp: at,
});
client.page({ userId: `${who}-u1`, name: "Home", properties: { url: "http://shop.local/" }, timestamp: at });
client.screen({ userId: `${who}-u1`, name: "Basket", timestamp: at });
client.group({ userId: `${who}-u1`, groupId: "acme", traits: { name: "Acme" }, timestamp: at });
client.alias({ userId: `${who}-u1`, previousId: `${who}-a2`, timestamp: at });
client.closeAndFlush({ timeout: 10000 });

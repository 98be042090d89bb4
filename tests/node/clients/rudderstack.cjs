// Sends one of each with RudderStack's client for Node: `node rudderstack.cjs URL KEY WHO`.
const module_ = require("@rudderstack/rudder-sdk-node");
const Analytics = module_.default ?? module_;
const [url, writeKey, who] = process.argv.slice(2);
const originalTimestamp = new Date("2026-03-01T10:00:00.250Z");
const client = new Analytics(writeKey, { dataPlaneUrl: url, flushAt: 4, flushInterval: 50 });
const said = [
  ["identify", { userId: `${who}-u1`, anonymousId: `${who}-a1`, traits: { email: `${who}@example.com`, plan: "gold" } }],
  ["track", { userId: `${who}-u1`, event: "Order Completed", properties: { order_id: `${who}-o1`, total: 12.5, currency: "USD" } }],
  ["page", { userId: `${who}-u1`, name: "Home", properties: { url: "http://shop.local/" } }],
  ["screen", { userId: `${who}-u1`, name: "Basket" }],
  ["group", { userId: `${who}-u1`, groupId: "acme", traits: { name: "Acme" } }],
  ["alias", { userId: `${who}-u1`, previousId: `${who}-a2` }],
];
const sent = said.map(
  ([method, message]) =>
    new Promise((resolve, reject) =>
      client[method]({ ...message, originalTimestamp }, (error) => (error ? reject(error) : resolve())),
    ),
);
Promise.all([...sent, client.flush()]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

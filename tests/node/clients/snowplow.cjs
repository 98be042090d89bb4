// Sends one of each with Snowplow's tracker for Node: `node snowplow.cjs URL KEY WHO METHOD`.
const snowplow = require("@snowplow/node-tracker");
const [url, appId, who, eventMethod] = process.argv.slice(2);
const when = { type: "ttm", value: Date.parse("2026-03-01T10:00:00.250Z") };
const tracker = snowplow.newTracker(
  { namespace: "shop", appId, encodeBase64: eventMethod === "get" },
  { endpoint: url, protocol: "http", eventMethod, bufferSize: eventMethod === "get" ? 1 : 4 },
);
const context = [{ schema: "iglu:com.example/visit/jsonschema/1-0-0", data: { channel: "mail" } }];
const order = { orderId: `${who}-o1`, total: 12.5, currency: "USD", tax: 2 };
const line = { orderId: `${who}-o1`, sku: "p1", name: "Tea", price: 6.25, quantity: 2, currency: "USD" };
const described = { schema: "iglu:com.example/coupon_used/jsonschema/1-0-0", data: { coupon: "SPRING", amount: 3 } };
const action = {
  schema: "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2",
  data: { type: "add_to_cart" },
};
const product = {
  schema: "iglu:com.snowplowanalytics.snowplow.ecommerce/product/jsonschema/1-0-0",
  data: { id: "p1", name: "Tea", price: 6.25, currency: "USD" },
};
tracker.setUserId(`${who}-u1`);
tracker.setDomainUserId(`${who}-a1`);
tracker.track(snowplow.buildPageView({ pageUrl: "http://shop.local/?utm_source=news", pageTitle: "Home" }), context, when);
tracker.track(snowplow.buildStructEvent({ category: "shop", action: "Basket Opened", label: "b1", value: 2 }), [], when);
tracker.track(snowplow.buildSelfDescribingEvent({ event: described }), [], when);
tracker.track(snowplow.buildSelfDescribingEvent({ event: action }), [product], when);
tracker.track(snowplow.buildEcommerceTransaction(order), [], when);
tracker.track(snowplow.buildEcommerceTransactionItem(line), [], when);
tracker.track(snowplow.buildScreenView({ name: "Basket" }), [], when);
tracker.track(snowplow.buildPagePing({ pageUrl: "http://shop.local/", maxYOffset: 300 }), [], when);
tracker.flush();

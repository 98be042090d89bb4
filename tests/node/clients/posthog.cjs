// Sends one of each with PostHog's client for Node: `node posthog.cjs URL KEY WHO`.
const { PostHog } = require("posthog-node");
const [url, key, who] = process.argv.slice(2);
const timestamp = new Date("2026-03-01T10:00:00.250Z");
const client = new PostHog(key, { host: url, flushAt: 20, flushInterval: 50 });
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
(async () => {
  client.capture({ distinctId: `${who}-a1`, event: "$pageview", properties: { $current_url: "http://shop.local/?utm_source=news", $process_person_profile: false }, timestamp });
  client.capture({ distinctId: `${who}-u1`, event: "Order Completed", properties: { order_id: `${who}-o1`, total: 12.5, currency: "USD", $set: { plan: "gold" } }, timestamp });
  client.identify({ distinctId: `${who}-u1`, properties: { email: `${who}@example.com`, $anon_distinct_id: `${who}-a1` } });
  client.identify({ distinctId: `${who}-u1`, properties: { $set: { city: "Riga" }, $set_once: { first_page: "/" }, $anon_distinct_id: `${who}-a1` } });
  client.alias({ distinctId: `${who}-a2`, alias: `${who}-u1` });
  client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { name: "Acme" } });
  const flag = await client.isFeatureEnabled("new-checkout", `${who}-u1`, { sendFeatureFlagEvents: false });
  const all = await client.getAllFlags(`${who}-u1`);
  await client.shutdown();
  console.log(JSON.stringify({ flag: flag ?? null, all }));
})();

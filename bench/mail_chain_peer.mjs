// nodemailer with DKIM and a pool of ten connections: `node mail_chain_peer.mjs PORT KEY FOLDER`.
// Reads how many messages to send, line by line, and says in how many seconds.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [port, key, folder, source] = process.argv.slice(2);
const nodemailer = createRequire(`${folder}/`)("nodemailer");
const { subject, rows, begin, end, text } = JSON.parse(readFileSync(source, "utf-8"));
const transport = nodemailer.createTransport({
  pool: true, host: "127.0.0.1", port: Number(port), secure: false, ignoreTLS: true,
  maxConnections: 10, maxMessages: Infinity,
  dkim: { domainName: "shop.example", keySelector: "amity1", privateKey: readFileSync(key, "utf-8") },
});
const escape = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function send(number) {
  const name = escape("Maria");
  const html = begin.replaceAll("{name}", name) + rows.map((p) =>
    `<tr><td><img src="${escape(p.image)}"></td><td><a href="${escape(p.url)}">${escape(p.name)}</a>` +
    `<br>${escape(p.words)}</td><td>${escape(p.price)}</td></tr>`).join("") + end.replaceAll("{name}", name);
  return transport.sendMail({
    from: "The shop <news@shop.example>", to: `p${number}@x.example`, subject, text, html,
    headers: { "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const count = Number(line), began = performance.now(), used = process.cpuUsage();
  await Promise.all(Array.from({ length: count }, (_, number) => send(number)));
  const spent = process.cpuUsage(used);
  console.log(JSON.stringify({ done: count, seconds: (performance.now() - began) / 1000,
    cpu_seconds: (spent.user + spent.system) / 1e6 }));
}
transport.close();

/* The demo storefront: by amity.js it asks Amity what to show, and tells Amity what happens. Nothing
   else is asked for, and nothing else is kept but the basket and the address signed in with. */

const $ = (id) => document.getElementById(id);
const ASSORTMENT = [
  ["coffee-beans", "Coffee beans", "Pantry", 8.5], ["olive-oil", "Olive oil", "Pantry", 11.9],
  ["honey", "Heather honey", "Pantry", 6.4], ["pasta", "Spelt pasta", "Pantry", 2.9], ["oranges", "Blood oranges", "Fresh", 3.2],
  ["bread", "Rye bread", "Fresh", 4.1], ["cheese", "Mountain cheese", "Fresh", 9.8],
  ["tomatoes", "Vine tomatoes", "Fresh", 3.6],
  ["soap", "Olive soap", "Home", 5.5], ["candle", "Beeswax candle", "Home", 12.0],
  ["towel", "Linen towel", "Home", 18.0], ["mug", "Stoneware mug", "Home", 14.5],
].map(([product_id, name, category, price]) => ({ product_id, name, category, price, currency: "USD" }));

const kept = {
  get(name, otherwise) {
    try { return JSON.parse(localStorage.getItem(`amity.shop.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  set(name, value) {
    try { localStorage.setItem(`amity.shop.${name}`, JSON.stringify(value)); } catch { /* private window */ }
  },
};

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

let basket = kept.get("basket", []);
let config = { name: "Shop", writeKey: "", currency: "USD", products: [] };
const decisions = {};
let shown = "hero";
let looked = null;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function say(words) {
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

function note(name) {
  const first = $("told").firstElementChild;
  if (first?.classList.contains("quiet")) first.remove();
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  $("told").prepend(make("li", {}, make("span", {}, name), make("span", {}, time)));
  while ($("told").children.length > 8) $("told").lastElementChild.remove();
}

/* The tracker needs the key of this shop's source, so it is asked for once that is known. */
function loadTracker() {
  return new Promise((loaded, failed) => {
    const script = make("script", { src: "/amity.js", onload: loaded, onerror: failed });
    Object.assign(script.dataset, { key: config.writeKey, consent: "assumed" });
    document.head.append(script);
  });
}

function track(event, properties) {
  note(event);
  amity.track(event, properties);
}

async function decide(slot, placement, context) {
  const content = await amity.decide(placement, context) ?? { message: "Amity cannot be reached now." };
  if (content.code === "unknown_placement") content.advice = `Make a placement with the key “${placement}” and it fills this space.`;
  decisions[slot] = content;
  if (slot === shown) explain(slot);
  return content;
}

function explain(slot) {
  shown = slot;
  for (const button of document.querySelectorAll("[data-note]")) button.setAttribute("aria-pressed", button.dataset.note === slot);
  const decision = decisions[slot];
  $("note-json").textContent = decision ? JSON.stringify(decision, null, 2) : "";
  $("note-words").textContent = decision ? words(decision) : "Nothing yet.";
}

function words(decision) {
  const first = decision.items?.[0];
  if (decision.message) return decision.advice ?? decision.message;
  if (!first) return `Nothing is shown: ${decision.reason || "there is nothing to show"}.`;
  const name = first.content.headline || first.content.name || first.item;
  const chance = decision.kind === "offers" ? ` It had a chance of ${(100 * first.propensity).toFixed(1)} %.` : "";
  return `“${name}” comes first.${chance} ${first.reason}`;
}

/* Tell once that something came into view. */
function whenSeen(node, then) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    if (node.isConnected) then();
  }, { threshold: 0.5 });
  watch.observe(node);
}

function link(url) {
  try {
    const target = new URL(url, location.href);
    return ["http:", "https:"].includes(target.protocol) ? target.href : "#shelf";
  } catch { return "#shelf"; }
}

async function showHero() {
  const decision = await decide("hero", "home_hero", { page: location.pathname });
  const item = decision.items?.[0];
  if (!item) {
    const title = decision.advice ? "This space is waiting for an offer" : "Welcome";
    $("hero").replaceChildren(make("h1", {}, title), make("p", {}, decision.advice ?? ""));
    return;
  }
  const properties = { decision_id: decision.decisionId, promotion_id: item.item, placement: decision.placement };
  const { headline, body, image_url: image, action_label: label, action_url: url } = item.content;
  const card = make("h1", {}, headline || item.item);
  const action = make("a", { href: link(url || "#shelf"), onclick: () => track("Promotion Clicked", properties) }, label || "Have a look");
  const nodes = [card, make("p", {}, body ?? ""), action];
  if (image?.startsWith("/") && !image.startsWith("//")) nodes.unshift(make("img", { src: image, alt: "" }));
  $("hero").replaceChildren(...nodes);
  whenSeen(card, () => track("Promotion Viewed", properties));
}

async function showLike() {
  const ids = basket.map((line) => line.product_id);
  const context = looked ? { product_id: looked.product_id, basket: ids } : { basket: ids };
  const decision = await decide("like", "also_bought", context);
  const items = decision.items ?? [];
  $("like-why").textContent = items.length ? items[0].reason : words(decision);
  const of = { decision_id: decision.decisionId };
  $("like").replaceChildren(...items.map((item) => tile({ product_id: item.item, ...item.content }, of)));
  const first = $("like").firstElementChild;
  const products = items.map((item, index) => ({ product_id: item.item, position: index + 1 }));
  if (first) whenSeen(first, () => track("Product List Viewed", { ...of, list_id: decision.placement, products }));
}

function colour(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return `c${1 + (sum % 6)}`;
}

function money(product) {
  if (product.price == null) return "";
  return new Intl.NumberFormat([], { style: "currency", currency: product.currency || config.currency }).format(product.price);
}

function facts({ product_id, name, category, price, currency }) {
  return { product_id, name, category, price: price ?? 0, currency: currency || config.currency };
}

function tile(product, decision = {}) {
  const name = product.name || `Product ${product.product_id}`;
  const clicked = () => decision.decision_id && track("Product Clicked", { ...decision, product_id: product.product_id });
  const node = make("li", { class: "tile" },
    make("button", { type: "button", class: "look", onclick: () => { clicked(); look(product, node); } },
      make("span", { class: `picture ${colour(product.category || name)}`, "aria-hidden": "true" }, name.slice(0, 1)),
      make("b", {}, name), make("small", {}, product.category || "")),
    make("div", { class: "foot" }, make("span", {}, money(product)),
      make("button", { type: "button", "aria-label": `Add ${name}`, onclick: () => { clicked(); add(product); } }, "Add")));
  return node;
}

function look(product, node) {
  for (const other of document.querySelectorAll("[data-chosen]")) delete other.dataset.chosen;
  node.dataset.chosen = "";
  looked = product;
  track("Product Viewed", facts(product));
  showLike();
}

function add(product) {
  const line = basket.find((each) => each.product_id === product.product_id);
  if (line) line.quantity += 1;
  else basket.push({ ...facts(product), quantity: 1 });
  track("Product Added", { ...facts(product), quantity: 1 });
  keepBasket();
  showLike();
}

const sum = () => basket.reduce((total, line) => total + line.price * line.quantity, 0);
const total = () => Math.round(100 * sum()) / 100;

function keepBasket() {
  kept.set("basket", basket);
  $("count").textContent = basket.reduce((count, line) => count + line.quantity, 0);
}

function openTill() {
  const lines = basket.map((line) => make("li", {}, make("span", {}, `${line.quantity} × ${line.name || line.product_id}`),
    make("span", {}, money({ ...line, price: line.price * line.quantity }))));
  $("lines").replaceChildren(...(lines.length ? lines : [make("li", { class: "quiet" }, "Nothing in it yet.")]));
  $("total").textContent = money({ price: total(), currency: basket[0]?.currency });
  $("pay").textContent = "Check out";
  $("pay").hidden = !basket.length;
  $("till").showModal();
}

function pay() {
  const products = basket.map((line) => ({ ...line }));
  const order = { order_id: orderId, total: total(), currency: products[0].currency, products };
  if ($("pay").textContent === "Check out") {
    orderId = order.order_id = `web-${newId().slice(0, 12)}`;
    track("Checkout Started", order);
    $("pay").textContent = `Buy for ${$("total").textContent}`;
    return;
  }
  basket = [];
  keepBasket();
  $("till").close();
  say("Thank you. Your order is placed.");
  track("Order Completed", order);
  again();
}
let orderId = "";

function signIn(event) {
  event.preventDefault();
  const email = $("email").value.trim();
  if (!email) return;
  kept.set("email", email);
  greet(email);
  note("identify");
  // Only the shop's server is believed when it says who somebody is.
  fetch("/shop/sign-in", { method: "POST", body: JSON.stringify({ email }) }).then(again);
}

function greet(email) {
  $("sign-in").hidden = Boolean(email);
  $("who").hidden = !email;
  $("who").replaceChildren(email ? `${email} ` : "", make("button", { type: "button", onclick: signOut }, "Sign out"));
}

/* Whoever signs out is another visitor from now on. */
function signOut() {
  kept.set("email", "");
  amity.reset();
  greet("");
  again();
}

/* What was told is known within moments; then it is decided anew. */
function again() {
  setTimeout(() => { showHero(); showLike(); }, 700);
}

function fillShelf() {
  const products = config.products.length ? config.products : ASSORTMENT;
  const categories = new Map();
  for (const product of products) {
    const name = product.category || "More";
    categories.set(name, [...(categories.get(name) ?? []), product]);
  }
  $("shelf").replaceChildren(...[...categories].map(([name, some]) => make("section", { "aria-label": name },
    make("h2", {}, name), make("ul", { class: "tiles" }, ...some.map((product) => tile(product))))));
}

async function begin() {
  try {
    config = await (await fetch("/shop.json")).json();
  } catch {
    say("The shop cannot be reached now. Load the page again in a moment.");
    return;
  }
  if (!config.writeKey) {
    $("main").hidden = $("sign-in").hidden = $("basket").hidden = true;
    say(config.advice);
    return;
  }
  document.title = $("name").textContent = config.name;
  try {
    await loadTracker();
  } catch {
    say("This shop works, but Amity cannot be told anything now. Does something block amity.js?");
    window.amity = { decide: async () => null, track() {}, identify() {}, reset() {} };
  }
  if (navigator.globalPrivacyControl) say("Your browser asks not to be followed: nothing is kept of this visit.");
  greet(kept.get("email", ""));
  keepBasket();
  fillShelf();
  note("page");
  $("sign-in").addEventListener("submit", signIn);
  $("basket").addEventListener("click", openTill);
  $("pay").addEventListener("click", pay);
  $("again").addEventListener("click", () => { showHero(); showLike(); });
  for (const button of document.querySelectorAll("[data-note]")) button.addEventListener("click", () => explain(button.dataset.note));
  await Promise.all([showHero(), showLike()]);
}

begin();

// What a page must keep, measured in the page itself. Returns a list of sentences, empty when all is well.
async (what) => {
  // What follows a change of theme or width is done in the frame after it.
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  // What fades in is looked at once it is there.
  for (const one of document.getAnimations())
    if (Number.isFinite(one.effect.getComputedTiming().endTime)) one.finish();
  const found = [];
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const spell = (element) => {
    const text = (element.innerText || element.value || "").trim().replace(/\s+/g, " ").slice(0, 30);
    const names = [...element.classList].map((name) => "." + name).join("");
    return `<${element.localName}${element.id ? "#" + element.id : ""}${names}> ${text}`;
  };
  const isShown = (element) => {
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) return false;
    for (let at = element; at; at = at.parentElement)
      if (getComputedStyle(at).clipPath === "inset(50%)") return false;
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.bottom + scrollY > 0;
  };

  // --- shape: one heading, labels, ids that are told apart, nothing wider than the page ----------
  const nameOf = (element) => {
    const by = (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    const labels = [...(element.labels || []), ...by.map((id) => document.getElementById(id))];
    const own = ["BUTTON", "A", "SUMMARY"].includes(element.tagName) ? element.textContent : "";
    const pictures = all("img[alt], svg[aria-label]", element).map((one) => one.getAttribute("alt") || one.getAttribute("aria-label"));
    return [element.getAttribute("aria-label"), ...labels.map((one) => one?.textContent), own, ...pictures, element.title]
      .join("").trim();
  };
  const checkShape = () => {
    const heads = all("h1").filter(isShown);
    if (heads.length !== 1) found.push(`${heads.length} h1`);
    if (!document.title.trim() || !document.documentElement.lang) found.push("no title or language");
    const named = "input:not([type=hidden]):not([aria-hidden=true]), select, textarea, button:not([aria-hidden=true]), a[href], summary";
    for (const element of all(named)) if (!nameOf(element)) found.push(`no label: ${spell(element)} ${element.name || element.href || ""}`);
    const ids = all("[id]").map((element) => element.id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) found.push(`the id ${id} twice`);
    const wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) {
      const clipped = (element) => {
        for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
          if (getComputedStyle(at).overflowX !== "visible") return true;
        return false;
      };
      const guilty = all("body *").filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 && !clipped(one));
      found.push(`${wide} px wide on ${innerWidth}: ${guilty.slice(0, 4).map(spell).join(" | ")}`);
    }
    if (innerWidth < 760)
      for (const table of all("table.cards").filter(isShown))
        if (table.scrollWidth > table.parentElement.clientWidth + 1) found.push(`a table cut off: ${spell(table)}`);
  };

  // --- contrast: WCAG 2.2 AA, 4.5 to 1, large text 3 to 1 -----------------------------------------
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [red, green, blue, alpha / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, at) => part * a + below[at] * (1 - a));
  const backgroundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = rgba(getComputedStyle(at).backgroundColor);
      if (layer[3]) layers.push(layer);
      if (layer[3] === 1) break;
    }
    const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacityOf = (element) => {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    return opacity;
  };
  const judge = (element, style, colour) => {
    const below = backgroundOf(element);
    const ink = rgba(colour);
    const above = over([ink[0], ink[1], ink[2], ink[3] * opacityOf(element)], below);
    const [less, more] = [light(above), light(below)].sort((a, b) => a - b);
    const ratio = (more + 0.05) / (less + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed - 0.005) found.push(`contrast ${ratio.toFixed(2)}: ${spell(element)}`);
  };
  const checkContrast = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (seen.has(element) || !node.data.trim() || element.closest("script, style, option, datalist")) continue;
      seen.add(element);
      if (element.closest("[disabled], [aria-disabled=true]") || !isShown(element)) continue;
      const style = getComputedStyle(element);
      judge(element, style, element.closest("svg") ? style.fill : style.color);
    }
    for (const field of all("input:not([type=hidden]), select, textarea")) {
      if (!isShown(field) || field.disabled) continue;
      judge(field, getComputedStyle(field), getComputedStyle(field).color);
      if (field.placeholder) judge(field, getComputedStyle(field), getComputedStyle(field, "::placeholder").color);
    }
  };

  // --- focus: whatever the keyboard reaches looks different once it is reached ---------------------
  const checkFocus = () => {
    const reach = all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']");
    const look = (element) => {
      const style = getComputedStyle(element);
      const row = element.closest("tr.go");
      return [style.boxShadow, style.outline, style.borderColor, style.backgroundColor, row && getComputedStyle(row).backgroundColor].join();
    };
    const before = document.activeElement;
    for (const element of reach) {
      if (!isShown(element) || element.disabled || element.tabIndex < 0) continue;
      document.activeElement?.blur();
      const plain = look(element);
      element.focus({ preventScroll: true });
      if (document.activeElement !== element) continue;
      if (!element.matches(":focus-visible") || look(element) === plain) found.push(`focus not seen: ${spell(element)}`);
    }
    before?.focus?.({ preventScroll: true });
  };

  if (what.includes("shape")) checkShape();
  if (what.includes("contrast")) checkContrast();
  if (what.includes("focus")) checkFocus();
  return [...new Set(found)];
}

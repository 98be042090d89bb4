// Charts: figures come as JSON with colours named var(--s1), drawn in the page's theme. What a mouse
// finds the keyboard finds too: arrow keys walk the points, Enter opens the row behind one.
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const PAPER = 660; // as wide as a chart may be on a printed page, in pixels

  // --- colours --------------------------------------------------------------------------------
  const probe = document.createElement("span");
  probe.hidden = true;
  const resolve = (value) => {
    if (typeof value === "string" && value.startsWith("var(--")) {
      document.body.append(probe);
      probe.style.color = value;
      return getComputedStyle(probe).color;
    }
    if (Array.isArray(value)) return value.map(resolve);
    if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
    return value;
  };

  // --- drawing --------------------------------------------------------------------------------
  const draw = (from = document, width = 0) => {
    if (!window.Plotly) return;
    for (const chart of $$(".chart[data-figure]", from)) {
      const { data, layout } = resolve(JSON.parse($("#" + chart.dataset.figure).textContent));
      if (width) layout.width = Math.min(width, chart.offsetWidth);
      // A finger that strokes over a chart means the page.
      if (matchMedia("(pointer: coarse)").matches)
        for (const [name, part] of Object.entries(layout)) if (/^[xy]axis/.test(name)) part.fixedrange = true;
      const isNew = !chart.classList.contains("drawn");
      if (isNew) chart.replaceChildren();
      chart.classList.add("drawn");
      window.Plotly.react(chart, data, layout, { responsive: true, displayModeBar: false });
      if (isNew) prepare(chart);
    }
  };

  // --- rows behind points: a point carries the key of its row -----------------------------------
  const linkOf = (chart, key) =>
    key && $(`tr[data-row="${CSS.escape(key)}"] a.whole`, chart.closest("section") || document);
  const keyAt = (chart, { curveNumber, pointNumber }) =>
    [pointNumber].flat().reduce((at, place) => at?.[place], chart.data[curveNumber].customdata);

  // --- walking: one list of points a series, a row of a heat map being one ----------------------
  const isLying = (trace) => trace.type === "funnel" || trace.orientation === "h";
  const seriesOf = (chart) =>
    chart.data
      .flatMap((trace, curveNumber) => {
        if (trace.hoverinfo === "skip" || trace.visible === "legendonly" || trace.type === "sankey") return [];
        if (trace.type === "heatmap")
          return trace.z.map((row, y) => row.map((value, x) => value !== null && { curveNumber, pointNumber: [y, x] }));
        const values = isLying(trace) ? trace.x : trace.y;
        return [values.map((value, pointNumber) => value !== null && { curveNumber, pointNumber })];
      })
      .map((points) => points.filter(Boolean))
      .filter((points) => points.length);
  const moves = {
    ArrowRight: ([line, place]) => [line, place + 1],
    ArrowLeft: ([line, place]) => [line, place - 1],
    ArrowDown: ([line, place]) => [line + 1, place],
    ArrowUp: ([line, place]) => [line - 1, place],
    Home: ([line]) => [line, 0],
    End: ([line]) => [line, Infinity],
  };
  // Of bars that lie, the next one is below.
  const turned = { ArrowRight: "ArrowDown", ArrowDown: "ArrowRight", ArrowLeft: "ArrowUp", ArrowUp: "ArrowLeft" };
  const within = (place, length) => Math.max(0, Math.min(place, length - 1));
  const places = new WeakMap();
  const show = (chart, point, spoken) => {
    window.Plotly.Fx.hover(chart, [point]);
    // Hovering is throttled; what it wrote is read once it stands there.
    setTimeout(() => {
      const words = $$(".hoverlayer text", chart).map((text) => [...text.childNodes].map((one) => one.textContent).join(" "));
      spoken.textContent = words.filter((one) => one.trim()).join(", ");
    }, 120);
  };
  const walk = (event, chart, spoken) => {
    const series = seriesOf(chart);
    if (!series.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = places.get(chart);
    if (event.key === "Enter" && at) return void linkOf(chart, keyAt(chart, at.point))?.click();
    if (event.key === "Escape") return void (places.delete(chart), window.Plotly.Fx.unhover(chart));
    const key = isLying(chart.data[series[0][0].curveNumber]) ? turned[event.key] || event.key : event.key;
    if (!moves[key]) return;
    event.preventDefault();
    let [line, place] = at ? moves[key]([at.line, at.place]) : [0, event.key === "End" ? Infinity : 0];
    line = within(line, series.length);
    place = within(place, series[line].length);
    places.set(chart, { line, place, point: series[line][place] });
    show(chart, series[line][place], spoken);
  };
  const prepare = (chart) => {
    const opens = chart.data.some((trace) => [trace.customdata].flat(2).some((key) => linkOf(chart, key)));
    chart.classList.toggle("opens", opens);
    chart.on("plotly_click", ({ points }) => linkOf(chart, points[0].customdata)?.click());
    if (!seriesOf(chart).length) return;
    const spoken = document.createElement("p");
    spoken.className = "sr";
    spoken.setAttribute("role", "status");
    chart.after(spoken);
    chart.tabIndex = 0;
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")}. Arrow keys walk its points${opens ? ", Enter opens one" : ""}; the table says the same.`);
    chart.addEventListener("keydown", (event) => walk(event, chart, spoken));
    chart.addEventListener("blur", () => {
      places.delete(chart);
      window.Plotly.Fx.unhover(chart);
    });
  };

  // --- when: at first, in what is swapped in, in another theme, on paper --------------------------
  document.addEventListener("DOMContentLoaded", () => draw());
  document.addEventListener("htmx:afterSettle", (event) => draw(event.detail.elt));
  document.addEventListener("amity:theme", () => draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    draw(document, PAPER);
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    draw();
  });
})();

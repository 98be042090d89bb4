// Sources and quarantine: tabs, a stream that stays short, choosing rows. No page needs it to work.
(() => {
  "use strict";
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Tabs by the usual keys; each shows its own panel.
  const select = (tab) => {
    for (const other of all("[role=tab]", tab.parentElement)) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    tab.focus();
  };
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (!tab) return;
    const tabs = all("[role=tab]", tab.parentElement);
    const at = tabs.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(tabs[(to + tabs.length) % tabs.length]);
  });

  // The stream keeps its newest rows and forgets that it was empty.
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id !== "stream") return;
    document.getElementById("waiting")?.remove();
    const rows = event.detail.target.children;
    while (rows.length > Number(event.detail.target.dataset.most)) rows[rows.length - 1].remove();
  });

  // Choosing rows: one box for all, and buttons that say how many.
  const count = () => {
    const chosen = all("input[name=id]:checked").length;
    for (const place of all("[data-chosen]")) place.textContent = chosen ? `(${chosen})` : "";
    for (const button of all("[data-needs-choice]")) button.disabled = !chosen;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose-all]"))
      for (const box of all("input[name=id]")) box.checked = event.target.checked;
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
    count();
  });
  document.addEventListener("DOMContentLoaded", count);
})();

// Amity's one script: keyboard, palette, drawer, toasts, live times. No page needs it to work.
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  // --- theme: the reader's own choice, else the system's -------------------------------------
  const theme = localStorage.getItem("amity-theme");
  if (theme) root.dataset.theme = theme;
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const setTheme = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("amity-theme", root.dataset.theme);
    document.dispatchEvent(new Event("amity:theme"));
  };

  // --- time: told in the reader's zone; the server learns the zone by a cookie ----------------
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  if (!document.cookie.includes("tz=" + zone)) document.cookie = `tz=${zone};path=/;max-age=31536000;samesite=lax`;
  const relative = new Intl.RelativeTimeFormat("en", { style: "short" });
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
  const ago = (moment) => {
    let value = (moment - Date.now()) / 1000;
    if (Math.abs(value) < 5) return "just now";
    for (const [unit, size] of steps) {
      if (Math.abs(value) < size) return relative.format(Math.round(value), unit);
      value /= size;
    }
  };
  const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const dated = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const showTimes = (from = document) => {
    for (const element of $$("time[data-style]", from)) {
      const moment = new Date(element.dateTime);
      if (isNaN(moment)) continue;
      element.title = exact.format(moment);
      const style = element.dataset.style;
      if (style === "ago") element.textContent = ago(moment);
      else if (style === "clock") element.textContent = clock.format(moment);
      else if (style === "seconds") element.textContent = seconds.format(moment);
      else if (style === "date") element.textContent = dated.format(moment);
    }
  };
  setInterval(showTimes, 20000);

  // --- toasts ---------------------------------------------------------------------------------
  const arm = (toast) => {
    $("button", toast)?.addEventListener("click", () => toast.remove());
    if (!toast.classList.contains("error")) setTimeout(() => toast.remove(), 7000);
  };
  const say = (text, level = "info") => {
    const toast = document.createElement("div");
    toast.className = "toast " + level;
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", "Dismiss");
    toast.append(words, close);
    $("#toasts").append(toast);
    arm(toast);
  };
  document.addEventListener("toast", (event) => say(event.detail.text || event.detail.value, event.detail.level));

  // --- drawer: a quick look at the right; opened by whatever is swapped into it ---------------
  let opener = null;
  const closeDrawer = () => {
    const drawer = $("#drawer");
    if (!drawer || drawer.hidden) return false;
    drawer.hidden = true;
    $("#drawer-body").replaceChildren();
    opener?.focus();
    return true;
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "drawer-body") return;
    opener = event.detail.requestConfig?.elt || document.activeElement;
    $("#drawer").hidden = false;
    $("#drawer").focus();
  });

  // --- palette --------------------------------------------------------------------------------
  const palette = () => $("#palette");
  const openPalette = () => {
    if (!palette() || palette().open) return;
    palette().showModal();
    const input = $("input", palette());
    input.select();
    window.htmx?.trigger(input, "look");
  };
  const choices = () => $$("[role=option]", palette());
  const choose = (index) => {
    const all = choices();
    if (!all.length) return;
    const next = all[(index + all.length) % all.length];
    all.forEach((item) => item.setAttribute("aria-selected", item === next));
    $("input", palette()).setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  };
  const chosen = () => choices().findIndex((item) => item.getAttribute("aria-selected") === "true");
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "palette-found") choose(0);
  });

  // --- keyboard -------------------------------------------------------------------------------
  let waitingForPage = 0;
  const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (palette()?.open && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Enter") choices()[Math.max(chosen(), 0)]?.click();
      else choose(chosen() + (event.key === "ArrowDown" ? 1 : -1));
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      return openPalette();
    }
    if (event.key === "Escape") return void closeDrawer();
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (event.key === "/") {
      event.preventDefault();
      openPalette();
    } else if (event.key === "?") {
      $("#keys")?.showModal();
    } else if (event.key === "g") {
      waitingForPage = Date.now();
    } else if (Date.now() - waitingForPage < 1500) {
      waitingForPage = 0;
      $(`.rail a[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
  });

  document.addEventListener("click", (event) => {
    const on = event.target.closest("[data-do]");
    if (!on) {
      if (event.target.tagName === "DIALOG") event.target.close();
      return;
    }
    const verbs = {
      find: openPalette,
      menu: () => on.setAttribute("aria-expanded", $(".rail").classList.toggle("open")),
      theme: setTheme,
      keys: () => $("#keys").showModal(),
      "close-drawer": closeDrawer,
      close: () => on.closest("dialog").close(),
      open: () => $(on.dataset.target).showModal(),
      copy: async () => {
        const from = on.dataset.target ? $(on.dataset.target).textContent : on.dataset.text;
        await navigator.clipboard.writeText(from.trim());
        say("Copied");
      },
      insert: () => insert(on.dataset.text),
      width: () => {
        on.closest(".card").classList.toggle("phone", on.dataset.width === "phone");
        $$("button", on.parentElement).forEach((button) => button.setAttribute("aria-pressed", button === on));
      },
    };
    verbs[on.dataset.do]?.();
  });
  // A field that must be typed to confirm: the button waits for the exact words.
  const hold = (field) => {
    $("button[type=submit]", field.form).disabled = field.value.trim() !== field.dataset.mustEqual;
  };
  document.addEventListener("input", (event) => {
    if (event.target.dataset.mustEqual !== undefined) hold(event.target);
  });

  // --- mail: variables go where the cursor was; a draft is posted into a fresh frame, which takes
  // the old one's place when it has loaded (a new frame leaves no entry in the history) ---------
  let lastField = null;
  document.addEventListener("focusin", (event) => {
    if (event.target.dataset.insert !== undefined) lastField = event.target;
  });
  const insert = (text) => {
    const field = lastField || $("[data-insert-main]");
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const showDraft = (button) => {
    const place = $(button.dataset.place);
    const fresh = place.children[0].cloneNode();
    fresh.removeAttribute("src");
    fresh.name = "mail-" + Date.now();
    fresh.classList.add("coming");
    place.append(fresh);
    fresh.addEventListener("load", () => {
      while (place.children[0] !== fresh) place.children[0].remove();
      fresh.classList.remove("coming");
    });
    button.formTarget = fresh.name;
    button.form.requestSubmit(button);
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    const button = event.detail.target.dataset.frames;
    if (button) showDraft($(button));
  });

  const ready = (from) => {
    showTimes(from);
    $$(".toast", from).forEach(arm);
    $$("[data-must-equal]", from).forEach(hold);
    $$("[data-frames-now]", from).forEach((panel) => showDraft($(panel.dataset.frames)));
  };
  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSettle", (event) => {
    showTimes(event.detail.elt);
    $$("[data-must-equal]", event.detail.elt).forEach(hold);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status !== 401) say(status === 403 ? "Your role does not allow that." : `That did not work (${status}). Try again.`, "error");
  });
  document.addEventListener("htmx:sendError", () => say("The server cannot be reached.", "error"));
})();

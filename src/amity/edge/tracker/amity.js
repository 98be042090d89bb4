/*
 * amity.js tells a shop's own Amity what happens on its pages, and asks it what to show.
 *
 *   <script src="https://collect.shop.example/amity.js" data-key="WRITE_KEY"
 *           data-consent="required" async></script>
 *
 * No text here runs over several lines, and comments have lines of their own: it is served without
 * indentation and comments, and nothing else is changed. docs/how-to/tracker.md tells every option.
 */
(function () {
  'use strict';
  const MOST_KEPT = 200;
  const A_BATCH = 20;

  const script = document.currentScript;
  const early = window.amity;
  if (!script || (early && early.track)) return;
  const option = script.dataset;
  const host = option.host || new URL(script.src).origin;
  const purpose = option.purpose || 'analytics';
  const gpc = navigator.globalPrivacyControl ? true : undefined;
  const cookieless = gpc || 'cookieless' in option;

  let storage = !cookieless;
  let anonymousId;
  let userId = null;
  let isNamed = false;
  let queue = [];

  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('');

  /* What is kept in the browser: only where it may be, and in memory where it cannot. */
  function get(name) {
    try {
      return JSON.parse(localStorage.getItem('amity.' + name));
    } catch (error) {
      storage = false;
    }
  }

  function set(name, value) {
    try {
      localStorage.setItem('amity.' + name, JSON.stringify(value));
    } catch (error) {
      storage = false;
    }
  }

  function setCookie(value, seconds) {
    document.cookie = 'amity_id=' + value + '; Path=/; SameSite=Lax; Max-Age=' + seconds + (location.protocol === 'https:' ? '; Secure' : '') + (option.domain ? '; Domain=' + option.domain : '');
  }

  let choices = (storage && get('consent')) || {};

  /* Whether it may be told what happens: yes, no, or not said yet. */
  function may() {
    return purpose in choices ? choices[purpose] : option.consent === 'assumed' || undefined;
  }

  const keeps = () => !cookieless && may();

  function visitor() {
    const kept = keeps() && /(?:^|; )amity_id=([\w-]+)/.exec(document.cookie);
    anonymousId = kept ? kept[1] : anonymousId || newId();
    // Thirteen months, which later visits do not make longer.
    if (keeps() && !kept) setCookie(anonymousId, 34128e3);
    return anonymousId;
  }

  function user() {
    const kept = keeps() && get('user');
    return keeps() && storage ? kept : userId;
  }

  function forget() {
    anonymousId = undefined;
    userId = null;
    isNamed = false;
    if (cookieless || may() === undefined) return;
    set('user', null);
    setCookie('', 0);
  }

  /* The queue: what the collector has not confirmed yet. It outlives the page once a choice is made. */
  const keepsQueue = () => storage && may() !== undefined;
  const load = () => (keepsQueue() && get('queue')) || queue;

  function save(events) {
    queue = events.slice(-MOST_KEPT);
    if (keepsQueue()) set('queue', queue);
  }

  function pack(events) {
    return JSON.stringify({ writeKey: option.key, batch: events, sentAt: new Date().toISOString() });
  }

  let underWay = 0;
  let failures = 0;
  let notBefore = 0;
  let timer;

  function soon(seconds) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      notBefore = 0;
      flush();
    }, seconds * 1000);
  }

  const maySend = () => may() !== undefined && navigator.onLine && Date.now() >= notBefore;

  function flush() {
    const batch = load().slice(0, A_BATCH);
    if (underWay || !batch.length || !maySend()) return;
    underWay = batch.length;
    const settle = (answer) => {
      underWay = 0;
      const status = answer && answer.status;
      if (!status || status === 408 || status === 429 || status > 499) {
        failures += 1;
        const told = status && Number(answer.headers.get('retry-after'));
        const seconds = (told || Math.min(300, 2 ** failures)) * (1 + Math.random() / 4);
        // Who comes back from being offline need not wait, who was told to does.
        if (status) notBefore = Date.now() + seconds * 1000;
        soon(seconds);
        return;
      }
      failures = 0;
      const sent = batch.map((event) => event.messageId);
      save(load().filter((event) => !sent.includes(event.messageId)));
      flush();
    };
    post('/v1/batch', pack(batch)).then(settle, () => settle());
  }

  /* A text is sent without asking the server first whether it may be (no preflight). */
  function post(path, body) {
    // Requests that outlive their page may have 64 KiB together.
    return fetch(host + path, { method: 'POST', body, keepalive: !failures && body.length < 6e4, credentials: 'omit' });
  }

  function leave() {
    if (!document.hidden || !maySend()) return;
    const left = load().slice(underWay);
    while (left.length) navigator.sendBeacon(host + '/v1/batch', pack(left.splice(0, A_BATCH)));
  }

  /* What stands in the address and the browser; nothing that tells one browser from another. */
  function context() {
    const campaign = {};
    new URLSearchParams(location.search).forEach((value, key) => {
      if (/^utm_/.test(key)) campaign[key === 'utm_campaign' ? 'name' : key.slice(4)] = value;
    });
    return {
      library: { name: 'amity.js', version: '1' },
      page: place(),
      campaign: Object.keys(campaign).length ? campaign : undefined,
      userAgent: navigator.userAgent,
      locale: navigator.language,
      webdriver: navigator.webdriver || undefined,
      cookieless: cookieless || undefined,
      gpc,
    };
  }

  let seen;
  let cameFrom = document.referrer;
  // Only an address behind the hash is another page; an anchor is not.
  const address = () => location.href.replace(/#(?![!/]).*/, '');

  function place() {
    return { path: location.pathname, search: location.search, url: location.href, title: document.title, referrer: cameFrom };
  }

  function put(type, fields) {
    const event = {
      type,
      messageId: newId(),
      timestamp: new Date().toISOString(),
      anonymousId: cookieless && !isNamed ? undefined : visitor(),
      userId: user() || undefined,
      context: context(),
    };
    // As it is now: the page may change its objects before they are sent.
    save(load().concat(JSON.parse(JSON.stringify(Object.assign(event, fields)))));
    if (!failures) soon(0);
  }

  function tell(type, fields) {
    if (may() !== false) put(type, fields);
  }

  const api = {
    track(event, properties) {
      tell('track', { event, properties });
    },

    page(name, properties) {
      if (seen && seen !== address()) cameFrom = seen;
      seen = address();
      tell('page', { name, properties: Object.assign(place(), properties) });
    },

    identify(id, traits) {
      const isId = id !== null && typeof id !== 'object';
      const known = user();
      // Somebody else at the same browser is not who was there before.
      if (isId && known && known !== String(id)) forget();
      isNamed = true;
      if (isId) {
        userId = String(id);
        if (keeps()) set('user', userId);
      }
      tell('identify', { traits: isId ? traits : id });
    },

    group(id, traits) {
      tell('group', { groupId: String(id), traits });
    },

    alias(id, previous) {
      isNamed = true;
      tell('alias', { userId: String(id), previousId: previous || visitor() });
    },

    consent(given) {
      if (!given) return Object.assign({}, choices);
      // A page may say what it knows each time it is opened; it counts when it is new.
      if (Object.keys(given).every((key) => choices[key] === given[key])) return;
      const before = may();
      if (before) {
        visitor();
        userId = user();
      }
      const waiting = load();
      choices = Object.assign({}, choices, given);
      if (!cookieless) set('consent', choices);
      if (keeps() && userId) set('user', userId);
      const isNo = may() === false;
      save(isNo && before !== false ? [] : waiting);
      // Of whom nothing was ever told, a no is not told either.
      if (before || userId || !isNo) put('track', { event: 'Segment Consent Preference Updated', properties: { categoryPreferences: given } });
      if (isNo) forget();
    },

    decide(placement, about) {
      const body = { writeKey: option.key, placement, context: about, anonymousId: may() ? visitor() : undefined };
      return post('/v1/decide', JSON.stringify(body)).then((answer) => answer.json()).catch(() => null);
    },

    reset: forget,
  };

  /* Nothing that goes wrong here may disturb the page. */
  const amity = {
    push(...calls) {
      calls.forEach((call) => {
        if (typeof call === 'function') safely(call, [amity]);
        else if (amity[call[0]]) amity[call[0]](...[].slice.call(call, 1));
      });
    },
  };

  function safely(what, values) {
    try {
      return what(...values);
    } catch (error) {
      console.warn('amity.js', error);
    }
  }

  Object.keys(api).forEach((name) => {
    amity[name] = (...values) => safely(api[name], values);
  });
  window.amity = amity;
  if (Array.isArray(early)) amity.push(...early);

  /* Pages are told by themselves, once each, also where addresses change without a load. */
  function arrive() {
    if (seen !== address()) amity.page();
  }

  // The page changes its title after its address.
  const arriveSoon = () => setTimeout(arrive);

  if (option.page !== 'off') {
    ['pushState', 'replaceState'].forEach((name) => {
      const original = history[name];
      history[name] = function () {
        original.apply(this, arguments);
        arriveSoon();
      };
    });
    addEventListener('popstate', arriveSoon);
    // What a browser loads ahead may never be looked at.
    if (document.prerendering) document.addEventListener('prerenderingchange', arrive);
    else arrive();
  }

  if ('outbound' in option) {
    document.addEventListener('click', (click) => {
      const link = click.target.closest && click.target.closest('a[href]');
      if (link && /^http/.test(link.protocol) && link.host !== location.host) amity.track('Link Clicked', { url: link.href });
    });
  }

  // The last that surely happens to a page, whether it is left, closed or put aside on a phone.
  document.addEventListener('visibilitychange', leave);
  addEventListener('online', flush);
  flush();
})();

"""Public links over HTTP: what they do, and what they never do."""

import itertools
import os
import random
import shutil
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.sync_api import sync_playwright

from amity.infra import database, tokens
from amity.store import api
from amity.testing.edge import running_edge

PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
ALL = {"marketing.email": True, "tracking.email": True, "profiling": True}


_numbers = itertools.count(1)
_people: dict[int, tuple[str, uuid.UUID]] = {}


@pytest.fixture(scope="module")
def source_id(module_db):
    return api.create_source(name="Shop", kind="server").source_id


@pytest.fixture(scope="module")
def edge(source_id):
    with running_edge() as running:
        yield running


@pytest.fixture
def ann(source_id):
    """A customer of this test's own."""
    return make_person(source_id)


def make_person(source_id, choices=ALL):
    at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    said = {"categoryPreferences": choices}
    number = next(_numbers)
    email, user = f"ann{number}@example.com", f"u{number}"
    name = "Segment Consent Preference Updated"
    events = [
        {"type": "identify", "userId": user, "traits": {"email": email}, "timestamp": at},
        {"type": "track", "userId": user, "event": name, "properties": said, "timestamp": at},
    ]
    raw = [msgspec.json.encode(event) for event in events]
    api.append_events(source_id=source_id, events=raw, now=datetime.now(UTC))
    fold()
    profile_id = api.find_profile(kind="user_id", value=user).profile_id
    _people[profile_id] = email, uuid.uuid4()
    return profile_id


def email_of(profile_id):
    return _people[profile_id][0]


def send_of(profile_id):
    """The message she got."""
    return _people[profile_id][1]


def fold():
    while api.fold_batch().events:
        pass


def point_token(kind, profile_id, *, purpose="marketing.email", days=None):
    key = api.contact_key(channel="email", address=email_of(profile_id))
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    send = send_of(profile_id).hex
    return tokens.sign(kind, [profile_id, "email", key, purpose, send], expires_at=expires_at)


def click_token(profile_id, *, link=1, url="https://shop.example/a?b=c", send=None):
    decision = "018f3c5e7b1a7c3d9e4f5a6b7c8d9e11"
    send = send or send_of(profile_id).hex
    return tokens.sign("click", [profile_id, send, link, url, decision, "offer_7"])


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


def ask(url, body=None, *, kind=None, method=None, agent=PERSON, **headers):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    request.add_header("User-Agent", agent)
    if kind:
        request.add_header("Content-Type", kind)
    opener = urllib.request.build_opener(Stay)
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def post(url, **fields):
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    return ask(url, body, kind="application/x-www-form-urlencoded")


ONE_CLICK = {
    "application/x-www-form-urlencoded": b"List-Unsubscribe=One-Click",
    "multipart/form-data; boundary=x7": (
        b'--x7\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        b"One-Click\r\n--x7--\r\n"
    ),
}


def statuses(profile_id):
    fold()
    consents = api.get_profile(profile_id=profile_id).consents
    return {purpose: consent.status for purpose, consent in consents.items()}


def happened(profile_id, name):
    fold()
    found = api.list_activity(profile_id=profile_id, names=[name]).items
    return [activity.properties for activity in reversed(found)]


def wait_for(profile_id, name, count):
    deadline = time.monotonic() + 60
    while len(found := happened(profile_id, name)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("kind", ONE_CLICK)
def test_one_click_unsubscribes_at_once_and_once(edge, ann, kind):
    url = f"{edge.url}/u/{point_token('unsubscribe', ann)}"
    for _ in range(3):
        status, headers, body = ask(url, ONE_CLICK[kind], kind=kind, agent="")
        assert (status, body) == (200, b"Your request has been received.\n")
        assert "Set-Cookie" not in headers
        assert headers["cache-control"] == "no-store"
    assert statuses(ann)["marketing.email"] == "withdrawn"
    [said] = happened(ann, "Unsubscribed")
    assert said == {"send_id": str(send_of(ann)), "channel": "email", "method": "one_click"}


def test_a_guess_is_answered_as_a_right_token_is(edge, ann):
    right = ask(f"{edge.url}/u/{point_token('unsubscribe', ann)}", b"x=y")
    for wrong in ("garbled", "v1.1.AAAA.AAAA", point_token("preferences", ann), "%00%ff", ""):
        status, _, body = ask(f"{edge.url}/u/{wrong}", b"List-Unsubscribe=One-Click")
        assert (status, body) == (right[0], right[2])
    assert len(happened(ann, "Unsubscribed")) == 1


def test_the_page_asks_first_and_can_be_taken_back(edge, ann):
    url = f"{edge.url}/u/{point_token('unsubscribe', ann)}"
    status, headers, body = ask(url)
    assert status == 200
    assert b"stop sending you <b>news and offers by e-mail</b>" in body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex"
    assert b"<script" not in body
    assert b"style=" not in body
    assert email_of(ann).encode() not in body
    assert happened(ann, "Unsubscribed") == []
    status, _, body = post(url, action="unsubscribe")
    assert status == 200
    assert b"You are unsubscribed" in body
    assert statuses(ann)["marketing.email"] == "withdrawn"
    undo = body.decode().split('action="/p/')[1].split('"')[0]
    status, _, body = post(f"{edge.url}/p/{undo}", action="undo")
    assert b"You are subscribed again" in body
    assert statuses(ann)["marketing.email"] == "granted"
    # The button is good for that one no: not for one that is said later, and for nothing else.
    time.sleep(0.01)
    post(url, action="unsubscribe")
    assert b"Nothing was changed" in post(f"{edge.url}/p/{undo}", action="undo")[2]
    assert statuses(ann)["marketing.email"] == "withdrawn"
    assert ask(f"{edge.url}/p/{undo}")[0] == 404
    assert post(f"{edge.url}/p/{undo}", action="save")[0] == 404


def test_a_no_is_not_turned_into_a_yes_by_taking_it_back(edge, source_id):
    never = make_person(source_id, {"marketing.email": False})
    url = f"{edge.url}/u/{point_token('unsubscribe', never)}"
    body = post(url, action="unsubscribe")[2]
    assert b"You are unsubscribed" in body
    assert b"/p/" not in body


def test_unsubscribing_works_when_the_profile_is_gone(edge, ann):
    url = f"{edge.url}/u/{point_token('unsubscribe', ann)}"
    api.erase_profile(profile_id=ann, by="test", now=datetime.now(UTC))
    assert ask(url)[0] == 200
    assert post(url, **{"List-Unsubscribe": "One-Click"})[0] == 200
    key = api.contact_key(channel="email", address=email_of(ann))
    point = api.find_contact_point(channel="email", address_key=key)
    assert "marketing.email" in point.objections
    preferences = f"{edge.url}/p/{point_token('preferences', ann, days=30)}"
    assert b"nothing about you" in post(preferences, action="save", **{"profiling": "yes"})[2]
    assert email_of(ann) not in str(api.list_received())


def test_preferences_are_shown_saved_and_shown_again(edge, ann):
    url = f"{edge.url}/p/{point_token('preferences', ann, days=30)}"
    page = ask(url)[2].decode()
    assert page.count(" checked") == 3
    assert "a…@example.com" in page
    assert email_of(ann) not in page
    page = post(url, action="save", **{"profiling": "yes"})[2].decode()
    assert "Saved." in page
    assert page.count(" checked") == 1
    expected = {"marketing.email": "withdrawn", "tracking.email": "denied", "profiling": "granted"}
    assert statuses(ann) == expected
    page = post(url, action="save", **{"profiling": "yes", "marketing.email": "yes"})[2].decode()
    assert page.count(" checked") == 2, "as saved, whether or not it has been folded"
    assert statuses(ann)["marketing.email"] == "granted"
    page = post(url, action="stop")[2].decode()
    assert page.count(" checked") == 0
    assert set(statuses(ann).values()) == {"withdrawn", "denied"}
    assert len(happened(ann, "Unsubscribed")) == 2


def test_saving_what_stands_records_nothing(edge, ann):
    url = f"{edge.url}/p/{point_token('preferences', ann, days=30)}"
    before = len(api.list_activity(profile_id=ann).items)
    assert "Saved." in post(url, action="save", **dict.fromkeys(ALL, "yes"))[2].decode()
    assert post(url, nonsense="1")[0] == 200
    fold()
    assert len(api.list_activity(profile_id=ann).items) == before


def test_an_old_preference_link_changes_nothing_and_asks_once_a_day(edge, ann):
    url = f"{edge.url}/p/{point_token('preferences', ann, days=-1)}"
    status, _, body = ask(url)
    assert status == 410
    assert b"expired" in body
    assert b" checked" not in body
    assert post(url, action="save")[0] == 410
    assert post(url, action="stop")[0] == 410
    assert set(statuses(ann).values()) == {"granted"}
    for _ in range(2):
        assert post(url, action="ask")[0] == 200
    assert len(happened(ann, "Preference Link Requested")) == 1


def test_a_click_leads_on_and_is_counted(edge, ann):
    status, headers, body = ask(f"{edge.url}/c/{click_token(ann)}")
    assert (status, headers["location"], body) == (302, "https://shop.example/a?b=c", b"")
    assert headers["referrer-policy"] == "no-referrer"
    [click] = wait_for(ann, "Email Link Clicked", 1)
    assert click == {
        "send_id": str(send_of(ann)),
        "link_url": "https://shop.example/a?b=c",
        "link": 1,
        "decision_id": "018f3c5e-7b1a-7c3d-9e4f-5a6b7c8d9e11",
        "promotion_id": "offer_7",
        "is_machine": False,
    }


def test_a_machine_that_follows_links_is_told_apart(edge, ann):
    def follow(number, *, agent=PERSON, method="GET", send=None, **headers):
        send = send or f"018f3c5e7b1a7c3d9e4f5a6b7c8d0{number:03}"
        url = f"{edge.url}/c/{click_token(ann, link=number, send=send)}"
        ask(url, method=method, agent=agent, **headers)

    follow(1, agent="Barracuda Sentinel (EE)")
    follow(2, **{"Sec-Purpose": "prefetch;prerender"})
    follow(3, method="HEAD")
    follow(3)
    follow(4, send=send_of(ann).hex)
    follow(5, send=send_of(ann).hex)
    follow(6, agent="")
    found = wait_for(ann, "Email Link Clicked", 6)
    assert {click["link"]: click.get("machine_reason", "") for click in found} == {
        1: "agent",
        2: "prefetch",
        3: "head_before",
        4: "",
        5: "several_links",
        6: "agent",
    }


def test_an_open_is_counted_once_a_minute_and_says_who_did_it(edge, ann):
    token = tokens.sign("open", [ann, send_of(ann).hex])
    for _ in range(3):
        status, headers, body = ask(f"{edge.url}/o/{token}.gif")
        assert (status, headers["content-type"], len(body)) == (200, "image/gif", 43)
        assert headers["cache-control"] == "no-store"
    assert len(wait_for(ann, "Email Opened", 1)) in {1, 2}, "a minute may have ended between"
    agents = ("Mozilla/5.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "YahooMailProxy; x")
    for number, agent in enumerate(agents):
        other = tokens.sign("open", [ann, f"018f3c5e7b1a7c3d9e4f5a6b7c8d000{number}"])
        ask(f"{edge.url}/o/{other}.gif", agent=agent)
    found = wait_for(ann, "Email Opened", 4)
    assert sum(one["is_machine"] for one in found) == 3
    assert ask(f"{edge.url}/o/garbled.gif")[2] == body


def test_who_takes_tracking_back_is_counted_no_more(edge, ann):
    links = (
        f"{edge.url}/c/{click_token(ann)}",
        f"{edge.url}/o/{tokens.sign('open', [ann, send_of(ann).hex])}",
    )
    preferences = f"{edge.url}/p/{point_token('preferences', ann, days=30)}"
    post(preferences, action="save", **{"marketing.email": "yes"})
    # Nothing is folded here: the no counts when it is given.
    assert ask(links[0])[0] == 302
    ask(links[1])
    time.sleep(0.3)
    post(preferences, action="save", **{"marketing.email": "yes", "tracking.email": "yes"})
    fold()
    ask(f"{edge.url}/c/{click_token(ann, link=9)}")
    found = wait_for(ann, "Email Link Clicked", 1)
    assert [click["link"] for click in found] == [9]
    assert happened(ann, "Email Opened") == []


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "ftp://a/b", "https://", "https://a\r\nX: y"]
)
def test_a_link_leads_to_the_web_or_nowhere(edge, ann, url):
    status, headers, _ = ask(f"{edge.url}/c/{click_token(ann, url=url)}")
    assert status == 404
    assert "location" not in headers


def test_a_target_in_any_script_is_carried_in_ascii(edge, ann):
    url = "https://bücher.example/größe?q=ä%20b#ü"
    headers = ask(f"{edge.url}/c/{click_token(ann, url=url)}")[1]
    expected = "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe?q=%C3%A4%20b#%C3%BC"
    assert headers["location"] == expected


def snapshot():
    """Return all that links could change; the collector's own bookkeeping left out."""
    queries = (
        "SELECT * FROM store_contact_point",
        "SELECT source_id, message_id, body FROM store_event_log ORDER BY id",
    )
    with database.transaction() as connection:
        return [connection.execute(query).fetchall() for query in queries]


def settled():
    """Return the snapshot once it stays: clicks of the tests before are told a moment later."""
    before = snapshot()
    for _ in range(40):
        time.sleep(0.5)
        now = snapshot()
        if now == before:
            return now
        before = now
    raise AssertionError("something goes on changing by itself")


def all_links(edge, profile_id):
    return [
        f"{edge.url}/u/{point_token('unsubscribe', profile_id)}",
        f"{edge.url}/p/{point_token('preferences', profile_id, days=30)}",
        f"{edge.url}/p/{point_token('preferences', profile_id, days=-2)}",
        f"{edge.url}/u/garbled",
        f"{edge.url}/pages.css",
    ]


def test_looking_changes_nothing(edge, ann):
    before = settled()
    for url in all_links(edge, ann):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            status, headers, body = ask(url, method=method)
            assert status in {200, 204, 404, 405, 410}
            assert "Set-Cookie" not in headers
            assert body == b"" if method in {"HEAD", "OPTIONS"} else body
    for path in (f"c/{click_token(ann)}", f"o/{tokens.sign('open', [ann, send_of(ann).hex])}.gif"):
        for method in ("HEAD", "OPTIONS", "POST"):
            ask(f"{edge.url}/{path}", method=method)
    time.sleep(0.2)
    assert snapshot() == before


@pytest.fixture
def scanner(edge):
    """A browser that runs scripts; ended before the database goes, which Django asks for."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium here: in CI the browser tests must run (scripts/browser.sh)")
        pytest.skip("no Chromium here; install the package chromium to run the browser tests")
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser.new_page()
        browser.close()


def test_a_scanner_with_a_browser_changes_nothing(edge, ann, scanner):
    before = settled()
    troubles = []
    scanner.on("console", lambda message: troubles.append(message.text))
    for url in all_links(edge, ann)[:2]:
        scanner.goto(url)
        scanner.wait_for_timeout(200)
        assert scanner.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == (
            "544px"
        ), "the style sheet is let in"
    assert snapshot() == before
    assert troubles == []


def test_the_buttons_work_in_a_browser(edge, ann, scanner):
    scanner.goto(f"{edge.url}/u/{point_token('unsubscribe', ann)}")
    scanner.get_by_role("button", name="Unsubscribe").click()
    scanner.get_by_role("heading", name="You are unsubscribed").wait_for()
    scanner.get_by_role("button", name="That was a mistake").click()
    scanner.get_by_role("heading", name="You are subscribed again").wait_for()
    scanner.goto(f"{edge.url}/p/{point_token('preferences', ann, days=30)}")
    scanner.get_by_label("Counting opens and clicks").uncheck()
    scanner.get_by_role("button", name="Save").click()
    scanner.get_by_role("status").wait_for()
    assert not scanner.get_by_label("Counting opens and clicks").is_checked()
    assert scanner.get_by_label("News and offers").is_checked()
    assert scanner.evaluate("document.documentElement.scrollWidth") <= 1280


def test_mutated_links_change_nothing(edge, ann):
    before = settled()
    rng = random.Random(20)
    for kind in ("unsubscribe", "preferences"):
        token = point_token(kind, ann)
        for _ in range(60):
            at = rng.randrange(len(token))
            letter = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
            if letter == token[at]:
                continue
            mutated = token[:at] + letter + token[at + 1 :]
            post(f"{edge.url}/{kind[0]}/{mutated}", action="stop")
            post(f"{edge.url}/{kind[0]}/{mutated}", action="unsubscribe")
    assert snapshot() == before

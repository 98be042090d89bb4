"""The screens in a real browser, on a whole installation: the main path, and every page."""

import json
import re
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from amity.testing.browser import Audit, card
from amity.testing.installation import Installation, wait_for
from amity.testing.template import begin_with

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]
expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong

PASSWORD = "four walruses in a teapot"
SEGMENT = "Came back within the month"
SLOWEST_MS = 200
SHOP = [
    {"type": "page", "name": "Home", "properties": {"path": "/", "title": "Welcome"}},
    {
        "type": "track",
        "event": "Product Viewed",
        "properties": {"product_id": "p1", "name": "Trail shoes", "price": 90},
    },
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory, template):
    made = begin_with(template, tmp_path_factory.mktemp("browser"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def api_key(installation):
    return installation.amity_json("key", "create", "Browser test", "--scope", "*")["key"]


@pytest.fixture(scope="module")
def sign_in(installation):
    """Sign a page in by a link of its own, without a word about passwords."""

    def enter(page: Page) -> None:
        page.goto(installation.amity("sign-in-link").stdout.strip())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/link/" not in url)

    return enter


def ask(installation: Installation, key: str, path: str, body: object = None) -> Any:
    """Ask the control API; with a body, POST it."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{installation.web}/api/v1{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def send(installation: Installation, write_key: str, *events: dict[str, Any]) -> float:
    """Send events as one batch; return the moment they were acknowledged."""
    batch = [{"messageId": str(uuid4()), **event} for event in events]
    status, answer = installation.collect("batch", {"batch": batch}, write_key)
    assert status == 200, answer
    return time.monotonic()


def order(user_id: str, number: str, *, days_ago: float = 0, total: float = 40) -> dict[str, Any]:
    """Make an order a customer completed."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": user_id,
        "originalTimestamp": at.isoformat(),
        "properties": {"order_id": number, "total": total},
    }


def customer(user_id: str, name: str, email: str) -> dict[str, Any]:
    """Make the event by which somebody becomes known, on the device named after them."""
    return {
        "type": "identify",
        "userId": user_id,
        "anonymousId": f"device-{user_id}",
        "traits": {"name": name, "email": email},
    }


# --- the main path -------------------------------------------------------------------------------


def test_from_a_link_to_a_customer_entering_a_segment_live(installation, api_key, page, chromium):
    sign_in_by_link_then_password(installation, page)
    write_key = make_source(page)
    watch_events_arrive(installation, page, write_key)
    find_by_search_and_by_keyboard(page)
    look_at_the_customer(page)
    segment_id = build_the_segment(page)
    watch_her_enter(installation, api_key, page, write_key, segment_id)
    look_as_a_viewer(installation, api_key, page, chromium, segment_id)


def sign_in_by_link_then_password(installation, page):
    link = installation.amity_json("sign-in-link")
    page.goto(link["url"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("password is set")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.goto(link["url"]).status == 410, "the link can be used once only"
    page.goto(f"{installation.web}/customers/")
    page.get_by_label("Name").fill(link["username"])
    page.get_by_label("Password").fill("not " + PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Name").fill(link["username"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Customers", level=1)).to_be_visible()


def make_source(page):
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Sources").click()
    page.get_by_role("link", name=re.compile("New source|Make the first source")).first.click()
    page.get_by_label("Name").fill("Web shop")
    page.get_by_role("button", name="Make the source").click()
    expect(page.get_by_role("heading", name="Web shop", level=1)).to_be_visible()
    key = card(page, "Write key")
    key.get_by_text("Show the key").click()
    return key.locator("pre").inner_text().strip()


def watch_events_arrive(installation, page, write_key):
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()
    ada = [{**event, "anonymousId": "device-ada"} for event in SHOP]
    send(installation, write_key, *ada)
    stream = card(page, "Live events")
    expect(stream.get_by_text("Product Viewed", exact=True)).to_be_visible()
    expect(page.get_by_text("Waiting for the first event")).to_have_count(0)
    send(
        installation,
        write_key,
        customer("ada", "Ada Lovelace", "Ada@Example.org"),
        order("ada", "A-1", days_ago=20),
        order("ada", "A-2", days_ago=2),
        customer("mia", "Mia Wallace", "mia@example.org"),
        order("mia", "M-1", days_ago=5),
    )
    expect(stream.get_by_text("Order Completed", exact=True)).to_have_count(3)
    expect(card(page, "Web shop").or_(page.locator("dl")).get_by_text("7").first).to_be_visible()
    assert page.evaluate("window.sameDocument"), "the page was loaded again"


def find_by_search_and_by_keyboard(page):
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Customers").click()
    search = page.get_by_role("searchbox", name="Search customers")
    search.press_sequentially("lovel")
    table = page.get_by_role("table")
    expect(table.get_by_role("link", name="Mia Wallace")).to_have_count(0)
    expect(table.get_by_role("link", name="Ada Lovelace")).to_be_visible()
    search.fill("")
    expect(table.get_by_role("link", name="Mia Wallace")).to_be_visible()

    page.get_by_role("heading", level=1).click()
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Find")).to_be_focused()
    page.keyboard.type("ada@ex")
    option = page.get_by_role("option", name="Ada Lovelace")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/customers/\d+/"))


def look_at_the_customer(page):
    expect(page.get_by_role("heading", name="Ada Lovelace", level=1)).to_be_visible()
    timeline = card(page, "What happened")
    expect(timeline.get_by_text("Trail shoes")).to_be_visible()
    expect(timeline.get_by_text(re.compile("order", re.IGNORECASE)).first).to_be_visible()
    for value in ("ada", "device-ada", "ada@example.org"):
        expect(card(page, "Known by").get_by_text(value, exact=True)).to_be_visible()
    expect(card(page, "Revenue")).to_contain_text("80")
    timeline.get_by_role("link", name="Orders").click()
    expect(timeline.get_by_text("Trail shoes")).to_have_count(0)


def build_the_segment(page):
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", name="Segments", level=1)).to_be_visible()
    page.get_by_role("link", name=re.compile("New segment|Start from nothing")).first.click()
    page.get_by_label("Name", exact=True).fill(SEGMENT)
    page.get_by_role("button", name="What they did").click()
    page.get_by_label("Name of the event").fill("Order Completed")
    with page.expect_response(re.compile("/segments/tree/")):
        page.get_by_label("How often").select_option("at_least")
    # The builder is drawn anew: what is typed before that is lost.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    count = page.get_by_label("How many times", exact=True)
    beside = page.locator("#preview")
    count.fill("1")
    expect(beside).to_contain_text("Mia Wallace")
    count.fill("2")
    page.get_by_label("Days").fill("30")
    expect(beside).not_to_contain_text("Mia Wallace")
    expect(beside).to_contain_text("Ada Lovelace")
    expect(beside).to_contain_text(re.compile(r"\b1\s*of \d+ customers"))
    expect(beside).to_contain_text(re.compile("at least 2 times.*30 days", re.IGNORECASE))
    page.locator("summary", has_text="The rule as text").click()
    shown = page.get_by_role("textbox", name="The rule as text")
    expect(shown).to_have_value(re.compile(r"at least 2 times in the last 30 days"))
    typed = shown.input_value()
    shown.fill(typed.replace("2 times", "2 moons"))
    expect(page.locator("#written-error")).to_contain_text("expected `times`")
    shown.fill(typed.replace("2 times", "3 times"))
    expect(count).to_have_value("3")
    shown.fill(typed)
    expect(count).to_have_value("2")
    expect(page.locator("#written-error")).to_be_empty()
    add_a_sequence(page, beside)
    page.get_by_role("button", name="Make the segment").click()
    expect(page.get_by_role("heading", name=SEGMENT, level=1)).to_be_visible()
    expect(card(page, "Now").get_by_text("live", exact=True)).to_be_visible(timeout=60_000)
    expect(card(page, "Entered lately").get_by_role("link", name="Ada Lovelace")).to_be_visible()
    return int(page.url.rstrip("/").rpartition("/")[2])


def add_a_sequence(page, beside):
    """Add "this, then that" in fields and take it out again; wrong words stand at their field."""
    still = page.locator(".htmx-request, .htmx-swapping, .htmx-settling")

    def press(name):
        with page.expect_response(re.compile("/segments/tree/")):
            page.get_by_role("button", name=name, exact=True).first.click()
        expect(still).to_have_count(0)

    page.locator("summary", has_text="More …").click()
    press("One thing, then another")
    steps = page.get_by_role("group", name="and later")
    expect(steps.get_by_label("Name of the event")).to_have_value("Order Completed")
    steps.get_by_label("Name of the event").fill("")
    expect(page.get_by_text("Fill in what is empty.")).to_be_visible()
    steps.get_by_label("Name of the event").fill("Checkout Started")
    expect(beside).to_contain_text("and then “Checkout Started”")
    with page.expect_response(re.compile("/segments/tree/")):
        page.get_by_label("Within which time").last.select_option("last")
    expect(still).to_have_count(0)
    page.get_by_label("Time zone").fill("Europe/Vienna")
    expect(beside).to_contain_text("in the last whole month (Europe/Vienna)")
    with page.expect_response(re.compile("/segments/tree/")):
        page.get_by_role("button", name="Remove this condition").last.click()
    expect(still).to_have_count(0)
    expect(beside).not_to_contain_text("Checkout Started")


def watch_her_enter(installation, api_key, page, write_key, segment_id):
    page.evaluate("window.sameDocument = true")
    mia = ask(installation, api_key, "/profiles/by/user_id/mia")["profile_id"]

    def segments_of_mia():
        inside = ask(installation, api_key, f"/profiles/{mia}/segments")["items"]
        return [stay for stay in inside if stay["segment_id"] == segment_id]

    assert segments_of_mia() == []
    acknowledged = send(installation, write_key, order("mia", "M-2"))
    wait_for(segments_of_mia, seconds=60, what="the membership")
    entered = time.monotonic() - acknowledged
    her = card(page, "Entered lately").get_by_role("link", name="Mia Wallace")
    her.wait_for(timeout=30_000)
    seen = time.monotonic() - acknowledged
    print(f"\nentered the segment {entered:.2f} s after the 200, on the screen after {seen:.2f} s")  # noqa: T201
    assert entered < 2, "a second is promised; a busy machine gets two"
    assert page.evaluate("window.sameDocument"), "the page was loaded again"
    her.click()
    expect(page.get_by_role("heading", name="Mia Wallace", level=1)).to_be_visible()
    expect(card(page, "Segments").get_by_role("link", name=SEGMENT)).to_be_visible()
    expect(card(page, "What happened")).to_contain_text(re.compile(f"entered.*{SEGMENT}", re.I))


def look_as_a_viewer(installation, api_key, page, chromium, segment_id):
    page.get_by_role("navigation", name="Main").get_by_role("link", name="People").click()
    page.get_by_label("Sign-in name").fill("vera")
    page.get_by_label("Role", exact=True).select_option("viewer")
    page.get_by_role("button", name="Add, and make a link").click()
    link = page.get_by_role("region", name="New sign-in link").locator("code").inner_text()
    context = chromium.new_context()
    vera = context.new_page()
    vera.goto(link.strip())
    vera.get_by_role("button", name="Sign in").click()
    vera.wait_for_url(lambda url: "/link/" not in url)
    vera.goto(f"{installation.web}/segments/{segment_id}/")
    expect(vera.get_by_role("heading", name=SEGMENT, level=1)).to_be_visible()
    for name in ("Edit", "Archive", "Duplicate", "Export"):
        expect(vera.get_by_role("link", name=name, exact=True)).to_have_count(0)
        expect(vera.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(vera.get_by_role("navigation", name="Main")).not_to_contain_text("Sources")
    token = json.loads(vera.locator("body").get_attribute("hx-headers") or "{}")
    headers = {**token, "Referer": vera.url}
    address = f"{installation.web}/segments/{segment_id}/archive/"
    answer = vera.request.post(address, headers=headers)
    assert answer.status == 403
    assert "role" in answer.text()
    for path in ("/segments/new/", "/sources/", "/settings/people/"):
        assert vera.goto(installation.web + path).status == 403, path
    assert ask(installation, api_key, f"/segments/{segment_id}")["state"] == "live"
    context.close()


# --- what every page keeps -----------------------------------------------------------------------


def open_what_floats(audit: Audit) -> None:
    """Look at the menu, the palette and the list of shortcuts as they stand open."""
    page = audit.page
    page.emulate_media(color_scheme="dark")
    page.goto(audit.origin)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    for name in ("Menu", "Shortcuts"):
        audit.at = name
        page.get_by_role("button", name=name).click()
        audit.look("shape", "contrast", "focus")
    audit.at = "palette"
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("s")
    expect(page.get_by_role("option").first).to_be_visible()
    audit.look("shape", "contrast")


def fill(installation: Installation, key: str) -> list[str]:
    """Send what strains a narrow page: long names without a gap, refusals, broken events.

    Returns the pages on which that is seen best.
    """
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    source = {"name": long[:70], "kind": "server"}
    made = ask(installation, key, "/sources", source)
    mail = f"{long[:60].lower()}@{'very-long-' * 5}domain.example"
    kim = customer("kim", long, mail)
    kim["traits"] |= {long.lower(): long * 3, "phone": "+49 30 123456", "born": "1933-02-13"}
    lee = customer("lee" + "0" * 60, "Lee Marvin", "lee@example.org") | {
        "anonymousId": "device-kim"
    }
    consent = {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": "kim",
        "context": {"consent": {"categoryPreferences": {"marketing.email": True, long: False}}},
    }
    odd = {"type": "track", "event": long * 2, "userId": "kim", "properties": {"name": long * 2}}
    broken = [{"type": "track"}, {"type": long}, {"type": "track", "event": 7, "userId": "kim"}]
    bought = order("kim", "K-" + long, days_ago=40, total=1_234_567.89)
    send(installation, made["write_key"], kim, lee, consent, odd, bought, *broken)
    rule = {"node": "check", "field": "profile.order_count", "is": {"op": "gte", "value": 1}}
    for name in ("Buyers", long[:80]):
        ask(installation, key, "/segments", {"name": name, "rule": rule, "description": long})
    profile_id = wait_for(lambda: find(installation, key, "kim"), what="the profile")
    return [f"/customers/{profile_id}/", f"/sources/{made['source_id']}/"]


def find(installation: Installation, key: str, user_id: str) -> int | None:
    """Return the profile of somebody who has arrived; None before that."""
    try:
        return ask(installation, key, f"/profiles/by/user_id/{user_id}")["profile_id"]
    except urllib.error.HTTPError:
        return None


def import_a_file(audit: Audit) -> None:
    """Take a file through the screens, with a row that cannot be understood."""
    page = audit.page
    page.goto(audit.origin + "/imports/")
    rows = "customer_id,email,first name,loyalty_tier\ncora,cora@example.org,Cora,gold\n,,Nobody,\n"
    file = {"name": "customers.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Look at the file").click()
    expect(page.get_by_role("heading", name="customers.csv", level=1)).to_be_visible()
    audit.look_around("a file before it is imported")
    page.get_by_role("button", name=re.compile("^Import ")).click()
    expect(page.get_by_text("finished")).to_be_visible(timeout=60_000)
    audit.look_around("a file that was imported")


def test_every_page_is_fit_for_a_phone_and_for_everybody(installation, api_key, sign_in, page):
    telling = fill(installation, api_key)
    audit = Audit(page, installation.web)
    audit.visit("/sign-in/")
    sign_in(page)
    import_a_file(audit)
    audit.walk("/", "/api/", "/settings/password/", *telling)
    open_what_floats(audit)
    slow = {path: round(took) for path, took in audit.milliseconds.items() if took > SLOWEST_MS}
    print(f"\n{len(audit.milliseconds)} pages, over {SLOWEST_MS} ms: {slow or 'none'}")  # noqa: T201
    assert len(audit.milliseconds) > 15, audit.milliseconds
    assert not audit.faults, "\n" + "\n".join(dict.fromkeys(audit.faults))

"""Charts of real answers in a real browser: walked by the keyboard, and printed."""

import random
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from amity.testing.installation import wait_for
from amity.testing.template import begin_with

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
BUSY_MS = 180_000
"""How long an answer may take on a machine that does much else."""
PAPER_PX = 660
CUSTOMERS = 60
LEAFLET = "A leaflet in the letter box of the whole neighbourhood and the next one"
CHANNELS = ("Search", "Friends", LEAFLET)


@pytest.fixture(scope="module")
def installation(tmp_path_factory, template):
    made = begin_with(template, tmp_path_factory.mktemp("charts")).without_mail()
    made.environment["AMITY_WAREHOUSE_SECONDS"] = "1"
    made.start()
    tell_of_a_year(made)
    yield made
    made.stop()


def tell_of_a_year(installation):
    """Send half a year of a shop: three channels, orders, answers, and pages before them."""
    key = installation.amity_json("source", "create", "Shop", "--kind", "server")["write_key"]
    rng = random.Random(5)
    now = datetime.now(UTC)
    events = [one for who in range(CUSTOMERS) for one in life_of(f"u{who}", who, rng, now)]
    for start in range(0, len(events), 200):
        batch = events[start : start + 200]
        assert installation.collect("batch", {"batch": batch}, key)[0] == 200

    def has_all():
        stats = installation.amity("stats").stdout
        return re.search(r"^profiles +0 ", stats, re.MULTILINE)

    wait_for(has_all, seconds=300, what="the fold")
    installation.amity("warehouse", "export")


def life_of(user_id, number, rng, now):
    """Make what somebody did: the first fifth buys every week, the last of all but once."""

    def event(days_ago, name, /, **properties):
        at = now - timedelta(days=days_ago)
        return {
            "type": "track",
            "event": name,
            "userId": user_id,
            "originalTimestamp": at.isoformat(),
            "messageId": str(UUID(int=rng.getrandbits(128), version=4)),
            "properties": properties,
        }

    begun = rng.uniform(90, 180)
    known = event(begun, "") | {"type": "identify"}
    known |= {"traits": {"name": user_id, "acquisition_channel": CHANNELS[number % 3]}}
    yield {name: known[name] for name in known if name not in {"event", "properties"}}
    for order in range(1 + 12 * (number % 5 == 0) + number % 4):
        days_ago = begun - 7 * order
        if days_ago < 1:
            return
        product = {"product_id": f"p{order % 3}", "name": f"Ware {order % 3}", "price": 10}
        yield event(days_ago + 0.01, "Product Viewed", **product)
        yield event(
            days_ago,
            "Order Completed",
            order_id=f"{user_id}-{order}",
            total=20 + number,
            products=[product | {"quantity": 2}],
        )
    yield event(begun - 1, "Survey Answered", kind="nps", post="Till", answer=number % 11)


@pytest.fixture
def staff(installation, page):
    """A page of somebody signed in."""
    page.goto(installation.amity("sign-in-link").stdout.strip())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/link/" not in url)
    return page


def answer(page: Page, origin: str, name: str) -> None:
    """Open a report and wait until it has computed its answer, which the page asks for itself."""
    page.goto(f"{origin}/reports/{name}/?days=365")
    told = page.locator("p.words").or_(page.locator(".empty h2"))
    expect(told.first).to_be_visible(timeout=BUSY_MS)
    drawn_all(page)


def drawn_all(page: Page) -> None:
    expect(page.locator(".chart:not(.drawn)")).to_have_count(0, timeout=BUSY_MS)


def test_the_keyboard_walks_a_chart_hears_its_points_and_opens_one(installation, staff):
    answer(staff, installation.web, "acquisition")
    chart = staff.get_by_role("img", name=re.compile("Arrow keys walk its points")).first
    heard = chart.locator("xpath=following-sibling::p[@role='status']")
    chart.focus()
    staff.keyboard.press("ArrowDown")
    first = first_row(staff)
    expect(heard).to_contain_text(re.compile(rf"\b{first['won']}\b"))
    expect(chart.locator(".hoverlayer text").first).to_be_visible()
    staff.keyboard.press("End")
    expect(heard).not_to_contain_text(re.compile(rf"^{re.escape(first['name'])}"))
    staff.keyboard.press("Home")
    expect(heard).to_contain_text(re.compile(rf"\b{first['won']}\b"))
    staff.keyboard.press("Enter")
    staff.wait_for_url(re.compile("/reports/acquisition/customers/"))
    expect(staff.get_by_role("heading", level=1)).to_be_visible()


def first_row(page: Page) -> dict[str, str]:
    cells = page.locator("tr[data-row]").first.locator("td")
    return {"name": cells.nth(0).inner_text(), "won": cells.nth(1).inner_text()}


def test_what_is_printed_is_light_whole_and_no_wider_than_paper(installation, staff):
    staff.set_viewport_size({"width": 1280, "height": 900})
    staff.emulate_media(color_scheme="dark")
    answer(staff, installation.web, "dimensions")
    dark = staff.locator(".chart .xtick text").first
    ink = "element => getComputedStyle(element).fill"
    before = dark.evaluate(ink)
    staff.emulate_media(media="print", color_scheme="dark")
    staff.evaluate("dispatchEvent(new Event('beforeprint'))")
    wide = "every => Math.max(...every.map(one => one.clientWidth))"
    assert staff.locator(".main-svg").evaluate_all(wide) <= PAPER_PX
    after = staff.locator(".chart .xtick text").first.evaluate(ink)
    assert after != before, "the ink of a dark page would not be seen on paper"
    for hidden in (".rail", "button", ".switch"):
        assert staff.locator(f"{hidden}:visible").count() == 0, hidden
    cut = "every => every.filter(one => getComputedStyle(one).overflowY !== 'visible').length"
    assert staff.locator(".scroll").evaluate_all(cut) == 0, "what is scrolled cannot be printed"
    staff.evaluate("dispatchEvent(new Event('afterprint'))")
    staff.emulate_media(media="screen", color_scheme="dark")
    assert staff.evaluate("document.documentElement.dataset.theme ?? ''") == ""

"""The demo storefront in a real browser: it shows what Amity decides, and tells what happens."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from amity.testing.chaos import connect
from amity.testing.installation import Installation, wait_for
from amity.testing.template import begin_with

PLACEMENTS = """
    INSERT INTO personalization_placement (key, name, kind, slots, policy) VALUES
    ('home_hero', 'Hero', 'offers', 1, 'thompson'),
    ('also_bought', 'Also bought', 'products', 4, 'also_bought')
"""
OFFER = """
    INSERT INTO personalization_offer (key, name, headline, body, action_label, action_url,
        placement_ids, state, rule)
    SELECT %(key)s, %(key)s, %(headline)s, 'Only this week.', 'See it', '#shelf', ARRAY[id], 'live',
           %(rule)s::jsonb
    FROM personalization_placement WHERE key = 'home_hero'
"""
KNOWN = {"node": "check", "field": "profile.email", "is": {"op": "eq", "value": "ann@example.com"}}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]


def names(installation: Installation) -> list[str]:
    with connect(installation) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM store_activity")]


def test_the_shop_shows_decisions_and_tells_what_happens(
    page: Page, tmp_path: Path, template: Path
) -> None:
    installation = begin_with(template, tmp_path)
    installation.environment["AMITY_DEMO_SHOP"] = "true"
    installation.start()
    try:
        installation.amity_json("source", "create", "Till", "--kind", "server")
        shop = f"{installation.edge}/shop"
        page.goto(shop)
        expect(page.get_by_role("status")).to_contain_text("no shop here yet")
        installation.amity_json("source", "create", "Corner web shop", "--kind", "browser")
        walk(page, installation, shop)
    finally:
        assert installation.stop() == 0


def walk(page: Page, installation: Installation, shop: str) -> None:
    wait_for(lambda: page.request.get(f"{shop}.json").json()["writeKey"], what="the source")
    page.goto(shop)
    expect(page.get_by_role("heading", name="waiting for an offer")).to_be_visible()
    with connect(installation) as connection:
        connection.execute(PLACEMENTS)
        connection.execute(OFFER, {"key": "everybody", "headline": "Fresh coffee", "rule": None})
        known = {"key": "known", "headline": "Welcome back", "rule": json.dumps(KNOWN)}
        connection.execute(OFFER, known)
    again = page.get_by_role("button", name="Decide again")
    hero = page.get_by_role("region", name="For you now")

    def shows(words: str) -> bool:
        again.click()
        page.wait_for_timeout(150)
        return words in hero.inner_text()

    wait_for(lambda: shows("Fresh coffee"), what="the offer")
    decision = json.loads(page.get_by_label("The answer of the decision API").inner_text())
    assert decision["items"][0]["propensity"] == 1
    expect(page.get_by_text("“Fresh coffee” comes first.")).to_be_visible()
    assert [kept["name"] for kept in page.context.cookies()] == ["amity_id"]
    hero.get_by_role("link", name="See it").click()
    page.get_by_role("button", name="Rye bread", exact=False).first.click()
    page.get_by_role("button", name="Add Rye bread").click()
    page.get_by_role("button", name="Add Heather honey").click()
    page.get_by_role("button", name="Basket 2").click()
    expect(page.get_by_role("dialog")).to_contain_text("Rye bread")
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("button", name="Buy for").click()
    expect(page.get_by_role("status")).to_contain_text("Your order is placed")
    page.get_by_label("Your e-mail address").fill("ann@example.com")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("ann@example.com")).to_be_visible()
    wait_for(lambda: shows("Welcome back"), what="the offer for her alone")
    told = {
        *("Page Viewed", "Promotion Viewed", "Promotion Clicked", "Product Viewed"),
        *("Product Added", "Checkout Started", "Order Completed", "Identify"),
    }
    wait_for(lambda: told <= set(names(installation)), what="all that was told")
    assert names(installation).count("Order Completed") == 1
    with connect(installation) as connection:
        (clicks,) = connection.execute(
            "SELECT sum(clicks) FROM personalization_arm"
        ).fetchone() or (0,)
    assert clicks == 1
    fits_a_phone(page)


def fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 740})
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        assert page.evaluate(wide) is False
    (known,) = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your e-mail address")).to_be_visible()
    # The shop decides for whoever comes next, so a new name may be kept already.
    left = [kept.get("value") for kept in page.context.cookies()]
    assert known.get("value") not in left, "whoever comes next is somebody else"

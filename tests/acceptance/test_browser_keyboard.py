"""The segment builder and the gallery of reports by keyboard alone, in a real browser."""

import pytest
from playwright.sync_api import Locator, Page, expect

from amity.testing.template import begin_with

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]
expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong

NAME = "Made by keyboard"
MOST_TABS = 250
IS_FOCUSED = "element => element === document.activeElement"
IS_MARKED = """element => {
  const style = getComputedStyle(element);
  return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
    || style.boxShadow !== "none";
}"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory, template):
    made = begin_with(template, tmp_path_factory.mktemp("keyboard"))
    made.start()
    yield made
    made.stop()


class Keyboard:
    """Who has no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def tab_to(self, target: Locator, key: str = "Tab") -> None:
        """Press Tab until the target has the focus, and see that it can be seen."""
        for _ in range(MOST_TABS):
            if target.evaluate(IS_FOCUSED):
                assert target.evaluate(IS_MARKED), f"the focus cannot be seen on {target}"
                return
            self.press(key)
        raise AssertionError(f"{target} is not reached by {key}")

    def press_where_it_is_drawn_again(self, key: str, element_id: str) -> None:
        """Press a key that lets the server draw an element again, and go on where one was."""
        element = self.page.locator(f"[id='{element_id}']")
        element.evaluate("element => { element.dataset.old = 'yes' }")
        self.press(key)
        expect(self.page.locator(f"[id='{element_id}']:not([data-old])")).to_be_focused()


def test_a_segment_is_built_and_saved_by_keyboard_alone(installation, page):
    page.goto(installation.amity("sign-in-link").stdout.strip())
    keyboard = Keyboard(page)
    keyboard.tab_to(page.get_by_role("button", name="Sign in"))
    keyboard.press("Enter")
    page.wait_for_url(lambda url: "/link/" not in url)
    page.goto(installation.web + "/segments/")
    keyboard.tab_to(page.get_by_role("link", name="New segment"))
    keyboard.press("Enter")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type(NAME)

    keyboard.tab_to(page.locator("#add-r-check"))
    keyboard.press("Enter")
    expect(page.locator("#r-of-0-name")).to_be_focused()
    page.keyboard.type("country")
    # Going on draws the test again, by the type of what customers have; the focus stays.
    keyboard.press_where_it_is_drawn_again("Tab", "r.of.0.op")
    keyboard.press_where_it_is_drawn_again("ArrowDown", "r.of.0.op")
    keyboard.press_where_it_is_drawn_again("ArrowUp", "r.of.0.op")
    keyboard.tab_to(page.locator("[name='r.of.0.v.value']"))
    page.keyboard.type("FR")

    keyboard.tab_to(page.locator("#add-r-did"))
    keyboard.press("Space")
    expect(page.locator("#r-of-1-event")).to_be_focused()
    page.keyboard.type("Order Completed")
    keyboard.tab_to(page.locator("#r-of-1-times"), "Shift+Tab")
    keyboard.press_where_it_is_drawn_again("ArrowDown", "r-of-1-times")
    expect(page.locator("#r-of-1-event")).to_have_value("Order Completed")
    keyboard.tab_to(page.get_by_role("button", name="Remove this condition").nth(1))
    keyboard.press("Enter")
    expect(page.locator("#r-of-1-event")).to_have_count(0)
    expect(page.locator("#add-r-did")).to_be_focused()
    expect(page.locator("[name='r.of.0.v.value']")).to_have_value("FR")

    keyboard.tab_to(page.get_by_role("button", name="Make the segment"))
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name=NAME, level=1)).to_be_visible()
    held = installation.amity_json("segment", "list", "--search", NAME)["items"]
    check = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}
    assert [each["rule"] for each in held] == [{"node": "all", "of": [check]}]

    page.goto(installation.web + "/reports/")
    first = page.locator("main a[href^='/reports/']").first
    address = first.get_attribute("href")
    keyboard.tab_to(first)
    keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith(address))

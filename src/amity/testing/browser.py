"""What tests share that walk the pages in a real browser: finding cards, looking a page over."""

import re
from pathlib import Path
from typing import Final

from playwright.sync_api import ConsoleMessage, Locator, Page, ViewportSize, expect

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
_FITS: Final = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
_FOLLOWING_TIMES: Final = 60
_AUDIT: Final = Path(__file__).with_name("browser_audit.js").read_text("utf-8")
_PLUG_INS: Final = [
    f"/connectors/{kind}/" for kind in ("webhook", "client", "file", "asked", "out")
]
_NAMED: Final = "|".join(
    rf"(?<={place})(?!new/)[\w.]+"
    for place in (
        *_PLUG_INS,
        "/models/scores/",
        "/reports/metrics/",
        "/retention/rules/",
        "/purposes/",
    )
)
_ID: Final = re.compile(rf"[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|{_NAMED}|\d+")
"""What tells pages of one kind apart: one of each kind is looked at, the others have to answer."""
_ABOUT: Final = """() => {
  const told = performance.getEntriesByType("navigation")[0];
  const links = [...document.querySelectorAll("a[href]:not([download])")];
  return [told.responseStart - told.requestStart, links.map(link => link.pathname)];
}"""
_UNFOLD: Final = """() => {
  const folded = [...document.querySelectorAll("main details:not([open])")];
  folded.forEach(one => one.open = true);
  return folded.length > 0;
}"""


def card(page: Page, heading: str) -> Locator:
    """Return the part of the page under one heading."""
    return page.locator("section", has=page.get_by_role("heading", name=heading, exact=True)).last


class Audit:
    """A phone in the dark, walking the pages and noting what is wrong with each."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.faults: list[str] = []
        self.milliseconds: dict[str, float] = {}
        self.at = ""
        page.set_viewport_size(PHONE)
        page.on("pageerror", lambda error: self.note(f"script error: {error}"))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(f"{message.text} {message.location.get('url', '')}")

    def note(self, fault: str) -> None:
        """Write down what is wrong with the page looked at."""
        self.faults.append(f"{self.at}: {fault}")

    def visit(self, path: str) -> list[str]:
        """Look at one page from all sides; return where it leads."""
        self.at = path
        answer = self.page.goto(self.origin + path)
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            return []
        if answer.status != 200:
            self.note(f"answered {answer.status}")
        self.milliseconds[path], before = self.page.evaluate(_ABOUT)
        self.look_around(path)
        after: list[str] = self.page.evaluate(_ABOUT)[1]
        return list(dict.fromkeys([*before, *after]))

    def look_around(self, name: str) -> None:
        """Look at it on a phone in the dark, unfolded, on a desk by daylight, each dialog open."""
        self.at = name
        self.page.bring_to_front()  # a page behind another draws one frame a second
        self.page.emulate_media(color_scheme="dark")
        expect(self.page.locator(".chart:not(.drawn)")).to_have_count(0)
        self.look("shape", "contrast", "focus")
        if self.page.evaluate(_UNFOLD):
            self.look("shape", "contrast")
        self.page.emulate_media(color_scheme="light")
        self.resize(DESK)
        self.look("shape", "contrast")
        self.resize(PHONE)
        for button in self.page.locator("[data-do=open]:visible").all():
            button.click()
            self.look("shape", "contrast")
            self.page.keyboard.press("Escape")
            expect(self.page.locator("dialog[open]")).to_have_count(0)

    def resize(self, size: ViewportSize) -> None:
        """Change the window; charts follow it a moment later, so they are given one."""
        self.page.set_viewport_size(size)
        # Asked again and again from here: the pages let no script be made from text.
        for _ in range(_FOLLOWING_TIMES):
            if self.page.evaluate(_FITS):
                return
            self.page.wait_for_timeout(50)

    def look(self, *what: str) -> None:
        """Note what the audit finds now."""
        if "focus" in what:
            self.page.keyboard.press("Shift")  # from here on it is shown, as for a keyboard
        self.faults += [f"{self.at}: {fault}" for fault in self.page.evaluate(_AUDIT, list(what))]

    def walk(self, *start: str, below: tuple[str, ...] = ("/",)) -> None:
        """Visit every kind of page links lead to; an id in an address makes no other kind.

        What only has another name is asked for without looking at it.
        """
        waiting = list(start)
        seen = {_ID.sub("0", path) for path in start}
        asked = set(start)
        while waiting:
            for link in self.visit(waiting.pop(0)):
                kind = _ID.sub("0", link)
                if link in asked or link.startswith("/admin") or not link.endswith("/"):
                    continue
                if not link.startswith(below):
                    continue
                if kind not in seen:
                    seen.add(kind)
                    asked.add(link)
                    waiting.append(link)
                elif re.search(_NAMED, link):
                    asked.add(link)
                    self._ask(link)

    def _ask(self, path: str) -> None:
        answer = self.page.request.get(self.origin + path)
        if answer.status != 200:
            self.faults.append(f"{path}: answered {answer.status}")

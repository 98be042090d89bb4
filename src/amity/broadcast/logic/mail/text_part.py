"""The text part of a message, made from its HTML: readable by itself, with Liquid still in it."""

import re
from html.parser import HTMLParser
from typing import Final

from amity.broadcast.logic.templates.source import Aside

_SILENT: Final = frozenset(("head", "style", "script", "title", "template"))
_VOID: Final = frozenset(("br", "hr", "img", "input", "meta", "link", "col", "wbr", "area", "base"))
_APART: Final = ("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "ul", "ol")
_LINES: Final = ("div", "table", "tr", "section", "article", "header", "footer")
_BEFORE: Final = {
    **dict.fromkeys(_APART, "\n\n"),
    **dict.fromkeys(_LINES, "\n"),
    "br": "\n",
    "hr": "\n\n---\n\n",
}
_AFTER: Final = dict.fromkeys(_APART, "\n\n") | dict.fromkeys((*_LINES, "td"), "\n")
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES: Final = re.compile(r"[ \t\r\n\f\u00a0\u034f\u200b-\u200d\ufeff]+")
_GAP: Final = re.compile(r"\n{3,}")


class _Reader(HTMLParser):
    """Writes down what a reader would see, in the order of the HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._silent: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        is_hidden = tag in _SILENT or _HIDDEN.search(found.get("style") or "") is not None
        if self._silent or is_hidden:
            if tag not in _VOID:
                self._silent.append(tag)
        elif tag == "img":
            self._out.append(found.get("alt") or "")
        elif tag == "a":
            self._links.append((found.get("href") or "", len(self._out)))
        elif tag == "li":
            self._begin_item()
        elif tag in ("ul", "ol"):
            self._out.append("" if self._lists else "\n\n")
            self._lists.append(1 if tag == "ol" else 0)
        else:
            self._out.append(_BEFORE.get(tag, ""))

    def _begin_item(self) -> None:
        number = self._lists[-1] if self._lists else 0
        self._out.append("\n" + "  " * (len(self._lists) - 1))
        self._out.append(f"{number}. " if number else "- ")
        if number:
            self._lists[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                while self._silent.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            self._end_link()
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._out.append("" if self._lists else "\n\n")
        else:
            self._out.append(_AFTER.get(tag, ""))

    def _end_link(self) -> None:
        url, begin = self._links.pop()
        words = _SPACES.sub(" ", "".join(self._out[begin:])).strip()
        # A picture without words is there to be looked at.
        if words and url and not url.startswith("#"):
            self._out[begin:] = [url if words == url else f"{words} ({url})"]

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._out.append(_SPACES.sub(" ", data))

    def text(self) -> str:
        lines = "".join(self._out).split("\n")
        # An item's indent is kept, other spaces around a line are not.
        kept = (x.rstrip() if x.lstrip().startswith("- ") else x.strip() for x in lines)
        return _GAP.sub("\n\n", "\n".join(kept)).strip() + "\n"


def make_text(html: str) -> str:
    """Return the text part of a message: links as "text (address)", lists and headings kept."""
    aside = Aside(html)
    reader = _Reader()
    reader.feed(aside.text)
    reader.close()
    return aside.back(reader.text())

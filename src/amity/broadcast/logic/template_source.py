"""From what was written, MJML or HTML with Liquid in it, to the HTML that is filled in per person.

MJML is resolved and style sheets are put into the elements once, when a template is saved. Both
would take Liquid apart, so each piece of Liquid is kept aside meanwhile under a name of letters
and digits, and must come back: what was lost on the way is refused.
"""

import re
from collections.abc import Callable
from typing import Final

import css_inline
import mrml

from amity.kernel.errors import Invalid

_LIQUID: Final = re.compile(
    r"\{%-?\s*(raw|comment)\s*-?%\}.*?\{%-?\s*end\1\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL
)
_MJML: Final = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<mjml\b", re.DOTALL)
_LEFT: Final = re.compile(r"<(mj-[a-z-]+)")
_PLACE: Final = re.compile(r"at position (\d+):\d+")
_STYLE: Final = re.compile(r"<style\b", re.IGNORECASE)
_VOID: Final = re.compile(r"<(br|hr|img|wbr)\b([^>]*?)\s*/?>", re.IGNORECASE)


def is_mjml(source: str) -> bool:
    """Say whether a source is MJML."""
    return _MJML.match(source) is not None


class Aside:
    """Pieces of Liquid taken out of a text, and put back."""

    def __init__(self, source: str, wrap: Callable[[str, bool], str] | None = None) -> None:
        self._pieces: dict[str, str] = {}
        self._source = source
        self._wrap = wrap
        salt = 0
        while f"lq{salt}x" in source:
            salt += 1
        self._prefix = f"lq{salt}x"
        self.text = _LIQUID.sub(self._take, source)
        self._back = re.compile(rf"(?:<!--)?({self._prefix}\d+x)(?:-->)?")

    def _take(self, match: "re.Match[str]") -> str:
        name = f"{self._prefix}{len(self._pieces)}x"
        self._pieces[name] = match[0]
        before = self._source
        is_inside = before.rfind("<", 0, match.start()) > before.rfind(">", 0, match.start())
        return name if self._wrap is None else self._wrap(name, is_inside)

    def back(self, text: str) -> str:
        """Return a text with the pieces in their places."""
        return self._back.sub(lambda match: self._pieces[match[1]], text)

    def original(self, name: str) -> str:
        """Return the piece that stands under a name, or the name when it is none."""
        return self._pieces.get(name, name)

    def list_lost(self, text: str) -> list[str]:
        """Return the pieces that are not in a text any more."""
        return [piece for name, piece in self._pieces.items() if name not in text]


def make_html(source: str) -> str:
    """Return the HTML of a source, with Liquid still in it; raises Invalid with what is wrong."""
    if not source.strip():
        raise Invalid("the message is empty", code="bad_template")
    if is_mjml(source):
        return _from_mjml(source)
    return _inline(source) if _STYLE.search(source) else source


def _from_mjml(source: str) -> str:
    aside = Aside(source)
    # MJML is XML, yet everybody writes <br>.
    text = _VOID.sub(r"<\1\2 />", aside.text)
    try:
        made = mrml.to_html(text).content
    except OSError as error:
        raise _invalid(str(error), text, aside) from error
    unknown = _LEFT.search(made)
    if unknown is not None:
        raise Invalid(f"MJML: there is no element <{unknown[1]}> here", code="bad_template")
    lost = aside.list_lost(made)
    if lost:
        line = source.count("\n", 0, source.index(lost[0])) + 1
        raise Invalid(
            f"line {line}: {lost[0][:60]} stands where MJML drops it; put it into <mj-raw>",
            code="bad_template",
        )
    return aside.back(made)


def _invalid(words: str, text: str, aside: Aside) -> Invalid:
    found = _PLACE.search(words)
    line = ""
    if found is not None:
        before = aside.back(text[: int(found[1])])
        line = f", line {before.count(chr(10)) + 1}"
    return Invalid(f"MJML{line}: {aside.back(words)}", code="bad_template")


def _inline(source: str) -> str:
    # Between the rows of a table only a comment stays where it is.
    aside = Aside(source, lambda name, is_inside: name if is_inside else f"<!--{name}-->")
    inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    try:
        made = inliner.inline(aside.text)
    except (css_inline.InlineError, ValueError) as error:
        raise Invalid(f"the style sheet cannot be read: {error}", code="bad_template") from error
    lost = aside.list_lost(made)
    if lost:
        raise Invalid(f"{lost[0][:60]} cannot stand where it does", code="bad_template")
    return aside.back(made)

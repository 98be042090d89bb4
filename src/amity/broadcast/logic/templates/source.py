"""From what was written, MJML or HTML with Liquid in it, to the HTML that is filled in per person.

MJML is resolved and style sheets are put into the elements once, when a template is saved. Both
would take Liquid apart, so each piece of Liquid is kept aside meanwhile under a name of letters
and digits, and must come back: what was lost on the way is refused.
"""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

import css_inline
import mrml

from amity.broadcast.logic.liquid.compiling import check_pieces
from amity.kernel.errors import Invalid

_LIQUID: Final = re.compile(
    r"\{%-?\s*(raw|comment)\s*-?%\}.*?\{%-?\s*end\1\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL
)
# Atomic, or a page that begins with thirty comments would be looked at for ever.
_MJML: Final = re.compile(r"\s*+(?:<\?xml[^>]*+>\s*+)?(?:<!--(?>.*?-->)\s*+)*+<mjml\b", re.DOTALL)
_LEFT: Final = re.compile(r"<(mj-[a-z-]+)")
_PLACE: Final = re.compile(r"at position (\d+):\d+")
_STYLE: Final = re.compile(r"<style\b", re.IGNORECASE)
_VOID: Final = re.compile(r"<(br|hr|img|wbr)\b([^<>]*+)>", re.IGNORECASE)
_SALT: Final = re.compile(r"lq(\d+)x")
DEEPEST: Final = 200
"""Elements inside each other: both libraries follow them down the stack, and end the process where
it ends. Tables in tables make some sixty."""
# In HTML these hold nothing, or end where the next of them begins.
_NOT_DEEPER: Final = frozenset(
    (
        *("p", "li", "dt", "dd", "area", "base", "br", "col", "embed", "hr", "img", "input"),
        *("link", "meta", "param", "source", "track", "wbr"),
    )
)


def is_mjml(source: str) -> bool:
    """Say whether a source is MJML."""
    return _MJML.match(source) is not None


class Aside:
    """Pieces of Liquid taken out of a text, and put back."""

    def __init__(self, source: str, wrap: Callable[[str, bool], str] | None = None) -> None:
        self._pieces: dict[str, str] = {}
        self._source = source
        self._wrap = wrap
        taken, salt = set(_SALT.findall(source)), 0
        while str(salt) in taken:
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
        kept = set(self._back.findall(text))
        return [piece for name, piece in self._pieces.items() if name not in kept]


class _Depth(HTMLParser):
    """Measures how deep elements stand in each other; only the innermost can be closed."""

    def __init__(self, *, is_xml: bool) -> None:
        super().__init__(convert_charrefs=False)
        self._is_xml = is_xml
        self._open: list[str] = []
        self.deepest = 0

    def set_cdata_mode(self, elem: str, *, escapable: bool = False) -> None:
        # In MJML a script holds elements as any other does.
        pass

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._is_xml or tag not in _NOT_DEEPER:
            self._open.append(tag)
            self.deepest = max(self.deepest, len(self._open))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML does not know of elements that close themselves.
        if not self._is_xml:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()


def check_source(source: str) -> None:
    """Raise Invalid for a source that would take for ever, or the process with it, to be read."""
    check_pieces(source, part="template")
    text, is_xml = Aside(source).text, is_mjml(source)
    depth = _Depth(is_xml=is_xml)
    depth.feed(_close_void(text) if is_xml else text)
    if depth.deepest > DEEPEST:
        raise Invalid(
            f"more than {DEEPEST} elements stand inside each other; are some not closed?",
            code="bad_template",
        )


def make_html(source: str) -> str:
    """Return the HTML of a source, with Liquid still in it; raises Invalid with what is wrong."""
    if not source.strip():
        raise Invalid("the message is empty", code="bad_template")
    check_source(source)
    if is_mjml(source):
        return _from_mjml(source)
    return _inline(source) if _STYLE.search(source) else source


def _close_void(text: str) -> str:
    # MJML is XML, yet everybody writes <br>.
    return _VOID.sub(lambda tag: f"<{tag[1]}{tag[2].rstrip(' /')} />", text)


def _from_mjml(source: str) -> str:
    aside = Aside(source)
    text = _close_void(aside.text)
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

"""Templates in Liquid: parsed by python-liquid, refused beyond a known set, compiled to Python.

A template sees plain data only (rule D22): there is no way from a value to a Python attribute, a
file or another template; what a value says is never read as a template; HTML is escaped, and
addresses in attributes are encoded. Loops, values and output are bounded for each person.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from liquid import Environment, Mode
from liquid.ast import Node
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.exceptions import LiquidError

from amity.broadcast.logic.liquid.expressions import Refused
from amity.broadcast.logic.liquid.values import LONGEST_OUTPUT, Budget, RenderFailed, safe_url
from amity.broadcast.logic.liquid.writer import Writer
from amity.kernel.errors import Invalid

LONGEST_SOURCE: Final = 524_288
MOST_PIECES: Final = 5_000
_OPENING: Final = re.compile(r"\{[{%]")
_BLOCK: Final = re.compile(r"\{%-?\s{0,200}+(raw|comment)\s{0,200}+-?%\}")
_BLOCK_END: Final = {
    word: re.compile(rf"\{{%-?\s{{0,200}}+end{word}\s{{0,200}}+-?%\}}")
    for word in ("raw", "comment")
}
_CLOSING: Final = {"{{": "}}", "{%": "%}"}
_WIDE: Final = re.compile(r"\s{100}")
_TAGS: Final = frozenset(
    ("if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment", "#")
)
_INNER: Final = frozenset(("content", "output", "illegal", "doc"))

Link = Callable[[int, str, Any], str]
"""Makes the text of a link's attribute: from its number, its address, and the row it stands in."""


def plain_link(number: int, url: str, row: Any) -> str:
    """Return a link that leads where it says."""
    return safe_url(url)


class Program:
    """A compiled template; it can be run for any number of people, by any number of threads."""

    def __init__(self, run: Callable[..., str], paths: frozenset[tuple[str, ...]]) -> None:
        self._run = run
        self.paths = paths
        """The variables it asks the data for, with their first step."""

    def render(self, data: Mapping[str, Any], link: Link = plain_link) -> str:
        """Fill the template in; raises RenderFailed when that cannot be done with this data."""
        try:
            text = self._run(data, Budget(), link)
        except RenderFailed:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise RenderFailed(f"the template cannot be filled in: {str(error)[:200]}") from error
        if (
            len(text) > LONGEST_OUTPUT // 4
            and len(text.encode("utf-8", "replace")) > LONGEST_OUTPUT
        ):
            raise RenderFailed("the message becomes larger than 1 MiB")
        return text


class _Strict(Environment):
    """What is taken apart for us, and no more."""


@cache
def _environment(*, is_html: bool) -> Environment:
    environment = _Strict(autoescape=is_html, tolerance=Mode.STRICT)
    for name in list(environment.tags):
        if name not in _TAGS and name not in _INNER:
            del environment.tags[name]
    return environment


def compile_liquid(source: str, *, is_html: bool, part: str = "template") -> Program:
    """Compile a template; raises Invalid with the line and what is wrong."""
    check_pieces(source, part=part)
    try:
        nodes = _environment(is_html=is_html).parse(source).nodes
        writer = Writer(is_html=is_html, assigned=_assigned(nodes))
        writer.block(nodes)
        return Program(writer.function(), frozenset(writer.paths))
    except Refused as error:
        raise _invalid(part, source, error.words, error.token) from error
    except LiquidError as error:
        raise _invalid(part, source, str(error.message), error.token) from error
    except (RecursionError, SyntaxError, MemoryError, ValueError) as error:
        raise Invalid(f"the {part} is too deeply nested", code="bad_template") from error


def check_pieces(source: str, *, part: str) -> None:
    """Raise Invalid for a template that parsers would take minutes or hours to read.

    They look for each end from each beginning, and again for each space before it.
    """
    if len(source) > LONGEST_SOURCE:
        raise Invalid(f"the {part} is longer than 512 KiB", code="bad_template")
    place = count = 0
    while (found := _OPENING.search(source, place)) is not None:
        place = _end_of_piece(source, found.start(), part)
        count += 1
    if count > MOST_PIECES:
        raise Invalid(
            f"the {part} has more than {MOST_PIECES} variables and tags", code="bad_template"
        )


def _end_of_piece(source: str, start: int, part: str) -> int:
    """Return where the piece of Liquid that begins at ``start`` ends."""
    words, block = "", _BLOCK.match(source, start)
    if block is not None:
        last = _BLOCK_END[block[1]].search(source, block.end())
        end = -1 if last is None else last.end()
        opening, closing = block[1], f"end{block[1]}"
    else:
        opening = source[start : start + 2]
        closing = _CLOSING[opening]
        end = source.find(closing, start + 2) + 2
    if end < start + 4:
        words = f"“{opening}” without “{closing}”"
    elif block is None and _WIDE.search(source, start, end):
        words = f"100 spaces in a row after “{opening}”"
    if words:
        raise _invalid_at(part, source, words, start)
    return end


def _invalid(part: str, source: str, words: str, token: Any) -> Invalid:
    if token is None:
        return Invalid(f"{part}: {words}", code="bad_template")
    return _invalid_at(part, source, words, token.start_index)


def _invalid_at(part: str, source: str, words: str, place: int) -> Invalid:
    line = source.count("\n", 0, place) + 1
    return Invalid(f"{part}, line {line}: {words}", code="bad_template")


def _assigned(nodes: list[Node]) -> Iterator[str]:
    """Name every variable a template makes itself."""
    for node in nodes:
        if isinstance(node, AssignNode | CaptureNode):
            yield str(node.name)
        for name in ("consequence", "default", "block"):
            inner = getattr(node, name, None)
            if isinstance(inner, Node):
                yield from _assigned(getattr(inner, "nodes", None) or [inner])
        for name in ("alternatives", "blocks"):
            for inner in getattr(node, name, ()):
                yield from _assigned(getattr(inner, "nodes", None) or [inner])

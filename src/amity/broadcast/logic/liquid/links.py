"""Finding the addresses in a template's attributes: `href`, `src` and the like."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from liquid.ast import Node
from liquid.builtin.content import ContentNode

_ATTRIBUTE: Final = re.compile(
    r"(?<![\w-])(href|src|background|action|formaction|poster)\s*=\s*([\"'])", re.IGNORECASE
)
_TAG: Final = re.compile(r"<([a-zA-Z][\w:-]*)")
_NOT_FOLLOWED: Final = frozenset(("link", "base", "image", "use"))


class Address:
    """An attribute's address: a fixed text, or nodes that make it up."""

    def __init__(self, *, is_link: bool, text: str | None, nodes: Sequence[Node] = ()) -> None:
        self.is_link = is_link
        self.text = text
        self.nodes = nodes


def cut_addresses(nodes: Sequence[Node]) -> Iterator[Node | Address | str]:
    """Give a block's nodes with the addresses in them taken out of the texts around."""
    waiting = list(nodes)
    tag = ""
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, ContentNode):
            yield node
            continue
        text = node.text
        found = _next(text, tag)
        tag = _tag_at(text, len(text), tag)
        if found is None:
            yield text
            continue
        begin, is_link, quote = found
        end = text.find(quote, begin)
        yield text[:begin]
        if end >= 0:
            yield Address(is_link=is_link, text=text[begin:end])
            waiting.insert(0, ContentNode(node.token, text[end:]))
            # Still inside the tag that was begun.
            tag = _tag_at(text, begin, tag)
            continue
        inside: list[Node] = [ContentNode(node.token, text[begin:])] if text[begin:] else []
        rest = _until(waiting, quote, inside)
        if rest is None:
            # It does not end in this block: whatever it is, it is not an address.
            yield text[begin:]
            continue
        yield Address(is_link=is_link, text=None, nodes=inside)
        waiting.insert(0, rest)


def _until(waiting: list[Node], quote: str, inside: list[Node]) -> Node | None:
    """Move what comes before the closing quote; return what is left of its text."""
    for place, node in enumerate(waiting):
        if isinstance(node, ContentNode) and quote in node.text:
            end = node.text.index(quote)
            inside += waiting[:place]
            if end:
                inside.append(ContentNode(node.token, node.text[:end]))
            del waiting[: place + 1]
            return ContentNode(node.token, node.text[end:])
    return None


def _next(text: str, tag: str) -> tuple[int, bool, str] | None:
    """Return where the next address begins, whether it is a link, and its quote."""
    for match in _ATTRIBUTE.finditer(text):
        name = _tag_at(text, match.start(), tag)
        if name:
            is_link = match[1].lower() == "href" and name not in _NOT_FOLLOWED
            return match.end(), is_link, match[2]
    return None


def _tag_at(text: str, place: int, before: str) -> str:
    """Return the name of the tag a place is inside of, "" for none."""
    opened, closed = text.rfind("<", 0, place), text.rfind(">", 0, place)
    if closed > opened:
        return ""
    if opened < 0:
        return before
    match = _TAG.match(text, opened)
    return "" if match is None else match[1].lower()

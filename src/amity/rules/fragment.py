"""Pieces of SQL with their constants bound: text that people wrote never enters SQL text."""

from collections.abc import Iterable
from typing import Any, LiteralString

import msgspec


class Fragment(msgspec.Struct, frozen=True):
    """SQL text with `%s` placeholders, and what to bind to them in order."""

    text: str
    params: tuple[Any, ...] = ()

    def encode(self) -> bytes:
        """Return the text as psycopg takes it."""
        return self.text.encode()


def sql(template: LiteralString, *parts: object) -> Fragment:
    """Fill each `{}` of ``template``: a Fragment is put in as it is, anything else is bound."""
    pieces = template.split("{}")
    if len(pieces) != len(parts) + 1:
        raise ValueError(f"{len(parts)} parts for {template!r}")
    text = [pieces[0]]
    params: list[Any] = []
    for part, piece in zip(parts, pieces[1:], strict=True):
        if isinstance(part, Fragment):
            text.append(part.text)
            params.extend(part.params)
        else:
            text.append("%s")
            params.append(part)
        text.append(piece)
    return Fragment("".join(text), tuple(params))


def join(separator: LiteralString, fragments: Iterable[Fragment]) -> Fragment:
    """Put fragments one after another with ``separator`` between them."""
    items = list(fragments)
    return Fragment(
        separator.join(item.text for item in items),
        tuple(param for item in items for param in item.params),
    )

"""A customer's identity as a picture: identifiers in columns by kind, evidence as lines."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from amity.store.contracts import Identifier
from amity.store.contracts_identity import EvidenceEdge, Link, Place

WIDTH: Final = 196
HEIGHT: Final = 52
_GAP_X: Final = 48
_GAP_Y: Final = 16
_MARGIN: Final = 10
_MOST: Final = 60
_COLUMNS: Final = {"user_id": 0, "email": 1, "phone": 1, "anonymous_id": 2}
_OTHERS: Final = 3
_LONGEST: Final = 21
_END: Final = 6
_WIDE: Final = dict.fromkeys("mwMW@%", 1.5) | dict.fromkeys("ijlt.,:;'|!", 0.6)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier, a place or a household with where it stands; ``look`` is how it is drawn."""

    x: int
    y: int
    kind: str
    text: str
    look: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An edge between two nodes."""

    path: str
    is_cut: bool
    is_proof: bool


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drawing; ``left_out`` identifiers did not fit."""

    width: int
    height: int
    nodes: list[Node]
    lines: list[Line]
    left_out: int


def draw(
    identifiers: Sequence[Identifier],
    edges: Iterable[EvidenceEdge],
    places: Iterable[Place],
    links: Iterable[Link],
) -> Picture:
    """Place what is the customer's in three columns, and what is beside it in a fourth."""
    edges = list(edges)
    shared = {(place.kind, place.value) for place in places}
    own = {(one.kind, one.value) for one in identifiers[:_MOST]} - shared
    ends = {(edge.hub_kind, edge.hub_value) for edge in edges}
    ends |= {(edge.kind, edge.value) for edge in edges}
    others = sorted((ends | shared) - {(one.kind, one.value) for one in identifiers} | shared)
    columns: dict[int, list[tuple[str, str, str]]] = {}
    for end in sorted(own):
        columns.setdefault(_COLUMNS[end[0]], []).append((*end, "own"))
    for end in others[:_MOST]:
        look = "place" if end in shared else "other"
        columns.setdefault(_OTHERS, []).append((*end, look))
    for link in sorted({(link.kind, link.label) for link in links}):
        columns.setdefault(_OTHERS, []).append((*link, "link"))
    nodes: dict[tuple[str, str], Node] = {}
    for number, column in enumerate(sorted(columns)):
        for row, (kind, value, look) in enumerate(columns[column]):
            nodes[kind, value] = Node(
                x=_MARGIN + number * (WIDTH + _GAP_X),
                y=_MARGIN + row * (HEIGHT + _GAP_Y),
                kind=kind,
                text=shorten(value),
                look=look,
            )
    most = max((len(rows) for rows in columns.values()), default=1)
    return Picture(
        width=2 * _MARGIN + max(1, len(columns)) * (WIDTH + _GAP_X) - _GAP_X,
        height=2 * _MARGIN + most * (HEIGHT + _GAP_Y) - _GAP_Y,
        nodes=list(nodes.values()),
        lines=[line for edge in edges if (line := _line(edge, nodes)) is not None],
        left_out=max(0, len(identifiers) - _MOST),
    )


def shorten(text: str) -> str:
    """Return a text that fits a box; wide letters count for more, and both ends are kept."""
    if _breadth(text) <= _LONGEST:
        return text
    end = text[-_END:]
    start = text[:-_END]
    while start and _breadth(start) + _breadth(end) + 1 > _LONGEST:
        start = start[:-1]
    return f"{start}…{end}"


def _breadth(text: str) -> float:
    return sum(
        _WIDE.get(letter, 1.2 if letter.isupper() or ord(letter) > 0x2E7F else 1.0)
        for letter in text
    )


def _line(edge: EvidenceEdge, nodes: dict[tuple[str, str], Node]) -> Line | None:
    one = nodes.get((edge.hub_kind, edge.hub_value))
    other = nodes.get((edge.kind, edge.value))
    if one is None or other is None or one is other:
        return None
    left, right = (one, other) if one.x <= other.x else (other, one)
    start_y, end_y = left.y + HEIGHT // 2, right.y + HEIGHT // 2
    if left.x == right.x:
        side = left.x + WIDTH
        path = f"M{side} {start_y}C{side + 40} {start_y} {side + 40} {end_y} {side} {end_y}"
    else:
        start, end = left.x + WIDTH, right.x
        middle = (start + end) // 2
        path = f"M{start} {start_y}C{middle} {start_y} {middle} {end_y} {end} {end_y}"
    return Line(path=path, is_cut=bool(edge.cut), is_proof=edge.is_proof)

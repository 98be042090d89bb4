"""A journey as a picture: where its steps stand and how its lines run.

Steps stand in rows, each a row below the lowest that leads to it; within a row they stand over
what they lead to. An edge that ends the journey gets an end of its own, so that no line crosses
the picture only to reach one.
"""

from typing import Final

import msgspec

from amity.broadcast.contracts import Journey, NodeCount

WIDTH: Final = 232
HEIGHT: Final = 108
_GAP_X: Final = 36
_GAP_Y: Final = 58
_END: Final = 34
_MARGIN: Final = 12
_ENTRY: Final = 62
_LONGEST_LABEL: Final = 24
# Ways to leave that are no edges of the drawing; the figures above it count them.
_ENDINGS: Final = frozenset({"exit", "merged", "archived", "gone", "failed"})


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """An edge as the list beside the picture tells it; ``target`` "" ends the journey."""

    name: str
    target: str
    count: int


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A step with its place; ``count`` is None for the end of a way."""

    x: int
    y: int
    width: int
    height: int
    node: NodeCount | None
    ways: list[Way] = []


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An edge: its path, its label and how many took it."""

    path: str
    label: str
    label_x: int
    label_y: int
    count: int | None


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole picture."""

    width: int
    height: int
    entry: Box
    boxes: list[Box]
    ends: list[Box]
    lines: list[Line]


class _Edge(msgspec.Struct, frozen=True):
    """From a step by an edge to a step, or to an end of its own."""

    source: str
    name: str
    target: str
    is_end: bool


def draw(journey: Journey, nodes: list[NodeCount]) -> Drawing:
    """Place a journey's steps; those nothing leads to stand below the others."""
    by_name = {node.node: node for node in nodes}
    start = str(journey.definition.get("start", ""))
    edges = _edges(by_name)
    order = _walk(start, edges, by_name)
    rows = _rows(order, edges)
    columns = _columns(order, edges, set(by_name))
    places = {name: _place(columns[name], rows[name], is_end=name not in by_name) for name in order}
    wide = max((place.x + place.width for place in places.values()), default=WIDTH) + _MARGIN
    tall = max((place.y + place.height for place in places.values()), default=0) + _MARGIN
    first = places.get(start)
    entry = Box(x=first.x if first else _MARGIN, y=_MARGIN, width=WIDTH, height=_ENTRY, node=None)
    lines = [_line(entry, first, "", None)] if first else []
    lines += [
        _line(places[edge.source], places[edge.target], edge.name, _taken(by_name, edge))
        for edge in edges
        if edge.source in places
    ]
    return Drawing(
        width=wide,
        height=tall,
        entry=entry,
        boxes=[
            msgspec.structs.replace(
                places[name], node=by_name[name], ways=_ways(edges, by_name, name)
            )
            for name in order
            if name in by_name
        ],
        ends=[places[name] for name in order if name not in by_name],
        lines=lines,
    )


def _edges(nodes: dict[str, NodeCount]) -> list[_Edge]:
    found = []
    for name, node in nodes.items():
        for edge, target in node.next.items():
            is_end = target not in nodes
            if is_end and edge in _ENDINGS:
                continue
            found.append(_Edge(name, edge, f"{name}\n{edge}" if is_end else target, is_end))
    return found


def _ways(edges: list[_Edge], nodes: dict[str, NodeCount], name: str) -> list[Way]:
    return [
        Way(
            name="" if edge.name == "next" else edge.name.replace("_", " "),
            target="" if edge.is_end else edge.target,
            count=_taken(nodes, edge),
        )
        for edge in edges
        if edge.source == name
    ]


def _taken(nodes: dict[str, NodeCount], edge: _Edge) -> int:
    return nodes[edge.source].left.get(edge.name, 0)


def _walk(start: str, edges: list[_Edge], nodes: dict[str, NodeCount]) -> list[str]:
    """Return every step and end, in the order one meets them from the start."""
    order: dict[str, None] = {}
    waiting = [*reversed(list(nodes)), start] if start in nodes else list(reversed(list(nodes)))
    while waiting:
        name = waiting.pop()
        if name not in order:
            order[name] = None
            waiting += reversed([edge.target for edge in edges if edge.source == name])
    return list(order)


def _rows(order: list[str], edges: list[_Edge]) -> dict[str, int]:
    """Return each step's row: one below the lowest that leads to it, loops left out."""
    at = {name: index for index, name in enumerate(order)}
    rows = dict.fromkeys(order, 0)
    # As often as there are steps: the longest way there can be without going in circles.
    for _ in order:
        for edge in edges:
            if edge.source in at and at[edge.target] > at[edge.source]:
                rows[edge.target] = max(rows[edge.target], rows[edge.source] + 1)
    return rows


def _columns(order: list[str], edges: list[_Edge], steps: set[str]) -> dict[str, float]:
    """Return each step's middle, counted in columns as wide as a step; an end needs half of one.

    Every step has a strip of its own, as wide as all it leads to, so no two can meet.
    """
    children = _children(order, edges)
    wide: dict[str, float] = {}
    for name in reversed(order):  # whoever leads somewhere comes before where it leads
        own = 1.0 if name in steps else 0.5
        wide[name] = max(own, sum(wide[child] for child in children[name]))
    left: dict[str, float] = {}
    free = 0.0
    for name in order:
        if name not in left:  # nothing leads to it
            left[name], free = free, free + wide[name]
        inside = left[name] + (wide[name] - sum(wide[child] for child in children[name])) / 2
        for child in children[name]:
            left[child], inside = inside, inside + wide[child]
    return {name: left[name] + wide[name] / 2 for name in order}


def _children(order: list[str], edges: list[_Edge]) -> dict[str, list[str]]:
    """Return what stands below each step: each once, below the first that leads to it."""
    at = {name: index for index, name in enumerate(order)}
    children: dict[str, list[str]] = {name: [] for name in order}
    seen: set[str] = set()
    for edge in sorted(edges, key=lambda edge: at[edge.source]):
        if edge.target not in seen and at[edge.target] > at[edge.source]:
            seen.add(edge.target)
            children[edge.source].append(edge.target)
    return children


def _place(column: float, row: int, *, is_end: bool) -> Box:
    left = _MARGIN + round(column * (WIDTH + _GAP_X)) - WIDTH // 2
    top = _MARGIN + _ENTRY + _GAP_Y // 2 + row * (HEIGHT + _GAP_Y)
    if not is_end:
        return Box(x=left, y=top, width=WIDTH, height=HEIGHT, node=None)
    inset = (WIDTH - 2 * _END) // 2
    return Box(x=left + inset, y=top, width=2 * _END, height=_END, node=None)


def _line(source: Box, target: Box, name: str, count: int | None) -> Line:
    x1, y1 = source.x + source.width // 2, source.y + source.height
    x2, y2 = target.x + target.width // 2, target.y
    if y2 > y1:
        bend = (y2 - y1) // 2
        path = f"M{x1} {y1} C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"
    else:  # back up, around the right
        far = max(source.x + source.width, target.x + target.width) + _GAP_X // 2
        sy, ty = source.y + source.height // 2, target.y + target.height // 2
        x1, x2 = source.x + source.width, target.x + target.width
        path = f"M{x1} {sy} C{far} {sy} {far} {ty} {x2} {ty}"
        y1, y2, x1, x2 = sy, ty, far, far
    label = name.replace("_", " ")
    label = "" if label == "next" else label[:_LONGEST_LABEL]
    return Line(path=path, label=label, label_x=(x1 + x2) // 2, label_y=(y1 + y2) // 2, count=count)

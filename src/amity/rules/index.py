"""Which rules an event can concern, at a cost that grows with the matches, not with the rules.

Rules are filed by the name of the event they count.  Inside one name, each property has a table
from value to a bitmap of the rules that this value does not rule out (equality by look-up,
ranges by bisection into ready-made cells); the bitmaps of an event's properties are ANDed.
Traits, fields, purposes, segments, scores, draws and groups are filed by name.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from amity.rules.mentions import Mentions
from amity.rules.operator import Number, OneOf, Operator, Span, is_number
from amity.rules.rule import Rule, mentions
from amity.rules.sway import Sway
from amity.rules.where import Where

K = TypeVar("K", bound=Hashable)

# Tests that need the time are left out of the index, so the time given to others is of no account.
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_WHOLE: Final = 2**53


class _Table:
    """One property: from its value to the bitmap of the slots it does not rule out.

    A slot has at most one test in a table; further tests of the same property by the same slot
    go to a further table.
    """

    def __init__(self, everyone: int, tests: dict[str, tuple[Operator, int]]) -> None:
        self._opaque: list[tuple[Operator, int]] = []
        self._one_of: list[tuple[OneOf, int]] = []
        self._spans: list[tuple[Span, int]] = []
        self._missing = everyone
        # What a value leaves that no table names.
        self.other = everyone
        for operator, slots in tests.values():
            if not operator.matches_missing:
                self._missing &= ~slots
            self._file(operator, slots)
        self.texts = self._look_up(str)
        self._flags = self._look_up(bool)
        self._cut()
        self.has_numbers = bool(self.bounds)
        self.has_texts = bool(self.texts)
        self.has_opaque = bool(self._opaque)

    def _file(self, operator: Operator, slots: int) -> None:
        shape = operator.shape()
        if isinstance(shape, OneOf):
            self._one_of.append((shape, slots))
            if not shape.negated:
                self.other &= ~slots
        elif isinstance(shape, Span):
            self._spans.append((shape, slots))
            self.other &= ~slots
        else:
            self._opaque.append((operator, slots))

    def _look_up(self, kind: type) -> dict[Any, int]:
        found: dict[Any, int] = {}
        for shape, slots in self._one_of:
            for value in dict.fromkeys(v for v in shape.values if v.__class__ is kind):
                found[value] = found.get(value, self.other) ^ slots
        return found

    def _cut(self) -> None:
        """Lay the number line out in cells: each cut by itself, and what lies between two cuts.

        Two bounds a cut, itself and the next number, so that one bisection finds the cell.
        """
        points = [
            (slots, {v: None for v in shape.values if is_number(v)})
            for shape, slots in self._one_of
        ]
        cuts: set[Number] = {v for _, values in points for v in values}
        cuts.update(
            edge for span, _ in self._spans for edge in (span.low, span.high) if edge is not None
        )
        self.bounds = [bound for cut in sorted(cuts) for bound in (cut, _next_number(cut))]
        places = {cut: 2 * i + 1 for i, cut in enumerate(sorted(cuts))}
        flips = [0] * (2 * len(cuts) + 2)
        for slots, values in points:
            for value in values:
                flips[places[value]] ^= slots
                flips[places[value] + 1] ^= slots
        for span, slots in self._spans:
            first = 0 if span.low is None else places[span.low] + span.low_open
            last = len(flips) - 1 if span.high is None else places[span.high] + (not span.high_open)
            flips[first] ^= slots
            flips[last] ^= slots
        self.cells: list[int] = []
        bits = self.other
        for flip in flips[:-1]:
            bits ^= flip
            self.cells.append(bits)

    def answer(self, value: Any) -> int:
        """Return the bitmap of any value."""
        kind = value.__class__
        if value is None:
            return self._missing
        if kind is str:
            bits = self.texts.get(value, self.other)
        elif kind is int or kind is float:
            bits = self.cells[bisect_right(self.bounds, value)]
        elif kind is bool:
            bits = self._flags.get(value, self.other)
        else:
            bits = self.other
        for operator, slots in self._opaque:
            if bits & slots and not operator.matches(value, _ANY_TIME):
                bits &= ~slots
        return bits

    @property
    def width(self) -> int:
        """How many slots an unnamed value leaves: tables that rule out more are asked first."""
        return self.other.bit_count()


def _next_number(number: Number) -> Number:
    """Return the least number after this one that a value can be: whole ones from 2**53 on."""
    return math.nextafter(number, math.inf) if abs(number) < _WHOLE else int(number) + 1


_LookUp = Callable[[Mapping[str, Any]], list[Any]]


def _write_look_up(tables: list[tuple[str, _Table]], everyone: int, keys: list[Any]) -> _LookUp:
    """Write out one event's look-up, table by table: it is asked for every event.

    Only names made here become source; everything else is bound to them.
    """
    scope: dict[str, Any] = {"everyone": everyone, "keys": keys, "bisect": bisect_right}
    lines = ["def look_up(properties):", " get = properties.get", " bits = everyone"]
    for i, (name, table) in enumerate(tables):
        scope |= {f"name{i}": name, f"answer{i}": table.answer, f"texts{i}": table.texts.get}
        scope |= {f"other{i}": table.other, f"bounds{i}": table.bounds, f"cells{i}": table.cells}
        lines.append(f" value = get(name{i})")
        if table.has_opaque or (table.has_texts and table.has_numbers):
            lines.append(f" bits &= answer{i}(value)")
        elif table.has_numbers:
            lines += [
                " kind = value.__class__",
                f" bits &= cells{i}[bisect(bounds{i}, value)] if kind is float or kind is int "
                f"else answer{i}(value)",
            ]
        else:
            lines.append(
                f" bits &= texts{i}(value, other{i}) if value.__class__ is str "
                f"else answer{i}(value)"
            )
    lines += [
        " found = []",
        " while bits:",
        "  lowest = bits & -bits",
        "  found.append(keys[lowest.bit_length() - 1])",
        "  bits ^= lowest",
        " return found",
    ]
    exec(compile("\n".join(lines), "<index>", "exec"), scope)  # noqa: S102  # see above
    look_up: _LookUp = scope["look_up"]
    return look_up


class _Event(Generic[K]):
    """The rules that count one event, in slots."""

    def __init__(self) -> None:
        self._slots: list[tuple[K, tuple[Where, ...], Sway]] = []
        self._look_up: _LookUp | None = None
        self._look_up_swayed: _LookUp | None = None

    def add(self, key: K, where: tuple[Where, ...], sway: Sway) -> None:
        self._slots.append((key, where, sway))
        self._look_up = self._look_up_swayed = None

    def remove(self, key: K) -> bool:
        """Take a key's slots out; say whether any are left."""
        self._slots = [slot for slot in self._slots if slot[0] != key]
        self._look_up = self._look_up_swayed = None
        return bool(self._slots)

    def _gather(self) -> dict[tuple[str, int], dict[str, tuple[Operator, int]]]:
        """Return the distinct tests of each table with the slots that make them."""
        tests: dict[tuple[str, int], dict[str, tuple[Operator, int]]] = {}
        for slot, (_, where, _) in enumerate(self._slots):
            layers: dict[str, int] = {}
            for test in where:
                if test.is_.is_timed:
                    continue
                layer = layers[test.property] = layers.get(test.property, -1) + 1
                table = tests.setdefault((test.property, layer), {})
                # By its text, since to Python the tests `is 1` and `is true` are equal.
                same = repr(test.is_)
                slots = table[same][1] if same in table else 0
                table[same] = (test.is_, slots | 1 << slot)
        return tests

    def _build(self, answers: list[Any]) -> _LookUp:
        everyone = (1 << len(self._slots)) - 1
        tables = [(name, _Table(everyone, tests)) for (name, _), tests in self._gather().items()]
        tables.sort(key=lambda item: item[1].width)
        return _write_look_up(tables, everyone, answers)

    def look_up(self, properties: Mapping[str, Any]) -> list[K]:
        """Return the keys that count an event with these properties."""
        if self._look_up is None:
            self._look_up = self._build([key for key, _, _ in self._slots])
        return self._look_up(properties)

    def find_swayed(self) -> _LookUp:
        """Return what gives the keys that count such an event, each with the way it moves."""
        if self._look_up_swayed is None:
            self._look_up_swayed = self._build([(key, sway) for key, _, sway in self._slots])
        return self._look_up_swayed


class RuleIndex(Generic[K]):
    """Rules by key, added and removed one at a time, asked what an event concerns."""

    def __init__(self) -> None:
        self._rules: dict[K, Mentions] = {}
        self._events: dict[str, _Event[K]] = {}
        self._mentioning: dict[str, dict[Hashable, set[K]]] = {
            "traits": {},
            "fields": {},
            "purposes": {},
            "segments": {},
            "scores": {},
            "draws": {},
            "together": {},
        }

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, key: K) -> bool:
        return key in self._rules

    def add(self, key: K, rule: Rule) -> None:
        """Add a rule, in place of the one of the same key if there is one."""
        self.remove(key)
        found = mentions(rule)
        self._rules[key] = found
        for kind, by_name in self._mentioning.items():
            for name in getattr(found, kind):
                by_name.setdefault(name, set()).add(key)
        for event, where, sway in rule.sways():
            self._events.setdefault(event, _Event()).add(key, where, sway)

    def remove(self, key: K) -> None:
        """Take a rule out; nothing happens when there is none."""
        found = self._rules.pop(key, None)
        if found is None:
            return
        for kind, by_name in self._mentioning.items():
            for name in getattr(found, kind):
                by_name[name].discard(key)
                if not by_name[name]:
                    del by_name[name]
        for event in found.events:
            if not self._events[event].remove(key):
                del self._events[event]

    def list_counting(self, event: str, properties: Mapping[str, Any]) -> list[K]:
        """Return the keys of the rules that count an event with these properties.

        A key comes once for each of its conditions that counts it.  Conditions that depend on
        the time are taken as met: a key may be too many, none is missing.
        """
        found = self._events.get(event)
        return [] if found is None else found.look_up(properties)

    def list_swayed(self, event: str, properties: Mapping[str, Any]) -> list[tuple[K, Sway]]:
        """Return what `list_counting` does, each key with the way the event moves its answer."""
        found = self._events.get(event)
        return [] if found is None else found.find_swayed()(properties)

    def find_swayed(self, event: str) -> Callable[[Mapping[str, Any]], list[tuple[K, Sway]]] | None:
        """Return what answers `list_swayed` for events of one name; None when nothing does.

        It holds until the next rule is added or removed.
        """
        found = self._events.get(event)
        return None if found is None else found.find_swayed()

    def list_mentioning(self, kind: str, names: Iterable[Hashable]) -> set[K]:
        """Return the keys of the rules that look at any of the names.

        ``kind`` is a field of `Mentions`: "traits", "fields", "purposes", "segments", "scores",
        "draws" or "together".
        """
        by_name = self._mentioning[kind]
        if not by_name:
            return set()
        found: set[K] = set()
        for name in names:
            found |= by_name.get(name, set())
        return found

    def has_mentions(self, kind: str) -> bool:
        """Say whether any rule looks at something of this kind."""
        return bool(self._mentioning[kind])

    def names_mentioned(self, kind: str) -> set[Hashable]:
        """Return the names of this kind that some rule looks at."""
        return set(self._mentioning[kind])

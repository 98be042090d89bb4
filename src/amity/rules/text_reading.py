"""A rule from text that a person typed or pasted; says where it cannot be understood, and why.

`and` binds before `or`, as people expect; brackets say otherwise.  See docs/how-to/write-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from amity.rules.condition import conditions, name_of
from amity.rules.subject import FIELD_LABELS
from amity.rules.text_activities import ActivityReader
from amity.rules.text_aliases import FIRST_WORDS, HINTS
from amity.rules.text_cursor import CONTINUES, nearest
from amity.rules.text_tokens import KEYWORDS, unreadable
from amity.rules.text_writing import words_of

Ids = Mapping[str, int]
"""Ids of segments by their names in small letters."""
MAX_CHARACTERS: Final = 262_144
_MAX_DEPTH: Final = 60


def read_text(text: str, ids: Ids) -> dict[str, Any]:
    """Return the JSON of the rule a text says; `decode_rule` checks it further.

    Raises Invalid with the place in the text and what was expected there.
    """
    if len(text) > MAX_CHARACTERS:
        raise unreadable(text, 0, f"it has more than {MAX_CHARACTERS:,} characters")
    reader = _Reader(text, ids)
    rule = reader.rule()
    if reader.next.kind != "end":
        reader.fail(_why_not_the_end(reader))
    return rule


@cache
def _fields() -> list[tuple[tuple[str, ...], str]]:
    found = [(words_of(label), name) for name, label in FIELD_LABELS.items()]
    return sorted(found, key=lambda pair: -len(pair[0]))


class _Reader(ActivityReader):
    def __init__(self, text: str, ids: Ids) -> None:
        super().__init__(text)
        self._ids = ids
        self._depth = 0
        self._has_but = False

    def rule(self) -> dict[str, Any]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail("too many brackets within brackets")
        self._skip_lead()
        was_but, self._has_but = self._has_but, False
        parts = [self._all()]
        while self.takes("or"):
            parts.append(self._all())
            if self._has_but:
                self.fail("`but` beside `or`: say by brackets which conditions belong together")
        self._has_but = was_but
        self._depth -= 1
        return _joined("any", parts)

    def _all(self) -> dict[str, Any]:
        parts = [self._negation()]
        while True:
            if self.takes("but"):
                self._has_but = True
            elif not self.takes("and"):
                return _joined("all", parts)
            parts.append(self._negation())

    def _skip_lead(self) -> None:
        """Read "customers who" and the like, which say nothing."""
        for noun in ("all customers", "customers", "people", "everyone", "everybody", "those"):
            if self.takes_any(f"{noun} who", f"{noun} that", f"{noun} with"):
                return

    def _negation(self) -> dict[str, Any]:
        if self.takes("not"):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                self.fail("too many `not`")
            was_not, self.is_not = self.is_not, True
            inner = self._negation()
            self.is_not = was_not
            self._depth -= 1
            return {"node": "not", "of": inner}
        if self.takes("("):
            was_not, self.is_not = self.is_not, False
            inner = self.rule()
            self.is_not = was_not
            self.expect(")")
            return inner
        return self._leaf()

    def _leaf(self) -> dict[str, Any]:
        if self.sees_call(map(name_of, conditions)):
            return self.call("node")
        self.takes_any("who", "that have", "that", "they", "with")
        node = self.activity()
        if node is not None:
            return node
        for words, read in _LEAVES:
            if self.takes(*words):
                return read(self)
        return self._check()

    def _check(self) -> dict[str, Any]:
        start = self.place
        if self.sees("has"):
            self.fail("write: children is known, or: children is at least 1")
        if self.sees_operator():
            self.fail("say again what is tested: age is over 18 and age is under 30")
        if self.open_at is not None and self.open_at == start - 1 and not self.sees("trait"):
            self.fail(
                "of the event or of the customer? Put tests of the event in brackets: where (… "
                f"and {self.next.written} …); or the whole condition before: (did … where …) and"
            )
        field = self._field()
        if not self.sees_operator() and self.tokens[start].kind == "word":
            self._refuse_alone(start)
            word = self.tokens[start].written
            hint = HINTS.get(word.lower()) or nearest(word, sorted(FIRST_WORDS | set(_KNOWN)))
            if hint:
                self.place = start
                self.fail(f"expected a condition{hint}")
        return {"node": "check", "field": field, "is": self.operator()}

    def _refuse_alone(self, start: int) -> None:
        """Refuse a word that is no condition, saying what it lacks."""
        word = self.tokens[start].written
        if self.next.kind == "end" or self.sees("and") or self.sees("or") or self.sees(")"):
            self.place = start
            self.fail(
                f"“{word}” alone is no condition: write a test after it ({word} is true), or the "
                f"verb again (bought {word})"
            )
        ahead = self.tokens[self.place : self.place + 3]
        is_name = [token.kind == "word" and token.written not in CONTINUES for token in ahead]
        if is_name[:1] == [True] and any(token.written in {"is", "contains"} for token in ahead):
            last = next(i for i, token in enumerate(ahead) if token.written in {"is", "contains"})
            if last > 0 and all(is_name[:last]):
                name = " ".join([word, *(token.written for token in ahead[:last])])
                self.place = start
                self.fail(f'a name of several words needs quotes: trait "{name}"')

    def _field(self) -> str:
        if self.takes("trait"):
            return f"trait.{self.name()}"
        for words, name in _fields():
            if self.takes(*words):
                return f"profile.{name}"
        if self.next.kind == "word" and self.next.written.lower() not in KEYWORDS:
            written = self.take().written
            return written if written.startswith(("trait.", "profile.")) else f"trait.{written}"
        if self.next.kind == "text":
            return f"trait.{self.take().value}"
        self.fail('expected a condition, such as: country is "FR", or: did "Order Completed"')

    def _did(self) -> dict[str, Any]:
        if self.takes("not"):
            return self._never()
        step = self.named_step()
        if self.takes_any("and then", "then"):
            return self.sequence(step)
        return self.how_often(_DID | step)

    def _never(self) -> dict[str, Any]:
        self.takes("did")
        was_not, self.is_not = self.is_not, True
        node = self.how_often({**_DID, "event": self.name(), "at_most": 0})
        self.is_not = was_not
        return node

    def _in_segment(self) -> dict[str, Any]:
        if self.next.kind == "number":
            return {"node": "in_segment", "segment_id": self.take().value}
        token = self.next
        name = self.known(self._ids) or self.name()
        if name.lower() not in self._ids:
            near = nearest(name, self._ids)
            raise unreadable(self.text, token.start, f"there is no segment “{name}”{near}")
        return {"node": "in_segment", "segment_id": self._ids[name.lower()]}

    def _not_in_segment(self) -> dict[str, Any]:
        return {"node": "not", "of": self._in_segment()}

    def _allows(self) -> dict[str, Any]:
        node = {"node": "consent", "purpose": self.name()}
        self.takes("now")
        return node

    def _said_yes(self) -> dict[str, Any]:
        return {"node": "said_yes", "purpose": self.name()}

    def _score(self, by: str = "value") -> dict[str, Any]:
        node: dict[str, Any] = {"node": "score", "score": self.name(), "is": self.operator()}
        return node if by == "value" else {**node, "by": by}

    def _metric(self) -> dict[str, Any]:
        node: dict[str, Any] = {"node": "metric", "metric": self.name()}
        self.takes_when(node)
        return {**node, "is": self.operator()}


def _joined(node: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return parts[0] if len(parts) == 1 else {"node": node, "of": parts}


def _why_not_the_end(reader: _Reader) -> str:
    if reader.next.kind == "number":
        return "expected `and`, `or` or the end; a span is written: is between 18 and 30"
    if reader.sees(","):
        return "join conditions by `and` or `or`"
    if reader.sees("since") or reader.sees("between") or reader.sees("after"):
        return (
            "events are counted in windows up to now: in the last 90 days, in this year; for a "
            'date write: last_event(event: "Order Completed", when: is on or after 2026-01-31)'
        )
    joints = ("and", "or", "where", "within", "without")
    near = nearest(reader.next.written, joints)
    return f"expected `and`, `or` or the end of the rule{near}"


_DID: Final = {"node": "did"}
_KNOWN: Final = [words[0] for words, _ in _fields()]
_LEAVES: Final[list[tuple[tuple[str, ...], Callable[[_Reader], dict[str, Any]]]]] = [
    (("never",), _Reader._never),
    (("did",), _Reader._did),
    (("birthday",), _Reader.birthday),
    (("is", "in", "segment"), _Reader._in_segment),
    (("in", "segment"), _Reader._in_segment),
    (("in", "the", "segment"), _Reader._in_segment),
    (("is", "in", "the", "segment"), _Reader._in_segment),
    (("are", "in", "segment"), _Reader._in_segment),
    (("members", "of", "segment"), _Reader._in_segment),
    (("members", "of", "the", "segment"), _Reader._in_segment),
    (("member", "of", "segment"), _Reader._in_segment),
    (("is", "a", "member", "of", "segment"), _Reader._in_segment),
    (("belongs", "to", "segment"), _Reader._in_segment),
    (("is", "not", "in", "segment"), _Reader._not_in_segment),
    (("are", "not", "in", "segment"), _Reader._not_in_segment),
    (("allows",), _Reader._allows),
    (("last", "said", "yes", "to"), _Reader._said_yes),
    (("said", "yes", "to"), _Reader._said_yes),
    (("score",), _Reader._score),
    (("metric",), _Reader._metric),
    (("label", "of", "score"), lambda reader: reader._score("label")),
    (("percentile", "of", "score"), lambda reader: reader._score("percentile")),
]

"""What every identity matcher must hold to; run it over your own with one parametrized test.

@pytest.mark.parametrize("kind", list(matchers()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", matchers_kit.CHECKS, ids=lambda check: check.__name__)
def test_matcher_conforms(kind, check):
    check(kind)
"""

import random
from collections.abc import Callable
from typing import Final

import numpy as np

from amity.store.linkage.linker import Linker
from amity.store.linkage.model import Field, KeyPart, Options, Records
from amity.store.matcher import Matcher

_ODD: Final = (
    *(
        "",
        " ",
        "-",
        "null",
        "N/A",
        "0",
        "00000",
        "=1+1",
        "\u202e",
        "ÅŞĦ",
        "李小龍",
        "a\nb",
        "x" * 5000,
    ),
    *("Ünï çødé", "o'brien", "O’Brien", "a/b", "12-34", "  two  words ", "İ", "ß", "\0", "😀"),
)


def is_described(kind: type[Matcher]) -> None:
    """It says what it is for; its grades, ways and headings have distinct, plain names."""
    assert kind.name
    assert kind.title
    assert kind.description
    assert len(kind.levels) >= 2
    assert len(set(kind.levels)) == len(kind.levels)
    assert len(set(kind.ways)) == len(kind.ways) > 0
    assert all(h == h.lower() and " " not in h and "__" not in h for h in kind.headings)


def samples_agree_as_said(kind: type[Matcher]) -> None:
    """Its samples have the grade they say, and there is one for the best and for the worst."""
    matcher = kind()
    for one, other, level in kind.samples:
        assert kind.levels[_grade(matcher, one, other)] == level, (one, other)
    said = {level for _, _, level in kind.samples}
    assert {kind.levels[0], kind.levels[-1]} <= said


def is_symmetric(kind: type[Matcher]) -> None:
    """The first against the second agrees as the second against the first."""
    matcher = kind()
    values = _values(matcher)
    for one in values:
        for other in values:
            if one != other:
                there, back = matcher.compare([one], [other]), matcher.compare([other], [one])
                assert there[0] == back[0], (one, other)
                assert 0 <= there[0] < len(kind.levels) - 1, "the last grade is for equal values"


def many_are_as_one(kind: type[Matcher]) -> None:
    """Grading or normalising many at once gives each what it would get alone; and nothing none."""
    matcher = kind()
    values = _values(matcher)
    left = [one for one in values for other in values if one != other]
    right = [other for one in values for other in values if one != other]
    together = matcher.compare(left, right)
    assert together.dtype == np.int8
    alone = [matcher.compare([a], [b])[0] for a, b in zip(left, right, strict=True)]
    assert together.tolist() == alone
    assert len(matcher.compare([], [])) == 0
    raw = _raw(kind)
    assert matcher.normalise_all(raw) == [matcher.normalise(value) for value in raw]
    plain = [value for value in raw if value.isascii() and "\n" not in value]
    assert matcher.normalise_all(plain) == [matcher.normalise(value) for value in plain]


def normal_form_is_final(kind: type[Matcher]) -> None:
    """A normalised value normalises to itself, and the empty text to nothing."""
    matcher = kind()
    assert matcher.normalise("") == ""
    for value in _values(matcher):
        assert matcher.normalise(value) == value


def keys_are_as_many_as_ways(kind: type[Matcher]) -> None:
    """Every value has one key for each way, and the way called whole is the value."""
    matcher = kind()
    for value in _values(matcher):
        keys = matcher.keys(value)
        assert len(keys) == len(kind.ways)
        assert all(isinstance(key, str) for key in keys)
        if "whole" in kind.ways:
            assert keys[kind.ways.index("whole")] == value


def order_of_records_does_not_matter(kind: type[Matcher]) -> None:
    """Records linked by this column and a plain one give the same clusters in any order."""
    raw = [value for one, other, _ in kind.samples for value in (one, other)]
    columns = {
        "kept": [f"k{n // 2}" for n in range(4 * len(raw))],
        "tried": [raw[n % len(raw)] for n in range(4 * len(raw))],
    }
    fields = [Field(name="kept", matcher="id_number"), Field(name="tried", matcher=kind.name)]
    options = Options(keys=((KeyPart("kept", "whole"),),))
    found = set()
    for seed in range(3):
        order = random.Random(seed).sample(range(4 * len(raw)), 4 * len(raw))  # noqa: S311
        records = Records(
            ids=[f"r{n:03d}" for n in order],
            columns={name: [values[n] for n in order] for name, values in columns.items()},
        )
        result = Linker.link(records, fields, options)
        found.add(
            frozenset(
                (records.ids[place], records.ids[cluster])
                for place, cluster in enumerate(result.cluster.tolist())
            )
        )
    assert len(found) == 1


CHECKS: Final[tuple[Callable[[type[Matcher]], None], ...]] = (
    is_described,
    samples_agree_as_said,
    is_symmetric,
    many_are_as_one,
    normal_form_is_final,
    keys_are_as_many_as_ways,
    order_of_records_does_not_matter,
)


def _raw(kind: type[Matcher]) -> list[str]:
    return [value for one, other, _ in kind.samples for value in (one, other)] + list(_ODD)


def _values(matcher: Matcher) -> list[str]:
    normal = {matcher.normalise(value) for value in _raw(type(matcher))}
    return sorted(normal - {""})


def _grade(matcher: Matcher, one: str, other: str) -> int:
    left, right = matcher.normalise(one), matcher.normalise(other)
    assert left, f"{one!r} says nothing"
    assert right, f"{other!r} says nothing"
    if left == right:
        return len(matcher.levels) - 1
    return int(matcher.compare([left], [right])[0])

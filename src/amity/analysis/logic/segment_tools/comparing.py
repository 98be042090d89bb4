"""What differs between two rules, in words: conditions added, removed and changed.

Two rules are walked together. Groups of one kind are compared by their conditions: equal ones are
set aside, the rest are paired by how much of them is the same, and what finds no partner was added
or removed. A condition need not be known here: all is read from its fields and its words.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from amity.analysis.contracts_segments import RuleDifference
from amity.analysis.logic.segment_tools.normal_form import normal_form
from amity.rules import All, Any_, Condition, Not, Rule, encode_rule
from amity.rules.condition import Names, name_of

_TOGETHER: Final = {
    "all": "all of",
    "any": "at least one of",
    "none": "none of",
    "not_all": "not all of",
}


def compare_rules(before: Rule, after: Rule, names: Names) -> list[RuleDifference]:
    """Return what differs, in the order of the rules; nothing when they say the same."""
    found: list[RuleDifference] = []
    _compare_groups(_open(before), _open(after), names, "", found)
    return found


def key_of(rule: Condition) -> bytes:
    """Return a text that two conditions share when they say the same."""
    return normal_form(encode_rule(rule))


def _open(rule: Condition) -> tuple[str, tuple[Condition, ...]]:
    """Return how conditions are taken together, and which; a lone condition is all of one."""
    mode = _mode_of(rule)
    if mode is None:
        return "all", (rule,)
    inner = rule.parts()[0] if isinstance(rule, Not) else rule
    parts = inner.parts()
    # A group around a single group says what that one says.
    if mode == "all" and len(parts) == 1 and _mode_of(parts[0]) is not None:
        return _open(parts[0])
    return mode, parts


def _mode_of(rule: Condition) -> str | None:
    """Return how a group takes its conditions; None for what is no group."""
    if isinstance(rule, All):
        return "all"
    if isinstance(rule, Any_):
        return "any"
    if isinstance(rule, Not):
        inner = rule.parts()[0]
        return "not_all" if isinstance(inner, All) else "none" if isinstance(inner, Any_) else None
    return None


def _compare_groups(
    before: tuple[str, tuple[Condition, ...]],
    after: tuple[str, tuple[Condition, ...]],
    names: Names,
    inside: str,
    found: list[RuleDifference],
) -> None:
    if _is_taken_otherwise(before, after):
        found.append(
            RuleDifference(
                kind="changed",
                before=f"{_TOGETHER[before[0]]} these",
                after=f"{_TOGETHER[after[0]]} these",
                inside=inside,
            )
        )
    inside = inside if after[0] == "all" else _TOGETHER[after[0]]
    pairs, gone, come = _match(before[1], after[1])
    for old, new in pairs:
        _compare(old, new, names, inside, found)
    for old in gone:
        words = old.describe(names)
        found.append(RuleDifference(kind="removed", before=words, after="", inside=inside))
    for new in come:
        words = new.describe(names)
        found.append(RuleDifference(kind="added", before="", after=words, inside=inside))


def _is_taken_otherwise(
    before: tuple[str, tuple[Condition, ...]], after: tuple[str, tuple[Condition, ...]]
) -> bool:
    """Say whether conditions are taken together in another way; a lone one has only yes and no."""
    contrary = ("none", "not_all")
    if (before[0] in contrary) != (after[0] in contrary):
        return True
    return before[0] != after[0] and min(len(before[1]), len(after[1])) > 1


def _compare(
    old: Condition, new: Condition, names: Names, inside: str, found: list[RuleDifference]
) -> None:
    if _mode_of(old) is not None and _mode_of(new) is not None:
        opened = _open(new)
        _compare_groups(_open(old), opened, names, _TOGETHER[opened[0]], found)
        return
    before, after = old.describe(names), new.describe(names)
    found.append(RuleDifference(kind="changed", before=before, after=after, inside=inside))


def _match(
    before: tuple[Condition, ...], after: tuple[Condition, ...]
) -> tuple[list[tuple[Condition, Condition]], list[Condition], list[Condition]]:
    """Pair what is alike but not equal; return the pairs, what is gone and what came."""
    gone, come = list(before), list(after)
    for old in before:
        same = next((new for new in come if key_of(new) == key_of(old)), None)
        if same is not None:
            gone.remove(old)
            come.remove(same)
    pairs: list[tuple[Condition, Condition]] = []
    ranked = sorted(
        ((-_likeness(old, new), i, j) for i, old in enumerate(gone) for j, new in enumerate(come)),
    )
    used_old: set[int] = set()
    used_new: set[int] = set()
    for likeness, i, j in ranked:
        if likeness < 0 and i not in used_old and j not in used_new:
            used_old.add(i)
            used_new.add(j)
            pairs.append((gone[i], come[j]))
    return (
        pairs,
        [old for i, old in enumerate(gone) if i not in used_old],
        [new for j, new in enumerate(come) if j not in used_new],
    )


def _likeness(old: Condition, new: Condition) -> float:
    """Return how much two conditions have in common; 0 when one is not the other, changed."""
    if _mode_of(old) is not None and _mode_of(new) is not None:
        shared = {key_of(part) for part in _open(old)[1]} & {key_of(part) for part in _open(new)[1]}
        return 1.0 + len(shared)
    if isinstance(old, Not) and isinstance(new, Not):
        return _likeness(old.parts()[0], new.parts()[0])
    if isinstance(old, Not) != isinstance(new, Not):
        one, other = (each.parts()[0] if isinstance(each, Not) else each for each in (old, new))
        return 0.5 if key_of(one) == key_of(other) else 0.0
    if type(old) is not type(new):
        return 0.0
    return _shared_fields(msgspec.to_builtins(old), msgspec.to_builtins(new), name_of(type(old)))


def _shared_fields(old: dict[str, Any], new: dict[str, Any], tag: str) -> float:
    """Return the share of fields that are equal; what it is about must be among them."""
    subjects = [key for key in ("field", "event", "purpose", "name", "segment_id") if key in old]
    if subjects and old[subjects[0]] != new.get(subjects[0]):
        return 0.0
    keys = {key for key in (*old, *new) if old.get(key) != tag}
    equal = sum(key in old and key in new and repr(old[key]) == repr(new[key]) for key in keys)
    return (equal + 0.1) / (len(keys) + 0.1)

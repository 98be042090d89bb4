"""One way to write a rule, so that rules that say the same are found to (pure).

Negations stand at single conditions only (De Morgan; every condition is yes or no, never unknown),
groups inside groups of their kind are one group, repeated conditions are one, and order does not
count. What conditions themselves say is not compared but for a few spellings of the same.
"""

from typing import Any, Final

import msgspec

_Rule = dict[str, Any]
_CONTRARY: Final = {"all": "any", "any": "all"}
_SETS: Final = {"in", "not_in"}


def normal_form(rule: _Rule, rules: dict[int, _Rule] | None = None) -> bytes:
    """Return a text that two rules share when they say the same, as far as can be told.

    ``rules`` are those of other segments, to stand where one is asked for.
    """
    return _text(_normal(rule, rules or {}, is_negated=False))


def _text(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _normal(rule: _Rule, rules: dict[int, _Rule], *, is_negated: bool) -> _Rule:
    node = rule["node"]
    if node == "not":
        return _normal(rule["of"], rules, is_negated=not is_negated)
    if node in _CONTRARY:
        return _group(rule, rules, is_negated=is_negated)
    if node == "in_segment" and rule["segment_id"] in rules:
        return _normal(rules[rule["segment_id"]], rules, is_negated=is_negated)
    plain = _plain(rule)
    return {"node": "not", "of": plain} if is_negated else plain


def _group(rule: _Rule, rules: dict[int, _Rule], *, is_negated: bool) -> _Rule:
    node = _CONTRARY[rule["node"]] if is_negated else rule["node"]
    parts: dict[bytes, _Rule] = {}
    for child in rule["of"]:
        normal = _normal(child, rules, is_negated=is_negated)
        inner = normal["of"] if normal["node"] == node else [normal]
        parts |= {_text(each): each for each in inner}
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {"node": node, "of": [parts[key] for key in sorted(parts)]}


def _plain(rule: _Rule) -> _Rule:
    plain = dict(rule)
    if plain["node"] == "did" and plain.get("at_least") == 1 and plain.get("at_most") is None:
        del plain["at_least"]
    if isinstance(plain.get("is"), dict):
        plain["is"] = _test(plain["is"])
    if isinstance(plain.get("where"), list | tuple):
        tests = {_text(each): each for each in map(_where, plain["where"])}
        plain["where"] = [tests[key] for key in sorted(tests)]
    return plain


def _where(where: _Rule) -> _Rule:
    return where | {"is": _test(where["is"])} if isinstance(where.get("is"), dict) else where


def _test(test: _Rule) -> _Rule:
    if test.get("op") in _SETS and isinstance(test.get("values"), list | tuple):
        values = {_text(each): each for each in test["values"]}
        return test | {"values": [values[key] for key in sorted(values)]}
    return test

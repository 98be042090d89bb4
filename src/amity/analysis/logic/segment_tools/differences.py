"""What sets the members of a segment apart from everybody else, or from another segment.

At most ten thousand of each group are looked at, drawn by a hash of their ids, so that the cost
does not grow with the customers; the intervals say what that leaves open.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from amity.analysis.contracts_segments import GroupDifference, SegmentDifferences
from amity.analysis.estimator import Refused
from amity.analysis.logic.segment_tools.difference_statistics import (
    FEWEST,
    Gap,
    Mean,
    level_of,
    mean_gap,
    share_gap,
)
from amity.analysis.logic.segment_tools.kept import find_answer, keep_answer
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.analysis.logic.segments_reading import tune
from amity.analysis.logic.working.doing import Doing
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.rules import HasConsent, Mentions, decode_rule, mentions, sql, to_sql
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_TOOL: Final = "differences"
SAMPLE: Final = 10_000
_SHOWN: Final = 40
_STEPS: Final = 6
_MOST_PURPOSES: Final = 20
_RARE: Final = 0.01
"""A value that fewer than this share of those looked at have is not compared."""
_NO_AMOUNT: Final = ("cluster", "lookalike_", "list_")
"""Scores that say in which group or on which list somebody is: their mean says nothing."""
_OWN_EVENTS: Final = ["Segment Entered", "Segment Left"]
_FIGURES: Final[dict[str, tuple[str, Literal["", "days", "money"]]]] = {
    "order_count": ("orders", ""),
    "event_count": ("events", ""),
    "revenue": ("revenue", "money"),
    "days_known": ("days since first seen", "days"),
    "days_unseen": ("days since last seen", "days"),
    "days_since_order": ("days since the last order, of who ordered", "days"),
}
_RULE_FIELDS: Final = {
    "order_count": {"order_count"},
    "event_count": {"event_count"},
    "revenue": {"revenue"},
    "days_known": {"first_seen_at"},
    "days_unseen": {"last_seen_at"},
    "days_since_order": {"last_order_at"},
}


class _Thing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to compare: what it is, and how to compare it at a level."""

    kind: Literal["trait", "event", "score", "channel", "figure"]
    name: str
    words: str
    counts: tuple[int, int]
    gap: Callable[[float], Gap | None]
    measure: Literal["share", "mean"]
    unit: Literal["", "days", "money"] = ""
    is_by_rule: bool = False


class _Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Whom is compared with whom."""

    inside: list[int]
    outside: list[int]

    @property
    def values(self) -> dict[str, Any]:
        """The groups as parameters of the queries."""
        ids = [*self.inside, *self.outside]
        flags = [True] * len(self.inside) + [False] * len(self.outside)
        fewest = max(10, int(len(ids) * _RARE))
        return {"ids": ids, "inside": flags, "fewest": fewest, "but": _OWN_EVENTS}


def asked(segment_id: int, against_id: int | None) -> str:
    """Return the question as the key of its kept answer."""
    return f"{segment_id}:{against_id or 'others'}"


def find_differences(*, segment_id: int, against_id: int | None) -> SegmentDifferences | None:
    """Return the answer that was last found, or None."""
    return find_answer(_TOOL, asked(segment_id, against_id), SegmentDifferences)


def refresh_differences(
    *, segment_id: int, against_id: int | None, now: datetime, doing: Doing
) -> SegmentDifferences:
    """Compare anew and keep the answer; see the door."""
    with transaction("readonly") as connection, doing.over(connection):
        tune(connection)
        definitions = Definitions(connection)
        held = definitions.make(segment_id)
        other = None if against_id is None else definitions.make(against_id)
        doing.tell(0, _STEPS, "drawing whom to look at")
        groups = _draw(connection, segment_id, against_id)
        rule = mentions(decode_rule(held.rule))
        things = list(_list_things(connection, groups, rule, now, doing))
    against_name = "everybody else" if other is None else other.name
    doing.tell(_STEPS - 1, _STEPS, "telling what surely differs")
    found = _rank(things)
    answer = SegmentDifferences(
        segment_id=segment_id,
        against_id=against_id,
        name=held.name,
        against_name=against_name,
        sampled_inside=len(groups.inside),
        sampled_outside=len(groups.outside),
        is_sampled=SAMPLE in (len(groups.inside), len(groups.outside)),
        looked_at=len(things),
        differences=found[:_SHOWN],
        sentence=_sentence(found, against_name, len(things)),
        computed_at=now,
    )
    keep_answer(_TOOL, asked(segment_id, against_id), answer, now)
    return answer


def _draw(connection: Connection, segment_id: int, against_id: int | None) -> _Groups:
    """Draw who is looked at; who is in both segments is in neither group."""

    def draw(query: str, **values: int | None) -> list[int]:
        return [row[0] for row in connection.execute(_SQL[query], {**values, "limit": SAMPLE})]

    inside = draw("sample_members", segment_id=segment_id, but=against_id)
    if against_id is None:
        outside = draw("sample_others", segment_id=segment_id)
    else:
        outside = draw("sample_members", segment_id=against_id, but=segment_id)
    for people, whose in ((inside, "it"), (outside, "those compared with")):
        if len(people) < FEWEST:
            raise Refused(
                f"only {len(people):,} customers are in {whose} alone; with fewer than {FEWEST} "
                "a difference says nothing"
            )
    return _Groups(inside=inside, outside=outside)


def _list_things(
    connection: Connection, groups: _Groups, rule: Mentions, now: datetime, doing: Doing
) -> Iterator[_Thing]:
    values = groups.values | {"now": now}
    sizes = len(groups.inside), len(groups.outside)

    def shares(name: str) -> Iterator[tuple[Any, ...]]:
        yield from connection.execute(_SQL[name], values).fetchall()

    doing.tell(1, _STEPS, "comparing traits")
    for key, value, one, other in shares("count_trait_values"):
        said = f"“{value}”" if isinstance(value, str) else ("yes" if value else "no")
        yield _share(
            "trait", key, f"{key} is {said}", (one, other), sizes, is_by_rule=key in rule.traits
        )
    doing.tell(2, _STEPS, "comparing events")
    for name, one, other in shares("count_events_done"):
        yield _share(
            "event",
            name,
            f"did “{name}” at least once",
            (one, other),
            sizes,
            is_by_rule=name in rule.events,
        )
    doing.tell(3, _STEPS, "comparing channels and consents")
    for words, one, other in shares("count_channels"):
        yield _share("channel", words, words, (one, other), sizes, is_by_rule=False)
    for purpose, one, other in _count_consents(connection, groups, now):
        by_rule = purpose in rule.purposes
        words = f"allows “{purpose}” now"
        yield _share("channel", purpose, words, (one, other), sizes, is_by_rule=by_rule)
    doing.tell(4, _STEPS, "comparing numbers, figures and scores")
    yield from _list_means(connection, values, rule)


def _count_consents(
    connection: Connection, groups: _Groups, now: datetime
) -> Iterator[tuple[str, int, int]]:
    """Give, for each purpose, how many of both groups allow it now, as the gate sees it."""
    policies = store.list_policies(connection=connection)
    inside = set(groups.inside)
    looked_at = sql("p.id = ANY({}::bigint[])", [*groups.inside, *groups.outside])
    catalogue = make_catalogue(policies, looked_at)
    for purpose in sorted(policies)[:_MOST_PURPOSES]:
        query = to_sql(HasConsent(purpose), catalogue, now)
        found = [row[0] for row in connection.execute(query.encode(), query.params)]
        allowing = sum(profile_id in inside for profile_id in found)
        yield purpose, allowing, len(found) - allowing


def _list_means(connection: Connection, values: dict[str, Any], rule: Mentions) -> Iterator[_Thing]:
    for row in connection.execute(_SQL["measure_trait_numbers"], values).fetchall():
        yield _mean("trait", row[0], f"mean {row[0]}", row[1:], is_by_rule=row[0] in rule.traits)
    for row in connection.execute(_SQL["measure_profiles"], values).fetchall():
        words, unit = _FIGURES[row[0]]
        by_rule = bool(_RULE_FIELDS[row[0]] & rule.fields)
        thing = _mean("figure", row[0], f"mean {words}", row[1:], is_by_rule=by_rule)
        yield msgspec.structs.replace(thing, unit=unit)
    for row in connection.execute(_SQL["measure_scores"], values).fetchall():
        if row[0].startswith(_NO_AMOUNT):
            continue
        yield _mean("score", row[0], f"mean score {row[0]}", row[1:], is_by_rule=False)


def _share(
    kind: Literal["trait", "event", "channel"],
    name: str,
    words: str,
    parts: tuple[int, int],
    sizes: tuple[int, int],
    *,
    is_by_rule: bool,
) -> _Thing:
    inside, outside = (parts[0], sizes[0]), (parts[1], sizes[1])
    return _Thing(
        kind=kind,
        name=name,
        words=words,
        counts=sizes,
        gap=lambda level: share_gap(inside, outside, level=level),
        measure="share",
        is_by_rule=is_by_rule,
    )


def _mean(
    kind: Literal["trait", "figure", "score"],
    name: str,
    words: str,
    row: tuple[Any, ...],
    *,
    is_by_rule: bool,
) -> _Thing:
    # Money is kept in minor units; its mean is told in whole ones.
    scale = 1 / store.minor_units() if name == "revenue" and kind == "figure" else 1.0
    inside, outside = _scaled(row[:3], scale), _scaled(row[3:], scale)
    return _Thing(
        kind=kind,
        name=name,
        words=words,
        counts=(inside.count, outside.count),
        gap=lambda level: mean_gap(inside, outside, level=level),
        measure="mean",
        is_by_rule=is_by_rule,
    )


def _scaled(row: tuple[Any, ...], scale: float) -> Mean:
    count, mean, variance = row
    return Mean(
        count,
        None if mean is None else float(mean) * scale,
        None if variance is None else float(variance) * scale**2,
    )


def _rank(things: list[_Thing]) -> list[GroupDifference]:
    """Return what surely differs, the largest effects first, what the rule asks for last."""
    level = level_of(len(things))
    found = [(thing, gap) for thing in things if (gap := thing.gap(level)) and gap.is_sure]
    found.sort(key=lambda pair: (pair[0].is_by_rule, -abs(pair[1].effect), pair[0].words))
    return [
        GroupDifference(
            kind=thing.kind,
            name=thing.name,
            words=thing.words,
            measure=thing.measure,
            unit=thing.unit,
            counted_inside=thing.counts[0],
            counted_outside=thing.counts[1],
            is_by_rule=thing.is_by_rule,
            **msgspec.structs.asdict(gap),
        )
        for thing, gap in found
    ]


def _sentence(found: list[GroupDifference], against: str, looked_at: int) -> str:
    first = next((each for each in found if not each.is_by_rule), None)
    if first is None:
        return (
            f"Of {looked_at} things looked at, none that its rule does not ask for sets it apart."
        )
    if first.measure == "share":
        much = f"{first.inside:.0%} of them, {first.outside:.0%} of {against}"
    else:
        much = f"{first.inside:,.4g} against {first.outside:,.4g}"
    return f"They differ from {against} most in this: {first.words} ({much})."

"""Who resembles the members of a segment: what it is told by, and the nearest as a segment.

What the rule itself asks for is not looked at: it would only find the rule again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np
from psycopg.types.json import Jsonb

from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import LikenessTrait, Lookalikes
from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic import segments
from amity.analysis.logic.scoring.keeping import ScoreRow, replace_scores
from amity.analysis.logic.segment_tools.figures import NAMES, Figures, read_figures
from amity.analysis.logic.segment_tools.kept import find_answer, keep_answer
from amity.analysis.logic.segment_tools.likeness import IMPLAUSIBLE, learn
from amity.analysis.logic.segments_reading import tune
from amity.analysis.logic.working.doing import Doing
from amity.infra import queries
from amity.infra.columns import fetch_columns
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.rules import Mentions, decode_rule, mentions
from amity.rules.mentions import join_mentions

_SQL = queries.load("amity.analysis")
_TOOL: Final = "lookalikes"
SCORE: Final = "lookalike_"
"""What the score of a segment's lookalikes begins with; then comes its id."""
MEMBERS: Final = 5_000
OTHERS: Final = 10_000
MOST_SAVED: Final = 100_000
_MOST_TRAITS: Final = 100
_STEPS: Final = 4
_SAVING: Final = 2
_RARE: Final = 0.01
_OWN_EVENTS: Final = ["Segment Entered", "Segment Left"]
_ORDERS: Final = {"orders", "revenue", "order_value", "days_since_order"}
_ORDER_FIELDS: Final = {"order_count", "revenue", "first_order_at", "last_order_at"}
_TOLD_BY: Final = {
    "first_seen_at": {"days_known"},
    "last_seen_at": {"days_unseen"},
    "event_count": {"events"},
}
_FIGURE_WORDS: Final = {
    "orders": "number of orders",
    "revenue": "revenue",
    "order_value": "revenue per order",
    "events": "number of events",
    "days_known": "days since first seen",
    "days_unseen": "days since last seen",
    "days_since_order": "days since the last order",
}


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    name: str
    value: bool | str | None = None

    @property
    def words(self) -> str:
        """Say what it is, for people."""
        if self.kind == "figure":
            return _FIGURE_WORDS[self.name]
        if self.kind == "event":
            return f"did “{self.name}”"
        said = f"“{self.value}”" if isinstance(self.value, str) else "yes" if self.value else "no"
        return f"{self.name} is {said}"


def find_lookalikes(*, segment_id: int) -> Lookalikes | None:
    """Return what was last learnt, or None."""
    return find_answer(_TOOL, str(segment_id), Lookalikes)


def refresh_lookalikes(
    *, segment_id: int, now: datetime, rng: np.random.Generator, doing: Doing
) -> Lookalikes:
    """Learn who resembles the members and keep it; see the door."""
    with transaction("readonly") as connection, doing.over(connection):
        tune(connection)
        doing.tell(0, _STEPS, "drawing members and others")
        definitions = segments.Definitions(connection)
        held = definitions.make(segment_id)
        asked = _asked_by(definitions, segment_id)
        inside = _draw(connection, "sample_members", segment_id=segment_id, but=None, limit=MEMBERS)
        outside = _draw(connection, "sample_others", segment_id=segment_id, limit=OTHERS)
        ids = [*inside, *outside]
        doing.tell(1, _STEPS, "looking for what may tell them apart")
        columns = _list_columns(connection, ids, len(inside), asked)
        doing.tell(2, _STEPS, "reading what is known of them")
        figures = read_figures(connection, now=now, ids=ids)
        values = _read_values(connection, figures, columns)
    is_member = np.isin(figures.ids, np.array(inside, np.int64)).astype(np.float64)
    doing.tell(3, _STEPS, "learning, and trying it on some held out")
    found = learn(values, is_member, rng)
    traits = [
        LikenessTrait(
            kind=column.kind,  # type: ignore[arg-type]  # one of the three, made here
            name=column.name,
            value=column.value,
            words=column.words,
            weight=float(weight),
            strength=float(strength),
        )
        for column, weight, strength in zip(columns, found.weights, found.strengths, strict=True)
    ]
    answer = Lookalikes(
        segment_id=segment_id,
        name=held.name,
        members=int(is_member.sum()),
        others=int(len(is_member) - is_member.sum()),
        held_out=found.held_out,
        auc=found.auc.value,
        auc_low=found.auc.low,
        auc_high=found.auc.high,
        intercept=found.intercept,
        traits=sorted(traits, key=lambda each: -abs(each.strength)),
        left_out=_words_of(asked),
        warnings=_warn(found.auc.value),
        computed_at=now,
    )
    keep_answer(_TOOL, str(segment_id), answer, now)
    return answer


def _warn(auc: float) -> list[str]:
    if auc < IMPLAUSIBLE:
        return []
    return [
        "members are told from others nearly without fault: something here is another way of "
        "saying what the rule says, so there may be few real lookalikes"
    ]


def _asked_by(definitions: segments.Definitions, segment_id: int) -> Mentions:
    """Return what the rule looks at, and those of the segments it asks for."""
    found: list[Mentions] = []
    left, seen = [segment_id], set[int]()
    while left:
        each = left.pop()
        if each in seen:
            continue
        seen.add(each)
        try:
            found.append(mentions(decode_rule(definitions.make(each).rule)))
        except (Invalid, NotFound):
            continue
        left += found[-1].segments
    return join_mentions(found)


def _words_of(asked: Mentions) -> list[str]:
    return sorted({*asked.traits, *asked.fields, *asked.events})


def _draw(connection: Connection, query: str, **values: int | None) -> list[int]:
    return [row[0] for row in connection.execute(_SQL[query], values)]


def _list_columns(
    connection: Connection, ids: list[int], members: int, asked: Mentions
) -> list[_Column]:
    """Return what likeness may be told by: nothing the rule asks for, nothing rare."""
    values = {
        "ids": ids,
        "inside": [True] * members + [False] * (len(ids) - members),
        "fewest": max(10, int(len(ids) * _RARE)),
        "but": _OWN_EVENTS,
    }
    columns = [
        _Column(kind="figure", name=name) for name in NAMES if name not in _told_figures(asked)
    ]
    rows = connection.execute(_SQL["count_trait_values"], values).fetchall()
    kept = [row for row in rows if row[0] not in asked.traits][:_MOST_TRAITS]
    columns += [_Column(kind="trait", name=key, value=value) for key, value, *_ in kept]
    rows = connection.execute(_SQL["count_events_done"], values).fetchall()
    return columns + [
        _Column(kind="event", name=name) for name, *_ in rows if name not in asked.events
    ]


def _told_figures(asked: Mentions) -> set[str]:
    """Return the figures that follow from what the rule asks for."""
    told: set[str] = set()
    for field in asked.fields:
        told |= _TOLD_BY.get(field, set())
    # Scores are made of orders, and most events that are asked for lie near one.
    if asked.events or asked.fields & _ORDER_FIELDS or getattr(asked, "scores", None):
        told |= _ORDERS
    return told


def _read_values(connection: Connection, figures: Figures, columns: list[_Column]) -> FloatArray:
    """Return a row a customer: figures as logarithms, the rest as 0 and 1."""
    values = np.zeros((len(figures.ids), len(columns)))
    scaled = figures.scaled
    for place, column in enumerate(columns):
        if column.kind == "figure":
            values[:, place] = scaled[:, NAMES.index(column.name)]
    keys, places = _split(columns, [float(n) for n in range(len(columns))])
    ids = figures.ids.tolist()
    who, what = fetch_columns(
        connection,
        _SQL["list_flags"],
        [
            keys[0],
            keys[1],
            [int(n) for n in places[0]],
            ids,
            keys[2],
            [int(n) for n in places[1]],
            ids,
        ],
        width=2,
    )
    order = np.argsort(figures.ids)
    rows = order[np.searchsorted(figures.ids, who, sorter=order)]
    values[rows, what] = 1.0
    return values


def _split(
    columns: list[_Column], numbers: list[float]
) -> tuple[tuple[list[str], list[Jsonb], list[str]], tuple[list[float], list[float]]]:
    """Return the traits' names and values and the events' names, and the number of each."""
    traits = [(c, n) for c, n in zip(columns, numbers, strict=True) if c.kind == "trait"]
    events = [(c, n) for c, n in zip(columns, numbers, strict=True) if c.kind == "event"]
    return (
        [column.name for column, _ in traits],
        [Jsonb(column.value) for column, _ in traits],
        [column.name for column, _ in events],
    ), ([number for _, number in traits], [number for _, number in events])


def check_saving(*, segment_id: int, size: int) -> Lookalikes:
    """Return what was learnt; raise Invalid or NotFound when no segment can be made of it."""
    if not 1 <= size <= MOST_SAVED:
        raise Invalid(f"a size is 1 to {MOST_SAVED:,}", code="bad_size")
    found = find_lookalikes(segment_id=segment_id)
    if found is None:
        raise NotFound("likeness was not learnt yet", code="no_lookalikes")
    return found


def find_saved(*, segment_id: int) -> Segment | None:
    """Return the segment that was made of the nearest, or None."""
    found = find_lookalikes(segment_id=segment_id)
    if found is None:
        return None
    with transaction("readonly") as connection:
        return segments.Definitions(connection).find(_name_of(found))


def _name_of(found: Lookalikes) -> str:
    return f"Like {found.name}"[:100]


def save_lookalikes(*, segment_id: int, size: int, by: str, now: datetime, doing: Doing) -> Segment:
    """Make a segment of those most like the members; see the door."""
    found = check_saving(segment_id=segment_id, size=size)
    score = f"{SCORE}{segment_id}"
    with transaction() as connection, doing.over(connection):
        count = rescore(connection, found, size=size, now=now, doing=doing)
        name = _name_of(found)
        held = segments.Definitions(connection).find(name)
    rule = _rule(score, segment_id)
    if held is not None:
        return segments.update_segment(
            segment_id=held.segment_id, name=None, rule=rule, description=None, by=by, now=now
        )
    about = (
        f"The {count:,} customers most like those in {found.name}, first on {now:%-d %b %Y}. "
        "Who they are is found anew each night."
    )
    return segments.create_segment(name=name, rule=rule, description=about, by=by, now=now)


def rescore(
    connection: Connection, found: Lookalikes, *, size: int, now: datetime, doing: Doing
) -> int:
    """Put the nearest into the score of a segment's lookalikes; return how many there are.

    What was learnt is kept as a model's run, and each score names it.
    """
    tune(connection)
    score = f"{SCORE}{found.segment_id}"
    doing.tell(0, _SAVING, "rating everybody who is not in it")
    ids, likeness = _rate_others(connection, found, now)
    doing.tell(1, _SAVING, "writing down the nearest")
    run_id = _record(connection, score, found, now)
    best = np.argsort(-likeness, kind="stable")[:size]
    replace_scores(connection, names=[score], rows=_rows(ids[best], likeness[best], score, run_id))
    return len(best)


def _rule(score: str, segment_id: int) -> dict[str, Any]:
    return {
        "node": "all",
        "of": [
            {"node": "score", "score": score, "is": {"op": "exists"}},
            {"node": "not", "of": {"node": "in_segment", "segment_id": segment_id}},
        ],
    }


def _rate_others(
    connection: Connection, found: Lookalikes, now: datetime
) -> tuple[IntArray, FloatArray]:
    """Return everybody who is not in the segment, with how alike they are."""
    figures = read_figures(connection, now=now, ids=None)
    columns = [_Column(kind=t.kind, name=t.name, value=t.value) for t in found.traits]
    keys, weights = _split(columns, [each.weight for each in found.traits])
    likeness = np.full(len(figures.ids), found.intercept)
    scaled = figures.scaled
    for each in found.traits:
        if each.kind == "figure":
            likeness += each.weight * scaled[:, NAMES.index(each.name)]
    who, millionths = fetch_columns(
        connection,
        _SQL["weigh_flags"],
        [keys[0], keys[1], weights[0], keys[2], weights[1]],
        width=2,
    )
    order = np.argsort(figures.ids)
    # Whoever never did anything is rated neither way.
    is_known = np.isin(who, figures.ids)
    rows = order[np.searchsorted(figures.ids, who[is_known], sorter=order)]
    likeness[rows] += millionths[is_known] / 1e6
    [members] = fetch_columns(connection, _SQL["list_member_ids"], [found.segment_id], width=1)
    is_other = ~np.isin(figures.ids, members)
    return figures.ids[is_other], likeness[is_other]


def _record(connection: Connection, score: str, found: Lookalikes, now: datetime) -> int:
    report = {"auc": found.auc, "auc_low": found.auc_low, "auc_high": found.auc_high}
    values = [
        score,
        now,
        found.members,
        msgspec.json.encode({"intercept": found.intercept}).decode(),
        msgspec.json.encode(report).decode(),
    ]
    row = connection.execute(_SQL["scores_record"], values).fetchone()
    assert row is not None
    return int(row[0])


def _rows(ids: IntArray, likeness: FloatArray, score: str, run_id: int) -> Iterator[ScoreRow]:
    for profile_id, logit in zip(ids.tolist(), likeness.tolist(), strict=True):
        yield profile_id, score, logit, "", None, None, run_id

"""What customers think of us: their own answer with its weight, or what such customers answer."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import numpy as np

from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column as Scores
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.file_estimates.satisfaction import CARD as FILE_CARD
from amity.analysis.logic.behaviour.answers import express_answers, express_asked
from amity.analysis.logic.behaviour.answers import latest as latest_of
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.logic.surveys.attitude import Attitude, predict_attitude
from amity.analysis.logic.surveys.satisfaction import (
    FEWEST,
    RANGES,
    Measure,
    Satisfaction,
    estimate_satisfaction,
    values_of,
)
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Followed,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
    pick,
)

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_KINDS: Final[tuple[Measure, ...]] = ("nps", "csat", "ces")
_WORDS: Final[dict[Measure, str]] = {
    "nps": "Would recommend us (0 to 10)",
    "csat": "Satisfied (1 to 5)",
    "ces": "Found it easy (1 to 7)",
}
_FEATURES: Final = ("orders", "days_since_order", "seen")
_FEATURE_WORDS: Final = ("orders", "days since the last order", "events in 30 days")
_HORIZON_DAYS: Final = 90
_SEEN_DAYS: Final = 30


class _People(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of some customers."""

    ids: IntArray
    columns: list[Column]


@STORE_ESTIMATES.register("satisfaction")
class Attitudes(StoreEstimator):
    """One score a kind of survey: answers of the last year, and what the silent would say."""

    name = "satisfaction"
    card = msgspec.structs.replace(
        FILE_CARD,
        purpose="To say what each customer thinks of us: the own answer with how many it speaks "
        "for, or, where earlier answers tell later ones, what such customers answer.",
        needs=[
            "Events Survey Answered of the last year with a kind (nps, csat, ces) and an answer; "
            "30 of a kind for scores of those who answered, 100 to say anything of the silent.",
            "Events Survey Asked, to weigh each answer by who else was asked.",
        ],
        refuses=[
            *FILE_CARD.refuses,
            "Scores of the silent, when later answers are not told better than by a mean.",
        ],
    )
    scores = tuple(
        ScoreWords(
            name=f"satisfaction:{kind}",
            title=_WORDS[kind],
            meaning="Their latest answer of the last year, with how many of those asked it speaks "
            "for; of who did not answer, what such customers answer, with the range in which four "
            "of five such answers lie.",
        )
        for kind in _KINDS
    )
    tables = frozenset(("events", "orders", "profiles"))
    follows: ClassVar[Mapping[str, int]] = {
        f"satisfaction:{kind}": _HORIZON_DAYS for kind in _KINDS
    }

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        found = {"everyone": _everyone(tables, known)}
        for kind in _KINDS:
            answers = latest_of(express_answers(tables, known.asked, kind), [])
            found[f"answers_{kind}"] = answers.select(
                "customer_id", "value", at=answers.occurred_at.epoch_seconds()
            ).order_by("customer_id")
            asked = express_asked(tables, known.asked, kind)
            found[f"asked_{kind}"] = asked.order_by("customer_id")
        return found

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        told: dict[Measure, dict[str, Any]] = {}
        scores: dict[str, Scored] = {}
        followed: dict[str, Followed] = {}
        refusals: list[str] = []
        unasked: list[str] = []
        for kind in _KINDS:
            try:
                scored, silent, told[kind] = _score(kind, rows, rng)
            except Refused as error:
                if not len(rows[f"answers_{kind}"]):
                    # Nobody is asked this way here, which is nothing to warn of.
                    unasked.append(kind.upper())
                    continue
                refusals.append(f"{kind.upper()}: {error.message}")
                continue
            scores[f"satisfaction:{kind}"] = scored
            if silent is not None:
                followed[f"satisfaction:{kind}"] = silent
        if not scores:
            none = [f"0 customers answered {each}" for each in unasked]
            raise Refused("; ".join([*refusals, *none]))
        return StoreEstimated(
            scores=scores,
            parameters={
                f"{kind}_{name}": value
                for kind, each in told.items()
                for name, value in each["parameters"].items()
            },
            report=_report(told, refusals),
            followed=followed,
        )

    def observe(self, rows: Rows, known: Known, score: str, due: Due) -> FloatArray:
        """Return what those answered who answered in the time, and have not answered since."""
        kind = score.removeprefix("satisfaction:")
        table = rows[f"answers_{kind}"]
        at = np.asarray(table["at"]).astype(np.int64)
        inside = (at > due.predicted_at.timestamp()) & (at <= due.due_at.timestamp())
        ids = np.asarray(table["customer_id"]).astype(np.int64)[inside]
        return pick(ids, np.asarray(table["value"]).astype(np.float64)[inside], due.profile_id)


def _everyone(tables: Mapping[str, "ibis.Table"], known: Known) -> "ibis.Table":
    """Return who was active in the year, with what is known of them now."""
    import ibis  # noqa: PLC0415  # loads slowly

    asked = known.asked
    events = frames.events(tables, asked)
    lately = events.occurred_at >= ibis.literal(asked.now - timedelta(days=_SEEN_DAYS))
    active = events.group_by("customer_id").aggregate(seen=lately.cast("int64").sum())
    placed = frames.placed_orders(tables, since=None, until=asked.now)
    bought = placed.group_by("customer_id").aggregate(
        orders=placed.count(), last=placed.placed_at.epoch_seconds().max()
    )
    both = active.left_join(bought, "customer_id").drop("customer_id_right")
    days = (int(asked.now.timestamp()) - both["last"]) / 86_400
    return both.select(
        "customer_id",
        "seen",
        orders=both.orders.fill_null(0),
        days_since_order=days,
    ).order_by("customer_id")


def _score(
    kind: Measure, rows: Rows, rng: np.random.Generator
) -> tuple[Scored, Followed | None, dict[str, Any]]:
    table = rows[f"answers_{kind}"]
    ids = np.asarray(table["customer_id"]).astype(np.int64)
    answers = np.asarray(table["value"]).astype(np.float64)
    if len(ids) < FEWEST:
        raise Refused(f"{len(ids):,} customers answered, and it takes at least {FEWEST}")
    asked, overall = _overall(kind, rows[f"asked_{kind}"], rng)
    weight = np.full(len(ids), np.nan) if overall is None else 1 / pick(asked, overall.chance, ids)
    report: dict[str, Any] = {
        "answers": len(ids),
        "parameters": {"mean_answer": float(answers.mean())},
    }
    if overall is not None:
        report |= _told_of_all(overall)
    everyone = _people(rows["everyone"])
    try:
        attitude = _predict(kind, rows, everyone)
    except Refused as error:
        column = Scores(value=answers, labels=_own_labels(answers, weight))
        report["calibration"] = {"refused": error.message}
        return Scored(customer_id=ids, column=column), None, report
    report["calibration"] = attitude.calibration
    report["parameters"]["skill"] = attitude.skill
    silent = np.flatnonzero(~np.isin(everyone.ids, ids))
    scored = _join((ids, answers, weight), everyone, attitude, silent)
    expected = Followed(customer_id=everyone.ids[silent], expected=attitude.value[silent])
    return scored, expected, report


def _overall(
    kind: Measure, table: "pa.Table", rng: np.random.Generator
) -> tuple[IntArray, Satisfaction | None]:
    """Return who was asked, and what all of them would say as far as that can be told."""
    people = _people(table)
    if not len(people.ids):
        return people.ids, None
    values = values_of(_numbers(table, "value"), kind)
    told = [one for one in people.columns if len(np.unique(one.values[~np.isnan(one.values)])) > 1]
    try:
        found = estimate_satisfaction(values, told, rng, measure=kind)
    except Refused:
        return people.ids, None
    return people.ids, found


def _told_of_all(overall: Satisfaction) -> dict[str, Any]:
    return {
        "asked": overall.asked,
        "plain": msgspec.to_builtins(overall.plain),
        "corrected": msgspec.to_builtins(overall.corrected),
        "warnings": overall.warnings,
    }


def _predict(kind: Measure, rows: Rows, everyone: _People) -> Attitude:
    """Learn from who was asked and answered, with what was known when they were asked."""
    table, answers = rows[f"asked_{kind}"], rows[f"answers_{kind}"]
    people = _people(table)
    values = _numbers(table, "value")
    spoke = np.flatnonzero(~np.isnan(values))
    at = pick(
        np.asarray(answers["customer_id"]).astype(np.int64),
        np.asarray(answers["at"]).astype(np.float64),
        people.ids,
    )
    spoke = spoke[~np.isnan(at[spoke])]
    return predict_attitude(
        [column.take(spoke) for column in people.columns],
        values[spoke],
        at[spoke],
        everyone.columns,
        limits=RANGES[kind],
    )


def _join(
    own: tuple[IntArray, FloatArray, FloatArray],
    everyone: _People,
    attitude: Attitude,
    silent: IntArray,
) -> Scored:
    """Return answers of who answered, and what is to be expected of the silent, as one score."""
    ids, answers, weight = own
    labels = _own_labels(answers, weight)
    for place in silent.tolist():
        parts = attitude.parts[place]
        best = np.argsort(-np.abs(parts), kind="stable")[:2].tolist()
        why = ", ".join(f"{_FEATURE_WORDS[one]} ({parts[one]:+.1f})" for one in best)
        labels.append(f"not answered; such customers say so: {why}")
    customer = np.concatenate([ids, everyone.ids[silent]])
    order = np.argsort(customer, kind="stable")

    def both(mine: FloatArray, theirs: FloatArray) -> FloatArray:
        joined: FloatArray = np.concatenate([mine, theirs[silent]])[order]
        return joined

    return Scored(
        customer_id=customer[order],
        column=Scores(
            value=both(answers, attitude.value),
            # What somebody has said themselves has no range.
            low=both(np.full(len(ids), np.nan), attitude.low),
            high=both(np.full(len(ids), np.nan), attitude.high),
            labels=[labels[place] for place in order.tolist()],
        ),
    )


def _own_labels(answers: FloatArray, weight: FloatArray) -> list[str]:
    return [
        f"answered {answer:g}"
        + ("" if np.isnan(times) else f"; speaks for {times:.1f} of those asked")
        for answer, times in zip(answers.tolist(), weight.tolist(), strict=True)
    ]


def _people(table: "pa.Table") -> _People:
    return _People(
        ids=np.asarray(table["customer_id"]).astype(np.int64),
        columns=[
            Column(name=name, kind="number", values=_numbers(table, name)) for name in _FEATURES
        ],
    )


def _numbers(table: "pa.Table", name: str) -> FloatArray:
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    column = table[name].cast(pa.float64()).fill_null(float("nan"))
    numbers: FloatArray = column.to_numpy(zero_copy_only=False)
    return numbers


def _report(told: dict[Measure, dict[str, Any]], refusals: list[str]) -> dict[str, Any]:
    best = max(told, key=lambda kind: told[kind]["answers"])
    warnings = [
        f"{kind.upper()}: {one}" for kind, each in told.items() for one in each.get("warnings", [])
    ]
    said = [f"{each['answers']:,} answers to {kind.upper()}" for kind, each in told.items()]
    return {
        "sentence": " and ".join(said),
        "facts": {
            f"{kind}, {name}": value
            for kind, each in told.items()
            for name, value in each.items()
            if name in ("answers", "asked")
        },
        "warnings": [*warnings, *(f"no score for {each}" for each in refusals)],
        "corrected": {kind: each.get("corrected") for kind, each in told.items()},
        "calibration": told[best]["calibration"],
        "calibration_of": f"satisfaction:{best}",
    }

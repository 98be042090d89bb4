"""Linking from end to end: make ready, block, compare, learn, score, cluster."""

from collections.abc import Sequence
from typing import Final, TypedDict

import msgspec
import numpy as np

from amity.kernel.errors import Invalid
from amity.store.linkage.blocking import Candidates, choose_keys, default_max_block, find_candidates
from amity.store.linkage.clustering import best_only, find_clusters
from amity.store.linkage.comparing import Patterns, count_levels, find_exchangeable
from amity.store.linkage.model import (
    EXCHANGED,
    Bits,
    Comparison,
    Field,
    Grades,
    Linkage,
    Model,
    Options,
    Records,
    Rows,
    probability_of,
)
from amity.store.linkage.scoring import (
    Overlap,
    Scorer,
    find_overlaps,
    find_priors,
    given_finer,
    household_odds_of,
    odds_of,
)
from amity.store.linkage.table import Table, make_table
from amity.store.linkage.training import (
    agreement_rate,
    estimate_m,
    estimate_u,
    start_m,
    without_matches,
)
from amity.store.linkage.warning import find_warnings

_ROUNDS: Final = 2


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that may be one person, or two of one household, and what speaks for it.

    ``bits`` are the log2 odds of one person; ``grades`` say by field how far the two agree.
    """

    record_id: str
    against_id: str
    probability: float
    household_probability: float
    bits: float
    grades: dict[str, str]
    weights: dict[str, float]
    """What each field says, in bits; together with where all pairs start they make ``bits``,
    unless two of one household are the likelier story."""


class _Described(TypedDict):
    grades: dict[str, str]
    weights: dict[str, float]


class _Training(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    table: Table
    candidates: Candidates
    patterns: Patterns
    evidence: Bits
    model: Model
    learnt: list[float]


class _Known(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is counted over the whole table, once."""

    table: Table
    chances: list[float]
    overlaps: tuple[Overlap, ...]


class Linker:
    """A trained model: links the records it was trained on, and compares new ones with known."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def train(cls, records: Records, fields: Sequence[Field], options: Options) -> "Linker":
        """Return a linker that has learnt from these records; raises Invalid as `link` does."""
        return cls.learn(records, fields, options)[0]

    @classmethod
    def learn(
        cls, records: Records, fields: Sequence[Field], options: Options
    ) -> tuple["Linker", Linkage]:
        """Return a trained linker and how it scores what it learnt from, every record alone."""
        trained = _train(records, fields, options)
        model = trained.model
        bits = odds_of(trained.evidence, model.prior, model.household)
        alone = np.arange(len(trained.table), dtype=np.int64)
        return cls(model), _make_linkage(trained, bits, alone, 0)

    @classmethod
    def link(cls, records: Records, fields: Sequence[Field], options: Options) -> Linkage:
        """Train on the records and say which of them are one person.

        Raises Invalid when there is nothing to compare. The same records in any order give the
        same clusters.
        """
        trained = _train(records, fields, options)
        table, model, candidates = trained.table, trained.model, trained.candidates
        bits = odds_of(trained.evidence, model.prior, model.household)
        scorer = Scorer(model, table)
        left, right = candidates.left, candidates.right
        linked = probability_of(bits) >= model.threshold
        if options.one_to_one and table.side is not None:
            linked[linked] = best_only(left[linked], right[linked], bits[linked])
        links = left[linked], right[linked]
        clusters = find_clusters(len(table), links, (left, right, bits), scorer.score)
        return _make_linkage(trained, bits, clusters.label, clusters.split)

    def compare(
        self, records: Records, against: Records, *, lowest: float = 0.5
    ) -> list[Candidate]:
        """Return the pairs of a new record with a known one, or with another new one, that are
        one person, or two of one household, with a probability of ``lowest`` or more; those most
        likely one person first.

        Nothing is trained. Frequencies of values are those of both together.
        """
        fields = [comparison.field for comparison in self.model.comparisons]
        both = Records(
            ids=records.ids + against.ids,
            columns={f.name: records.columns[f.name] + against.columns[f.name] for f in fields},
        )
        table = make_table(both, fields)
        newer = (table.order < len(records)).astype(np.int64)
        found = find_candidates(table, self.model.keys, max_block=self.model.max_block, newer=newer)
        scorer = Scorer(self.model, table)
        patterns = scorer.grade(found.left, found.right)
        evidence = scorer.evidence(found.left, found.right, patterns)
        bits = odds_of(evidence, self.model.prior, self.model.household)
        home = household_odds_of(evidence, self.model.prior, self.model.household)
        kept = np.flatnonzero(np.maximum(probability_of(bits), probability_of(home)) >= lowest)
        kept = kept[np.lexsort((found.right[kept], found.left[kept], -bits[kept]))]
        worth = scorer.weights(found.left[kept], found.right[kept], patterns, kept)
        result = []
        for place, pair in enumerate(kept.tolist()):
            one, other = int(found.left[pair]), int(found.right[pair])
            if not newer[one]:
                one, other = other, one
            result.append(
                Candidate(
                    record_id=both.ids[table.order[one]],
                    against_id=both.ids[table.order[other]],
                    probability=float(probability_of(bits[pair])),
                    household_probability=float(probability_of(home[pair])),
                    bits=float(bits[pair]),
                    **self._describe(patterns.grades[:, patterns.of_pair[pair]], worth[:, place]),
                )
            )
        return result

    def _describe(self, grades: Grades, worth: Bits) -> _Described:
        told = [
            (one.field.name, one.levels[grade], round(bits, 2))
            for one, grade, bits in zip(
                self.model.comparisons, grades.tolist(), worth.tolist(), strict=True
            )
            if grade >= 0
        ]
        return {
            "grades": {name: level for name, level, _ in told},
            "weights": {name: bits for name, _, bits in told},
        }


def _make_ready(records: Records, fields: Sequence[Field]) -> Table:
    """Return the records with the columns that can tell any of them apart; raise Invalid."""
    if len(records) < 2:
        raise Invalid("there are fewer than two records to compare", code="too_few_records")
    table = make_table(records, fields)
    table = msgspec.structs.replace(
        table, columns=tuple(c for c in table.columns if len(c.values) > 2)
    )
    if not table.columns:
        raise Invalid(
            "no column can be compared: each is empty, or the same in all records, so that nothing"
            " tells two records apart; give more records, or more columns",
            code="not_comparable",
        )
    return table


def _train(records: Records, fields: Sequence[Field], options: Options) -> _Training:
    table = _make_ready(records, fields)
    max_block = options.max_block or default_max_block(len(table))
    keys = options.keys or choose_keys(table)
    if not keys:
        raise Invalid(
            "no column, nor three together, tell records apart well enough to look for pairs",
            code="not_comparable",
        )
    candidates = find_candidates(table, keys, max_block=max_block)
    known = _Known(
        table=table,
        chances=[agreement_rate(column, table.side) for column in table.columns],
        overlaps=find_overlaps(table),
    )
    u = estimate_u(table, np.random.default_rng(options.seed))
    blank = Model(
        kind=options.kind,
        comparisons=(),
        keys=keys,
        prior=0.5,
        household=0.0,
        threshold=options.threshold,
        max_block=max_block,
    )
    m = [
        start_m(count, len(column.matcher.levels) - 1)
        for column, count in zip(table.columns, count_levels(table.columns), strict=True)
    ]
    model = msgspec.structs.replace(blank, comparisons=_comparisons(known, m, u, 0.0))
    patterns = Scorer(model, table).grade(candidates.left, candidates.right)
    floor = 0.5 / max(1, table.all_pairs)
    pure, learnt, evidence, prior = u, [0.0] * len(m), np.zeros((2, 0)), 0.0
    for _ in range(_ROUNDS):
        m, learnt = estimate_m(table, candidates, patterns, pure)
        model = msgspec.structs.replace(
            blank, comparisons=_comparisons(known, m, pure, prior * table.all_pairs)
        )
        evidence = Scorer(model, table).evidence(candidates.left, candidates.right, patterns)
        prior, household = find_priors(
            evidence, table.all_pairs, has_households=_has_households(table, options)
        )
        model = msgspec.structs.replace(model, prior=prior, household=household)
        pure = without_matches(u, m, prior, floor)
    return _Training(
        table=table,
        candidates=candidates,
        patterns=patterns,
        evidence=evidence,
        model=model,
        learnt=learnt,
    )


def _has_households(table: Table, options: Options) -> bool:
    """Say whether two people of one household can be told from one person by these columns."""
    shared = [column.matcher.is_shared for column in table.columns]
    return options.kind == "people" and any(shared) and not all(shared)


def _comparisons(
    known: _Known, m: Sequence[Bits], u: Sequence[Bits], matches: float
) -> tuple[Comparison, ...]:
    table = known.table
    exact = [len(column.matcher.levels) - 1 for column in table.columns]
    given = given_finer(
        table,
        known.overlaps,
        [float(share[top]) for share, top in zip(m, exact, strict=True)],
        [float(share[top]) for share, top in zip(u, exact, strict=True)],
        matches,
    )
    partner = {
        one: table.columns[other].field.name for one, other in find_exchangeable(table.columns)
    }
    return tuple(
        Comparison(
            field=column.field,
            levels=column.matcher.levels + ((EXCHANGED,) if place in partner else ()),
            m=tuple(m[place].tolist()),
            u=tuple(u[place].tolist()),
            chance=known.chances[place],
            given=given[place],
            exchanged_with=partner.get(place, ""),
        )
        for place, column in enumerate(table.columns)
    )


def _make_linkage(trained: _Training, bits: Bits, label: Rows, split: int) -> Linkage:
    table, candidates = trained.table, trained.candidates
    inside = label[candidates.left] == label[candidates.right]
    best = np.full(len(table), -np.inf)
    np.maximum.at(best, candidates.left[inside], bits[inside])
    np.maximum.at(best, candidates.right[inside], bits[inside])
    cluster, probability = np.empty(len(table), np.int64), np.empty(len(table))
    cluster[table.order] = table.order[label]
    probability[table.order] = np.where(np.isfinite(best), probability_of(best), 0.0)
    result = Linkage(
        model=trained.model,
        cluster=cluster,
        probability=probability,
        left=table.order[candidates.left],
        right=table.order[candidates.right],
        bits=bits,
        keys=candidates.uses,
        filled={column.field.name: column.filled_rate for column in table.columns},
        distinct={column.field.name: len(column.values) - 1 for column in table.columns},
        split=split,
        warnings=(),
    )
    return msgspec.structs.replace(result, warnings=find_warnings(result, trained.learnt))

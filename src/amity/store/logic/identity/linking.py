"""Customers that are alike enough to be one, or to belong together, put into the review queue.

Nothing is joined here: what linkage finds, somebody decides. What it has learnt is kept and used
for whoever is new or changed, until a week is over, the customers are no longer like those it
learnt from, or somebody asks for it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid
from amity.store.contracts_identity import (
    CandidateKind,
    LearntWhy,
    LinkModel,
    LinkQuality,
    LinkSubject,
    LinkWeight,
    Suggestion,
)
from amity.store.linkage.linker import Candidate, Linker
from amity.store.linkage.model import Field, Linkage, Model, Options, Records, probability_of
from amity.store.linkage.scoring import weights_of
from amity.store.logic.identity.candidates import FREE_MAIL, suggest_candidates

_SQL: Final = queries.load("amity.store")
_FEWEST: Final = 20
_LEARN_EVERY: Final = timedelta(days=7)
_LIKELY: Final = 0.9
_GROWN: Final = 2.0
_OTHERWISE: Final = 0.15
_WORTH_A_FIELD: Final = 0.1
_KEPT: Final = 10
LOWEST: Final = 0.5

_Row = tuple[Any, ...]


class _Subject(msgspec.Struct, frozen=True):
    """What is compared with what: a query of id, user id, freshness and fields, by matcher."""

    query: str
    matchers: dict[str, str]


_SUBJECTS: Final[dict[LinkSubject, _Subject]] = {
    "people": _Subject(
        "list_linkable",
        {
            "given name": "given_name",
            "surname": "surname",
            "name": "full_name",
            "e-mail address": "email",
            "telephone": "phone",
            "date of birth": "birth_date",
            "street": "address",
            "town": "city",
            "post code": "postcode",
        },
    ),
    "companies": _Subject(
        "list_employers",
        {
            "company": "company",
            "e-mail domain": "website",
            "VAT number": "id_number",
            "town": "city",
            "post code": "postcode",
        },
    ),
}


class _Kept(msgspec.Struct, frozen=True):
    """A row of what was learnt; `Model` and `LinkQuality` are JSON."""

    version: int
    subject: LinkSubject
    learnt_at: datetime
    why: LearntWhy
    learnt_by: str
    records: int
    model: str
    quality: str
    compared_to: int | None
    compared_at: datetime | None
    asked_at: datetime | None
    asked_by: str


def propose_links(*, now: datetime, is_whole: bool = False, lowest: float = LOWEST) -> int:
    """Offer pairs of customers that are one person, one household or of one company with a
    probability of ``lowest`` or more.

    Those about whom something came in since the last time are compared with all; all with all
    when ``is_whole`` or when the model is learnt anew. Pairs that both have a user id are not
    offered as one person, for they could not be joined; those decided before stay decided.
    Returns how many pairs are new. Does nothing while there are too few customers to learn from.
    """
    return sum(
        _propose(subject, now=now, is_whole=is_whole, lowest=lowest) for subject in _SUBJECTS
    )


def learn_links(*, subject: LinkSubject, by: str, now: datetime) -> LinkModel:
    """Learn anew what agreements say, and compare all with all by it.

    Raises Conflict when there is too little to learn from. Takes seconds for a hundred thousand.
    """
    _propose(subject, now=now, is_whole=True, lowest=LOWEST, by=by)
    found = list_link_models(subject=subject, limit=1)
    if not found or found[0].learnt_at != now:
        raise Conflict(
            f"there is too little to learn from yet: at least {_FEWEST} with more than an address",
            code="too_few_records",
        )
    return found[0]


def ask_to_learn(*, subject: LinkSubject, by: str, now: datetime) -> None:
    """Have the worker learn anew within a minute; raise Conflict when nothing was learnt yet."""
    with transaction() as connection:
        if not _find_kept(connection, subject):
            raise Conflict("nothing was learnt yet; it is as soon as there is enough to learn from")
        connection.execute(_SQL["ask_to_learn"], {"subject": subject, "by": by, "now": now})


def learn_asked(*, now: datetime) -> int:
    """Learn anew what somebody asked for; return how many models that made."""
    with transaction() as connection:
        asked = connection.execute(_SQL["find_asked"]).fetchall()
    for subject, by in asked:
        _propose(subject, now=now, is_whole=True, lowest=LOWEST, by=by)
    return len(asked)


def list_link_models(*, subject: LinkSubject, limit: int = _KEPT) -> list[LinkModel]:
    """Return what was learnt of a subject, the one in use first."""
    with transaction() as connection:
        rows = connection.execute(_SQL["list_link_models"], [subject, limit]).fetchall()
    return [_told(_Kept(*row)) for row in rows]


def _propose(
    subject: LinkSubject, *, now: datetime, is_whole: bool, lowest: float, by: str = ""
) -> int:
    with transaction() as connection:
        connection.execute(_SQL["lock_linkage"], [subject])
        latest = connection.execute(_SQL["latest_position"]).fetchone()
        assert latest is not None
        kept = _find_kept(connection, subject)
        after = None if kept is None or is_whole else kept.compared_to
        rows = _load(connection, subject, after)
        why = _find_why(kept, rows, now, by)
        if why is not None:
            if not _learn(connection, subject, rows, why=why, by=by, now=now):
                return 0
            kept = _find_kept(connection, subject)
            rows = [(*row[:2], True, *row[3:]) for row in rows]
        assert kept is not None
        found = _compare(kept, rows, lowest)
        connection.execute(_SQL["set_compared"], {"to": latest[0], "now": now, "subject": subject})
        return suggest_candidates(
            connection=connection,
            suggestions=list(_suggest(subject, found, rows, lowest)),
            origin="linkage",
            now=now,
        )


def _load(connection: Connection, subject: LinkSubject, after: int | None) -> list[_Row]:
    about = {"after": after, "free": list(FREE_MAIL)}
    return connection.execute(_SQL[_SUBJECTS[subject].query], about).fetchall()


def _find_kept(connection: Connection, subject: LinkSubject) -> _Kept | None:
    row = connection.execute(_SQL["latest_link_model"], [subject]).fetchone()
    return _Kept(*row) if row else None


def _find_why(kept: _Kept | None, rows: Sequence[_Row], now: datetime, by: str) -> LearntWhy | None:
    if kept is None:
        return "first"
    if by or kept.asked_at is not None:
        return "asked"
    if now - kept.learnt_at >= _LEARN_EVERY:
        return "schedule"
    return "drift" if any(_find_drift(kept, rows)) else None


def _find_drift(kept: _Kept, rows: Sequence[_Row]) -> Iterator[str]:
    quality = msgspec.json.decode(kept.quality, type=LinkQuality)
    if len(rows) >= _GROWN * kept.records:
        yield f"there are {len(rows):,} records instead of {kept.records:,}"
    for name, share in _filled(kept.subject, rows).items():
        then = quality.filled.get(name)
        if then is None and share >= _WORTH_A_FIELD:
            yield f"{name} is known of {share:.0%}, and was of hardly any"
        elif then is not None and abs(share - then) > _OTHERWISE:
            yield f"{name} is known of {share:.0%} instead of {then:.0%}"


def _filled(subject: LinkSubject, rows: Sequence[_Row]) -> dict[str, float]:
    count = max(1, len(rows))
    return {
        name: sum(1 for row in rows if row[3 + place]) / count
        for place, name in enumerate(_SUBJECTS[subject].matchers)
    }


def _learn(
    connection: Connection,
    subject: LinkSubject,
    rows: Sequence[_Row],
    *,
    why: LearntWhy,
    by: str,
    now: datetime,
) -> bool:
    """Learn a model and keep it; say whether there was enough to learn from."""
    if len(rows) < _FEWEST:
        return False
    matchers = _SUBJECTS[subject].matchers
    fields = [Field(name=name, matcher=matcher) for name, matcher in matchers.items()]
    try:
        linker, linkage = Linker.learn(_records(subject, rows), fields, Options(kind=subject))
    except Invalid:  # nothing to compare: hardly anybody has told more than an address
        return False
    filled = _filled(subject, rows)
    known = {one.field.name for one in linker.model.comparisons}
    quality = _judge(linkage, {name: share for name, share in filled.items() if name in known})
    about = {"subject": subject, "now": now, "why": why, "by": by, "records": len(rows)}
    encode: Callable[[Any], str] = lambda value: msgspec.json.encode(value).decode()  # noqa: E731
    connection.execute(
        _SQL["insert_link_model"],
        {**about, "model": encode(linker.model), "quality": encode(quality)},
    )
    return True


def _judge(linkage: Linkage, filled: dict[str, float]) -> LinkQuality:
    chance = probability_of(linkage.bits)
    likely = chance[chance >= _LIKELY]
    matches = float(chance.sum())
    return LinkQuality(
        pairs=len(chance),
        matches=round(matches, 1),
        precision=round(float(likely.mean()), 4) if len(likely) else 0.0,
        recall=round(float(likely.sum()) / matches, 4) if matches else 0.0,
        doubtful=int(((chance > 1 - _LIKELY) & (chance < _LIKELY)).sum()),
        filled={name: round(share, 4) for name, share in filled.items()},
        warnings=list(linkage.warnings),
    )


def _compare(kept: _Kept, rows: Sequence[_Row], lowest: float) -> list[Candidate]:
    fresh = [row for row in rows if row[2]]
    if not fresh:
        return []
    others = [row for row in rows if not row[2]]
    linker = Linker(msgspec.json.decode(kept.model, type=Model))
    return linker.compare(
        _records(kept.subject, fresh), _records(kept.subject, others), lowest=lowest
    )


def _suggest(
    subject: LinkSubject, found: Sequence[Candidate], rows: Sequence[_Row], lowest: float
) -> Iterator[Suggestion]:
    named = {str(row[0]) for row in rows if row[1]}
    for pair in found:
        told: dict[str, Any] = {
            "bits": round(pair.bits, 1),
            "agreement": pair.grades,
            "weights": pair.weights,
        }
        kinds: list[tuple[CandidateKind, float]] = [
            ("person" if subject == "people" else "company", pair.probability),
            ("household", pair.household_probability if subject == "people" else 0.0),
        ]
        for kind, chance in kinds:
            if chance < lowest or (kind == "person" and {pair.record_id, pair.against_id} <= named):
                continue
            yield Suggestion(
                one_id=int(pair.record_id),
                other_id=int(pair.against_id),
                probability=round(chance, 6),
                explanation=told,
                kind=kind,
            )


def _records(subject: LinkSubject, rows: Sequence[_Row]) -> Records:
    return Records(
        ids=[str(row[0]) for row in rows],
        columns={
            name: [row[3 + place] or "" for row in rows]
            for place, name in enumerate(_SUBJECTS[subject].matchers)
        },
    )


def _told(kept: _Kept) -> LinkModel:
    model = msgspec.json.decode(kept.model, type=Model)
    return LinkModel(
        version=kept.version,
        subject=kept.subject,
        learnt_at=kept.learnt_at,
        why=kept.why,
        learnt_by=kept.learnt_by,
        records=kept.records,
        weights=[
            LinkWeight(
                field=one.field.name,
                grades=[
                    (level, round(bits, 1))
                    for level, bits in zip(one.levels, weights_of(one).tolist(), strict=True)
                ][::-1],
            )
            for one in model.comparisons
        ],
        keys=[" + ".join(part.field for part in key) for key in model.keys],
        expected_share=model.prior,
        quality=msgspec.json.decode(kept.quality, type=LinkQuality),
        compared_at=kept.compared_at,
        asked_at=kept.asked_at,
        asked_by=kept.asked_by,
    )

"""Customers that are alike enough to be one, put into the review queue.

Nothing is joined here: what linkage finds, somebody decides. The model is learnt anew each time
from all customers there are, which takes seconds for a hundred thousand; comparing only those
seen lately with all others is what is saved in between.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.store.contracts_identity import Suggestion
from amity.store.linkage.linker import Candidate, Linker
from amity.store.linkage.model import Field, Options, Records
from amity.store.logic.identity.candidates import suggest_candidates

_SQL: Final = queries.load("amity.store")
_MATCHERS: Final = {
    "given name": "given_name",
    "surname": "surname",
    "name": "full_name",
    "e-mail address": "email",
    "telephone": "phone",
    "date of birth": "birth_date",
    "street": "address",
    "town": "city",
    "post code": "postcode",
}
_FEWEST: Final = 20
LOWEST: Final = 0.5

_Row = tuple[Any, ...]


def propose_links(*, now: datetime, since: datetime | None = None, lowest: float = LOWEST) -> int:
    """Offer pairs of customers that are one person with a probability of ``lowest`` or more.

    With ``since``, only pairs with a customer seen since then are looked at. Pairs that both have
    a user id are left out, for they could not be joined; those decided before stay decided.
    Returns how many pairs are new. Does nothing while there are too few customers to learn from.
    """
    with transaction() as connection:
        rows = connection.execute(_SQL["list_linkable"]).fetchall()
        found = _find(rows, since, lowest)
        named = {str(row[0]) for row in rows if row[1]}
        suggestions = [
            Suggestion(
                one_id=int(pair.record_id),
                other_id=int(pair.against_id),
                probability=round(pair.probability, 6),
                explanation={"bits": round(pair.bits, 1), "agreement": pair.grades},
            )
            for pair in found
            if not {pair.record_id, pair.against_id} <= named
        ]
        return suggest_candidates(
            connection=connection, suggestions=suggestions, origin="linkage", now=now
        )


def _find(rows: Sequence[_Row], since: datetime | None, lowest: float) -> list[Candidate]:
    if len(rows) < _FEWEST:
        return []
    fields = [Field(name=name, matcher=matcher) for name, matcher in _MATCHERS.items()]
    try:
        linker = Linker.train(_records(rows), fields, Options())
    except Invalid:  # nothing to compare: hardly anybody has told more than an address
        return []
    fresh = [row for row in rows if since is None or row[2] >= since]
    others = [row for row in rows if since is not None and row[2] < since]
    found = linker.compare(_records(fresh), _records(others), lowest=lowest)
    return [pair for pair in found if pair.probability >= lowest]


def _records(rows: Sequence[_Row]) -> Records:
    return Records(
        ids=[str(row[0]) for row in rows],
        columns={name: [row[3 + n] for row in rows] for n, name in enumerate(_MATCHERS)},
    )

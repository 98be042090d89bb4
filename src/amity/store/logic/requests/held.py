"""All that is held about one customer, table by table, by the data map: for a copy of it.

What an erasure deletes or blanks is what is handed out: both go by the same map, and a test walks
through it. The few tables that name nobody, or more than is hers, are read in their own way here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.data_map import HeldTable, read_map
from amity.infra.database import Connection
from amity.infra.subject_rows import Rows, iter_rows, iter_subject_rows, to_plain
from amity.store.contracts_requests import Held, RequestKind
from amity.store.logic.consent.ledger import read_records
from amity.store.logic.erasure.erasing import needles_of
from amity.store.logic.profiles.contact_points import addresses_of

_SQL: Final = queries.load("amity.store")

LEFT_OUT: Final[dict[str, str]] = {
    "store_subject_key": "the key that seals parts of the consent ledger; what it seals is in the "
    "copy, in plain",
    "store_link_candidate": "doubts whether two customers are one; each row is as much about "
    "somebody else, whose rights it would touch",
    "broadcast_mailbox": "a trial mailbox of this installation; what was sent is in broadcast_send",
}
"""Tables about customers that are in no copy, and why; the copy says so too."""

PROVIDED: Final = frozenset(
    {
        "store_event_log",
        "store_identifier",
        "store_claim",
        "store_order",
        "store_consent",
        "store_request",
    }
)
"""What a customer gave or what was observed of her (GDPR Art. 20): without what was worked out."""

_NAMED_OTHERWISE: Final = (
    *("store_event_log", "store_quarantine", "store_contact_point"),
    *("store_request_step", "store_request_copy"),
)


_FIRST: Final = (
    *("store_profile", "store_identifier", "store_claim", "store_consent", "store_contact_point"),
    *("store_order", "store_event_log", "broadcast_send", "personalization_decision"),
    *("analysis_membership", "analysis_score", "store_visit", "store_interest"),
)
"""What a reader looks for comes first; the rest follows by name."""


_TITLES: Final[dict[str, str]] = {
    "store_profile": "What we know you by",
    "store_identifier": "Your addresses and numbers",
    "store_claim": "What was said about you, by whom",
    "store_consent": "What you agreed to and refused",
    "store_contact_point": "Where we may write to",
    "store_order": "Your orders",
    "store_event_log": "What you did and what was recorded",
    "store_activity": "The same, as your history",
    "store_quarantine": "What came in about you and could not be read",
    "store_visit": "Your visits",
    "store_interest": "What you seem interested in",
    "store_merge": "Profiles of yours that were joined",
    "store_evidence": "Why they belong together",
    "store_link": "Household and company",
    "store_request": "What you asked for",
    "store_request_step": "What was done about it",
    "store_delivery": "Whom we told",
    "store_enrichment_ask": "Whom we asked about you",
    "broadcast_send": "Messages to you",
    "broadcast_participant": "Campaigns you were in",
    "broadcast_enrolment": "Journeys you were in",
    "personalization_decision": "What was decided for you, and from what",
    "personalization_outcome": "What came of it",
    "analysis_membership": "Groups you are or were in",
    "analysis_prediction": "Whose figures are being compared with what comes",
    "analysis_score": "Figures that were worked out about you",
}
"""How a table is called to her; others by what they hold."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a copy is about: all profiles joined in her, and her identifiers."""

    ids: list[int]
    identifiers: list[tuple[str, str]]


def read_person(connection: Connection, profile_id: int) -> Person:
    """Return whom a profile stands for; the profile is one that lives on."""
    ids = [row[0] for row in connection.execute(_SQL["consents_joined"], [profile_id])]
    rows = connection.execute(_SQL["list_identifiers"], [profile_id]).fetchall()
    return Person(ids=ids, identifiers=[(row[0], row[1]) for row in rows])


def list_tables(kind: RequestKind) -> list[HeldTable]:
    """Return the tables that go into a copy: of the map, all that is about customers."""
    found = [table for table in read_map().tables if _is_about_customers(table)]
    places = {name: place for place, name in enumerate(_FIRST)}
    found.sort(key=lambda table: (places.get(table.name, len(places)), table.name))
    if kind == "portability":
        return [table for table in found if table.name in PROVIDED]
    return [table for table in found if table.name not in LEFT_OUT]


def _is_about_customers(table: HeldTable) -> bool:
    is_hers = bool(table.subject) and bool(table.personal)
    return is_hers or table.name in _NAMED_OTHERWISE or table.name in LEFT_OUT


def iter_held(connection: Connection, person: Person, kind: RequestKind) -> Iterator[Held]:
    """Yield what each table holds about her; the rows of one are read before the next is asked.

    Inside one transaction, as of one moment when the caller's transaction is of that kind.
    """
    for table in list_tables(kind):
        columns, rows = _read(connection, table, person, kind)
        title = _TITLES.get(table.name, table.holds.capitalize())
        yield Held(table=table.name, title=title, holds=table.holds, columns=columns, rows=rows)


def _read(connection: Connection, table: HeldTable, person: Person, kind: RequestKind) -> Rows:
    reader = _READERS.get(table.name)
    if reader is not None:
        return reader(connection, person)
    query = _QUERIES.get(table.name)
    if query is not None:
        about = {"ids": person.ids, "own": kind == "portability"}
        return iter_rows(connection, _SQL[query], about)
    return iter_subject_rows(connection, table, person.ids)


def _read_quarantine(connection: Connection, person: Person) -> Rows:
    needles = [each for _, value in person.identifiers for each in needles_of(value)]
    return iter_rows(connection, _SQL["requests_quarantine"], {"needles": needles})


def _read_contact_points(connection: Connection, person: Person) -> Rows:
    points = list(addresses_of(person.identifiers))
    values = {"channels": [each[0] for each in points], "keys": [each[1] for each in points]}
    return iter_rows(connection, _SQL["requests_contact_points"], values)


def _read_consents(connection: Connection, person: Person) -> Rows:
    """Return her part of the ledger with its evidence opened; the ledger seals it by her key."""
    rows = connection.execute(_SQL["requests_consents"], {"ids": person.ids}).fetchall()
    records = [msgspec.structs.asdict(each) for each in read_records(connection, rows)]
    columns = list(records[0]) if records else []
    return columns, ({name: _to_text(value) for name, value in each.items()} for each in records)


def _to_text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else to_plain(value)


_QUERIES: Final[dict[str, str]] = {
    "store_event_log": "requests_events",
    "store_claim": "requests_claims",
    "store_request_step": "requests_steps_of",
    "store_request_copy": "requests_copies_of",
}
_READERS: Final[dict[str, Callable[[Connection, Person], Rows]]] = {
    "store_consent": _read_consents,
    "store_contact_point": _read_contact_points,
    "store_quarantine": _read_quarantine,
}

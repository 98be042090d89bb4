"""Reading profiles: one, many, by identifier, by search; identifiers and merges."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from amity.infra import arrays, queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts import (
    Consent,
    HistoryWish,
    Identifier,
    IdentifierKind,
    Merge,
    OrderSummary,
    Profile,
    ProfileRow,
    ProfileSort,
    TraitOrigin,
)
from amity.store.logic.consent.carrying import carry_of_merge
from amity.store.logic.folding.batch import UNMERGED
from amity.store.logic.folding.fold import Origin
from amity.store.logic.identity.rules import normalize_identifier
from amity.store.logic.intake.appending import record_event

_SQL: Final = queries.load("amity.store")
Histories = dict[int, dict[str, list[tuple[datetime, dict[str, Any]]]]]
"""By profile and name of the event, when it happened and its properties."""

_MAX_LIMIT: Final = 1000
_MIN_PHONE_DIGITS: Final = 3
_MOST_FOUND: Final = 5_000
_LAST_CODE: Final = 0x10FFFF
_SURROGATES: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
_ORIGINS: Final = msgspec.json.Decoder(dict[str, Origin])
_ORDERS: Final = msgspec.json.Decoder(list[OrderSummary])
_SORTS: Final[dict[ProfileSort, tuple[sql.SQL, type]]] = {
    "last_seen": (sql.SQL("p.last_seen_at"), datetime),
    "revenue": (sql.SQL("p.revenue_minor"), int),
}


def get_profile(*, profile_id: int) -> Profile:
    """Return a profile, or the one it was merged into; raise NotFound when there is none."""
    with transaction() as connection:
        root = find_root(connection, profile_id)
        return load_profiles(connection=connection, profile_ids=[root])[0]


def find_root(connection: Connection, profile_id: int) -> int:
    """Return the profile that lives on; raise NotFound when there is none."""
    row = None
    if 0 < profile_id < 2**63:
        row = connection.execute(_SQL["find_root"], [profile_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no profile {profile_id}")
    root: int = row[0]
    return root


def find_profile(*, kind: IdentifierKind, value: str) -> Profile | None:
    """Return the owner of an identifier, or None. E-mail and phone may be written in any form."""
    wanted = normalize_identifier(kind, value)
    if wanted is None:
        return None
    with transaction() as connection:
        row = connection.execute(_SQL["find_owner"], [kind, wanted]).fetchone()
        if row is None:
            return None
        return load_profiles(connection=connection, profile_ids=[row[0]])[0]


def load_profiles(*, connection: Connection, profile_ids: list[int]) -> list[Profile]:
    """Return the profiles of these ids that exist, by id; merged ones say into which."""
    rows = connection.execute(_SQL["load_profiles"], [profile_ids], binary=True)
    return [_profile(row) for row in rows]


def list_living(*, connection: Connection, profile_ids: list[int]) -> list[int]:
    """Return those of the ids that are profiles and were not merged into others."""
    return ask_living(connection=connection, profile_ids=profile_ids)()


def ask_living(*, connection: Connection, profile_ids: list[int]) -> Callable[[], list[int]]:
    """Send the question of `list_living`; what is returned gives the answer when it is called.

    In a pipeline of the connection PostgreSQL looks while the caller goes on.
    """
    found = connection.execute(_SQL["list_living"], [arrays.numbers(profile_ids)], binary=True)
    return lambda: [row[0] for row in found.fetchall()]


def load_histories(
    *, connection: Connection, profile_ids: list[int], wishes: list[HistoryWish]
) -> Histories:
    """Return what each profile did of these events: times and properties, the oldest first.

    Profiles and names with nothing are absent. Two wishes for the same event must be of other
    profiles.
    """
    return ask_histories(connection=connection, profile_ids=profile_ids, wishes=wishes)()


def ask_histories(
    *, connection: Connection, profile_ids: list[int], wishes: list[HistoryWish]
) -> Callable[[], Histories]:
    """Send the question of `load_histories`; what is returned gives the answer when it is called.

    In a pipeline of the connection PostgreSQL looks while the caller goes on.
    """
    ids = arrays.numbers(profile_ids)
    given = [Jsonb(wishes), ids, ids]
    found = connection.execute(_SQL["load_histories"], given, binary=True)

    def read() -> Histories:
        histories: Histories = {}
        for profile_id, name, at, properties in found.fetchall():
            mine = histories.get(profile_id)
            if mine is None:
                mine = histories[profile_id] = {}
            happened = (at, properties or {})
            if name in mine:
                mine[name].append(happened)
            else:
                mine[name] = [happened]
        return histories

    return read


def list_profiles(  # one search form
    *,
    search: str = "",
    known_only: bool = False,
    profile_ids: list[int] | None = None,
    sort: ProfileSort = "last_seen",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ProfileRow]:
    """Return a page of profiles that live on, the latest seen or the most valuable first.

    ``search`` is the beginning of a name, of its last word, or of any identifier, whatever its
    case; one that finds more than 5,000 looks at some 5,000 of them. ``known_only`` leaves out
    those with neither user id nor e-mail. The page is found by indexes, so it costs the same
    whatever the number of profiles.
    """
    column, kind = _SORTS[sort]
    conditions: list[sql.Composable] = [sql.SQL("p.merged_into IS NULL")]
    arguments: dict[str, Any] = {"limit": _clamp(limit) + 1}
    if known_only:
        conditions.append(sql.SQL("(p.user_id IS NOT NULL OR p.email IS NOT NULL)"))
    if profile_ids is not None:
        conditions.append(sql.SQL("p.id = ANY (%(ids)s::bigint[])"))
        arguments["ids"] = profile_ids
    if search.strip():
        conditions.append(_search(search, arguments))
    if cursor is not None:
        arguments["key"], arguments["after"] = decode_cursor(cursor, (kind, int))
        conditions.append(sql.SQL("({}, p.id) < (%(key)s, %(after)s)").format(column))
    query = sql.SQL("{} WHERE {} ORDER BY {} DESC, p.id DESC LIMIT %(limit)s").format(
        sql.SQL(_SQL["profile_row"].decode()),
        sql.SQL(" AND ").join(conditions),
        column,
    )
    with transaction() as connection:
        rows = connection.execute(query, arguments).fetchall()
    key = 6 if sort == "last_seen" else 9
    return _page(rows, _clamp(limit), _profile_row, lambda row: [row[key], row[0]])


def _search(search: str, arguments: dict[str, Any]) -> sql.Composable:
    """Return the condition that finds what was typed, through an index each way.

    Beginnings are asked for as ranges, which an index can serve whatever the plan; each way
    looks at `_MOST_FOUND` rows at most.
    """
    text = " ".join(search.replace("\0", "").split())[:255]
    ways = [("profile_name", text.lower()), ("profile_surname", text.lower())]
    ways += [("identifier_value", form) for form in {text, text.lower()}]
    digits = "".join(filter(str.isdigit, text))
    if len(digits) >= _MIN_PHONE_DIGITS and not any(map(str.isalpha, text)):
        ways += [("identifier_value", form) for form in {digits, "+" + digits} - {text}]
    found = []
    for number, (way, beginning) in enumerate(ways):
        low, high = f"low{number}", f"high{number}"
        arguments[low], arguments[high] = beginning, _end_of(beginning)
        found.append(
            sql.SQL("({} LIMIT {})").format(
                sql.SQL(_SQL["search_" + way].decode()).format(
                    sql.Placeholder(low), sql.Placeholder(high)
                ),
                sql.Literal(_MOST_FOUND),
            )
        )
    return sql.SQL("p.id IN ({})").format(sql.SQL(" UNION ").join(found))


def _end_of(beginning: str) -> str:
    """Return the first text after all that begin so, in the order of code points."""
    for index in range(len(beginning) - 1, -1, -1):
        code = ord(beginning[index]) + 1
        if code <= _LAST_CODE:
            return beginning[:index] + chr(_AFTER_SURROGATES if code == _SURROGATES else code)
    return chr(_LAST_CODE)


def count_profiles() -> int:
    """Return how many profiles live on, from the count kept while folding."""
    with transaction() as connection:
        row = connection.execute(_SQL["count_profiles"]).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def list_identifiers(*, profile_id: int) -> list[Identifier]:
    """Return all identifiers of a profile (at most a hundred), the oldest first."""
    with transaction() as connection:
        root = find_root(connection, profile_id)
        rows = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
    names = Identifier.__struct_fields__
    return [Identifier(**dict(zip(names, row, strict=True))) for row in rows]


def list_joined(*, profile_id: int) -> list[int]:
    """Return the ids of a profile and of all that were merged into it; raise NotFound."""
    with transaction() as connection:
        find_root(connection, profile_id)
        rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id})
        return [row[0] for row in rows]


def list_merges(
    *,
    profile_id: int | None = None,
    refused: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Merge]:
    """Return joins and refused joins, the newest evidence first.

    With a ``profile_id`` those of the profile and of all that were merged into it. ``refused``
    asks for only the refused ones, or only the others.
    """
    arguments: dict[str, Any] = {"refused": refused, "limit": _clamp(limit) + 1, "ids": None}
    arguments["before"] = decode_cursor(cursor, (int,))[0] if cursor is not None else None
    with transaction() as connection:
        if profile_id is not None:
            find_root(connection, profile_id)
            rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id})
            arguments["ids"] = [row[0] for row in rows]
        found = connection.execute(_SQL["list_merges"], arguments).fetchall()
    return _page(found, _clamp(limit), _merge, lambda row: [row[0]])


def unmerge(*, merge_id: int, by: str, now: datetime, connection: Connection | None = None) -> None:
    """Take a merge back, and keep the two apart from then on.

    What is recorded here is an event; the fold carries it out within moments, and a rebuild
    does so again. What she refused while they were one holds for both.
    Raises NotFound, or Conflict when it was a refusal or is undone already.
    """
    if connection is None:
        with transaction() as own:
            return unmerge(merge_id=merge_id, by=by, now=now, connection=own)
    row = connection.execute(_SQL["get_merge"], [merge_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no merge {merge_id}")
    merge = _merge(row)
    if merge.refusal or merge.undone_by is not None:
        raise Conflict("these two are not joined by this merge", code="not_merged")
    record_event(
        connection=connection,
        profile_id=merge.winner_id,
        name=UNMERGED,
        properties={
            "merge_id": merge_id,
            "loser_id": merge.loser_id,
            "kind": merge.kind,
            "value": merge.value,
            "by": by,
        },
        message_id=f"unmerge-{merge_id}-{merge.winner_id}-{merge.loser_id}",
        now=now,
    )
    return carry_of_merge(connection, merge_id, now)


def _clamp(limit: int) -> int:
    if limit < 1:
        raise Invalid("a page has at least one row", code="bad_limit")
    return min(limit, _MAX_LIMIT)


def _page(rows: list[Any], limit: int, make: Any, key: Any) -> Page[Any]:
    more = len(rows) > limit
    rows = rows[:limit]
    return Page([make(row) for row in rows], encode_cursor(key(rows[-1])) if more else None)


def _profile(row: tuple[Any, ...]) -> Profile:
    origins = _ORIGINS.decode(row[7])
    return Profile(
        profile_id=row[0],
        merged_into=row[1],
        user_id=row[2],
        name=row[3],
        email=row[4],
        phone=row[5],
        traits=msgspec.json.decode(row[6]),
        trait_origins={
            name: TraitOrigin(source_id=origin.source_id, at=origin.at, event_id=origin.event_id)
            for name, origin in origins.items()
        },
        consents=_CONSENTS.decode(row[8]),
        first_seen_at=row[9],
        last_seen_at=row[10],
        event_count=row[11],
        event_counts=msgspec.json.decode(row[12]),
        order_count=row[13],
        revenue_minor=row[14],
        first_order_at=row[15],
        last_order_at=row[16],
        last_orders=_ORDERS.decode(row[17]),
        version=row[18],
    )


def _profile_row(row: tuple[Any, ...]) -> ProfileRow:
    made = ProfileRow(**dict(zip(ProfileRow.__struct_fields__, row, strict=True)))
    if not made.is_restricted:
        return made
    hidden = dict.fromkeys(("user_id", "name", "email", "phone"))
    counts = dict.fromkeys(("event_count", "order_count", "revenue_minor"), 0)
    return msgspec.structs.replace(made, **hidden, **counts)


def _merge(row: tuple[Any, ...]) -> Merge:
    return Merge(**dict(zip(Merge.__struct_fields__, row, strict=True)))

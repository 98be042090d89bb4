"""What staff decides about who is who. Each is an event in the log; the fold carries it out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts import IdentifierKind
from amity.store.logic.consent.carrying import Side, carry_of_merge, carry_refusals
from amity.store.logic.folding.batch import CONFIRMED, JOINED, SPLIT, UNMERGED, UNSPLIT, limits
from amity.store.logic.identity.rules import Key, normalize_identifier
from amity.store.logic.intake.appending import record_event
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_MOST_REASON: Final = 300
_JOIN_SLOT: Final = 3
"""The digit at the end of the id of a merge made by hand."""


def merge_profiles(
    *,
    winner: int,
    loser: int,
    by: str,
    now: datetime,
    reason: str = "",
    connection: Connection | None = None,
) -> str:
    """Join two customers by hand; return what the join is known by (`undo_join`).

    It is an event, which a rebuild repeats. Raises NotFound, and Conflict when they are one
    already, have different user ids, or have too many identifiers together.
    """
    if connection is None:
        with transaction() as own:
            return merge_profiles(
                winner=winner, loser=loser, by=by, now=now, reason=reason, connection=own
            )
    first, second = find_root(connection, winner), find_root(connection, loser)
    if first == second:
        raise Conflict("these two are one customer already", code="already_merged")
    one, two = _held(connection, first), _held(connection, second)
    _require_compatible(one, two)
    join_id = f"join-{first}-{second}-{now.timestamp():.6f}"
    record_event(
        connection=connection,
        profile_id=first,
        name=JOINED,
        properties={
            "identifiers": [list(one[0]), list(two[0])],
            "winner_id": first,
            "loser_id": second,
            "by": by,
            "reason": reason[:_MOST_REASON],
            "join_id": join_id,
        },
        message_id=join_id,
        now=now,
    )
    return join_id


def undo_join(
    *, join_id: str, by: str, now: datetime, connection: Connection | None = None
) -> None:
    """Take a join made by hand back; raise Conflict while it is not carried out.

    Evidence that came meanwhile may still say that the two are one.
    """
    if connection is None:
        with transaction() as own:
            return undo_join(join_id=join_id, by=by, now=now, connection=own)
    row = connection.execute(_SQL["find_join"], [JOINED, join_id]).fetchone()
    if row is None:
        raise Conflict("the join is still under way; try again in a moment", code="under_way")
    event_id, profile_id = row
    record_event(
        connection=connection,
        profile_id=find_root(connection, profile_id),
        name=UNMERGED,
        properties={"merge_id": event_id * 10 + _JOIN_SLOT, "by": by},
        message_id=f"unjoin-{join_id}",
        now=now,
    )
    carry_of_merge(connection, event_id * 10 + _JOIN_SLOT, now)


def split_profile(
    *, profile_id: int, identifiers: Sequence[tuple[IdentifierKind, str]], by: str, now: datetime
) -> None:
    """Take identifiers off a customer; they become another one.

    What was seen of both sides together so far never joins them again, until `undo_split`. What
    she refused holds for both from then on.
    Raises NotFound, or Invalid when none or all of the identifiers are named.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        telling = _held(connection, root)
        held = set(telling)
        named = {Key(kind, normalize_identifier(kind, value) or "") for kind, value in identifiers}
        if not named <= held:
            raise NotFound("the customer has no such identifier")
        if not named or named == held:
            raise Invalid(
                "choose some of the identifiers, not none and not all", code="bad_identifiers"
            )
        record_event(
            connection=connection,
            profile_id=root,
            name=SPLIT,
            properties={"identifiers": [list(key) for key in sorted(named)], "by": by},
            message_id=f"split-{root}-{now.timestamp():.6f}",
            now=now,
        )
        # Each that was named can become a customer of its own.
        kept = next(key for key in telling if key not in named)
        carry_refusals(
            connection,
            profile_id=root,
            sides=[Side(identifiers=[key]) for key in (kept, *sorted(named))],
            since=None,
            mark=f"{root}-{now.timestamp():.6f}",
            now=now,
        )


def undo_split(*, profile_id: int, split_id: int, by: str, now: datetime) -> None:
    """Take a split back: all is as before it. Raises NotFound when it is not there."""
    with transaction() as connection:
        root = find_root(connection, profile_id)
        if connection.execute(_SQL["has_split"], [split_id]).fetchone() is None:
            raise NotFound("there is no such split")
        record_event(
            connection=connection,
            profile_id=root,
            name=UNSPLIT,
            properties={"split_id": split_id, "by": by},
            message_id=f"unsplit-{split_id}",
            now=now,
        )


def confirm_identifier(
    *,
    connection: Connection,
    profile_id: int,
    kind: IdentifierKind,
    value: str,
    how: str,
    now: datetime,
) -> None:
    """Record that an identifier was shown to be this customer's, such as by a link in a mail.

    What a public page only stated is proven from then on. Raises NotFound or Invalid.
    """
    root = find_root(connection, profile_id)
    proven = normalize_identifier(kind, value)
    if proven is None:
        raise Invalid("that cannot be an identifier", code="bad_identifier")
    held = _held(connection, root)
    hub = next((key for key in held if key != (kind, proven)), Key(kind, proven))
    record_event(
        connection=connection,
        profile_id=root,
        name=CONFIRMED,
        properties={"identifiers": [list(hub), [kind, proven]], "how": how},
        message_id=f"confirm-{root}-{now.timestamp():.6f}",
        now=now,
    )


def _held(connection: Connection, profile_id: int) -> list[Key]:
    """Return a customer's identifiers, the most telling first."""
    rows: list[Any] = connection.execute(_SQL["list_telling"], [profile_id]).fetchall()
    if not rows:
        raise Conflict("this customer has no identifier", code="no_identifier")
    return [Key(*row) for row in rows]


def _require_compatible(one: list[Key], two: list[Key]) -> None:
    users = {key.value for key in (*one, *two) if key.kind == "user_id"}
    if len(users) > 1:
        raise Conflict(
            "they have different user ids, so they are two customers", code="different_user_ids"
        )
    bounds, kinds = limits(), [key.kind for key in (*one, *two)]
    if (
        len(kinds) > bounds.identifiers
        or kinds.count("email") > bounds.emails
        or kinds.count("phone") > bounds.phones
    ):
        raise Conflict(
            "together they have more identifiers than one customer may have",
            code="too_many_identifiers",
        )

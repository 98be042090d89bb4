"""Offers as people define them: what to show, where, to whom, how often and until when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.personalization.contracts import Offer, OfferChanges, OfferState
from amity.personalization.logic.offers_values import STATES, check_key, check_offer, clean_texts
from amity.personalization.logic.placements import check_known, check_placements
from amity.rules import decode_rule, encode_rule, mentions

_SQL: Final = queries.load("amity.personalization")
_DEFAULTS: Final[OfferChanges] = {
    "headline": "",
    "body": "",
    "image_url": "",
    "action_label": "",
    "action_url": "",
    "placement_ids": [],
    "rule": None,
    "purpose": "",
    "cap_count": None,
    "cap_days": None,
    "budget_count": None,
    "starts_at": None,
    "ends_at": None,
}
Segments = Mapping[int, tuple[str, bool]]
"""By id, a segment's name and whether it is archived."""


def create_offer(*, key: str, by: str, now: datetime, changes: OfferChanges) -> Offer:
    """Add an offer, as a draft; see `api.create_offer`."""
    given = check_known({"name": key, **_DEFAULTS, **changes}, Offer)
    try:
        with transaction() as connection:
            values = _check(connection, given) | {"key": check_key(key), "by": by, "now": now}
            row = connection.execute(_SQL["insert_offer"], values).fetchone()
            assert row is not None
            return read_offer(connection, row[0])
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"there is an offer “{key}” already", code="key_taken") from error


def update_offer(*, offer_id: int, by: str, now: datetime, changes: OfferChanges) -> Offer:
    """Change what is given; see `api.update_offer`."""
    given = check_known(dict(changes), Offer)
    with transaction() as connection:
        connection.execute(_SQL["lock_offer"], [offer_id])
        held = read_offer(connection, offer_id)
        if held.state == "archived":
            raise Conflict("the offer is archived", code="offer_archived")
        values = _check(connection, msgspec.structs.asdict(held) | given)
        connection.execute(_SQL["update_offer"], values | {"id": offer_id, "by": by, "now": now})
        return read_offer(connection, offer_id)


def set_offer_state(*, offer_id: int, state: OfferState, by: str, now: datetime) -> Offer:
    """Take an offer live, pause it, archive it or make it a draft again."""
    if state not in STATES:
        raise Invalid(f"an offer is one of {', '.join(STATES)}", code="bad_state")
    with transaction() as connection:
        connection.execute(_SQL["lock_offer"], [offer_id])
        held = read_offer(connection, offer_id)
        if state == "live" and not held.headline:
            raise Conflict("an offer without a headline shows nothing", code="offer_empty")
        if state == "live" and not held.placement_ids:
            raise Conflict("the offer is in no placement", code="offer_nowhere")
        wanted = {"id": offer_id, "state": state, "by": by, "now": now}
        connection.execute(_SQL["set_offer_state"], wanted)
        return read_offer(connection, offer_id)


def _check(connection: Connection, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the database takes them; raise Invalid for any that cannot be."""
    values = clean_texts(given)
    check_offer(values)
    values["placement_ids"] = check_placements(connection, values["placement_ids"])
    if values["rule"] is not None:
        rule = decode_rule(values["rule"])
        if mentions(rule).orders or mentions(rule).metrics:
            # Who decides in milliseconds holds histories, and no orders.
            raise Invalid(
                "metrics and orders as they stand are asked for in a segment: name that here",
                code="no_orders",
            )
        segments = _read_segments(connection)
        for segment_id in sorted(mentions(rule).segments):
            name, is_archived = segments.get(segment_id, ("", True))
            if is_archived:
                what = f"“{name}” is archived" if name else f"{segment_id} does not exist"
                raise Invalid(f"the segment {what}, and the rule names it", code="no_segment")
        values["rule"] = Jsonb(encode_rule(rule))
    return values


def read_offer(connection: Connection, offer_id: int) -> Offer:
    """Return an offer; raise NotFound when there is none."""
    found = _select(connection, {"id": offer_id}) if 0 < offer_id < 2**31 else []
    if not found:
        raise NotFound(f"there is no offer {offer_id}")
    return found[0]


def get_offer(*, offer_id: int) -> Offer:
    """Return an offer; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        return read_offer(connection, offer_id)


def list_offers(*, state: OfferState | None, placement_id: int | None, search: str) -> list[Offer]:
    """Return offers by name; see `api.list_offers`."""
    text = search.replace("\0", "").strip()[:255]
    with transaction("readonly") as connection:
        return _select(connection, {"state": state, "placement_id": placement_id, "search": text})


_EVERYTHING: Final = {"id": None, "state": None, "placement_id": None, "search": ""}


def _select(connection: Connection, wanted: Mapping[str, Any]) -> list[Offer]:
    rows = connection.execute(_SQL["select_offers"], {**_EVERYTHING, **wanted}).fetchall()
    names = {key: name for key, (name, _) in _read_segments(connection).items()} if rows else {}
    return [_offer(row, names) for row in rows]


def _offer(row: tuple[Any, ...], names: Mapping[int, str]) -> Offer:
    fields = [name for name in Offer.__struct_fields__ if name != "words"]
    values = dict(zip(fields, row, strict=True))
    return Offer(**values, words=_words(values["rule"], names))


def _words(rule: dict[str, Any] | None, names: Mapping[int, str]) -> str:
    if rule is None:
        return "everyone"
    try:
        return decode_rule(rule).describe(names)
    except Invalid as error:
        # An operator that a plug-in brought can be gone.
        return f"cannot be read: {error.message}"


def _read_segments(connection: Connection) -> Segments:
    rows = connection.execute(_SQL["all_segments"])
    return {segment_id: (name, is_archived) for segment_id, name, is_archived in rows}

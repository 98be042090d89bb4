"""What is done about a request: verifying who asks, extending, refusing, carrying it out.

Each is one step, in one transaction with what it changes; a request that is closed stays closed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, get_args

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid
from amity.store.contracts import Choices
from amity.store.contracts_claims import TRAIT_ASSERTED
from amity.store.contracts_consent import Purpose
from amity.store.contracts_requests import (
    REQUEST_CLOSED,
    REQUEST_MESSAGE,
    Request,
    RequestKind,
    RequestState,
    StepKind,
    Verification,
)
from amity.store.logic.consent.choices import state_choices
from amity.store.logic.consent.purposes import load_policies
from amity.store.logic.consent.statements import LIFTED, PREFERENCES_UPDATED, RESTRICTED
from amity.store.logic.intake.appending import record_event
from amity.store.logic.profiles.contact_points import addresses_of
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.requests.book import add_step, read_request, write_request
from amity.store.logic.requests.deadlines import last_deadline

_SQL: Final = queries.load("amity.store")
_OBJECTED_BASES: Final = frozenset({"legitimate_interest", "soft_opt_in"})
_LONGEST_TRAIT: Final = 255
_MOST_WORDS: Final = 4000


@contextmanager
def changing(
    request_id: int, connection: Connection | None = None
) -> Iterator[tuple[Connection, Request]]:
    """Lock an open request for one change; raise Conflict when it is closed."""
    if connection is None:
        with transaction() as own, changing(request_id, own) as both:
            yield both
        return
    request = read_request(connection, request_id, lock=True)
    if not request.is_open:
        raise Conflict("this request is closed already", code="request_closed")
    yield connection, request


def ask_to_confirm(
    *, request_id: int, by: str, now: datetime, connection: Connection | None = None
) -> None:
    """Have a one-time link mailed to her: whoever presses its button has shown that it is she.

    Raises Conflict when it is nobody's we know, or when she has shown it already.
    """
    with changing(request_id, connection) as (held, request):
        if request.verified_by or request.profile_id is None:
            raise Conflict("there is nobody to ask any more", code="cannot_ask")
        write_request(held, msgspec.structs.replace(request, state="verifying"))
        add_step(held, request, "asked_to_confirm", by=by, now=now)
        tell(held, request, "confirm", now=now)


def verify_request(
    *,
    request_id: int,
    how: Verification,
    by: str,
    now: datetime,
    connection: Connection | None = None,
) -> None:
    """Note how somebody showed that the data is theirs; from now on it can be carried out."""
    if how not in get_args(Verification):
        raise Invalid("say how it was shown", code="bad_verification")
    with changing(request_id, connection) as (held, request):
        if request.profile_id is None:
            raise Conflict("say first whose it is: match it with a customer", code="unmatched")
        changed = msgspec.structs.replace(request, state="in_progress", verified_by=how)
        write_request(held, changed)
        add_step(held, request, "verified", by=by, now=now, words=how)


def match_request(*, request_id: int, profile_id: int, by: str, now: datetime) -> None:
    """Say whose a request is that came from an address nobody was known by."""
    with changing(request_id) as (connection, request):
        if request.profile_id is not None:
            raise Conflict("this request is a customer's already", code="matched")
        root = find_root(connection, profile_id)
        if connection.execute(_SQL["requests_open_of"], [[root], request.kind]).fetchone():
            raise Conflict("a request of this kind of hers is open already", code="request_open")
        write_request(connection, msgspec.structs.replace(request, profile_id=root, address=""))
        add_step(connection, request, "matched", by=by, now=now)


def extend_request(*, request_id: int, reason: str, by: str, now: datetime) -> None:
    """Take the further time the law gives, once and before the first is over, and tell her why."""
    with changing(request_id) as (connection, request):
        words = _words(reason, "say why it takes longer: she is told")
        if request.is_extended or request.due_at <= now:
            raise Conflict("it can be extended once, before it is due", code="cannot_extend")
        due_at = last_deadline(request.received_at, request.jurisdiction)
        write_request(connection, msgspec.structs.replace(request, due_at=due_at, is_extended=True))
        add_step(connection, request, "extended", by=by, now=now, words=words)
        until = f"{due_at:%-d %B %Y}"
        told = f"We need more time for it, until {until} at the latest. The reason: {words}"
        tell(connection, request, "words", now=now, words=told)


def note_on_request(*, request_id: int, words: str, by: str, now: datetime) -> None:
    """Write something down about a request, closed ones too."""
    with transaction() as connection:
        request = read_request(connection, request_id, lock=True)
        add_step(connection, request, "noted", by=by, now=now, words=_words(words, "write a note"))


def refuse_request(*, request_id: int, reason: str, by: str, now: datetime) -> None:
    """Close a request without doing what it asks; she is told why, and that she may complain."""
    with changing(request_id) as (connection, request):
        words = _words(reason, "say why it is refused: she is told")
        close(connection, request, "refused", by=by, now=now, outcome=words)
        told = (
            f"We do not carry it out. The reason: {words} You can complain to your data protection "
            "authority, and go to court."
        )
        tell(connection, request, "words", now=now, words=told)


def finish_request(*, request_id: int, words: str, by: str, now: datetime) -> None:
    """Close a request that was carried out; what was done is told in ``words``."""
    with changing(request_id) as (connection, request):
        if not request.verified_by:
            raise _unverified()
        close(connection, request, "done", by=by, now=now, outcome=words.strip()[:_MOST_WORDS])


def correct_traits(*, request_id: int, traits: Mapping[str, Any], by: str, now: datetime) -> None:
    """Record what is right instead: claims that were checked, through the log; None takes away.

    The request is done with it.
    """
    with _carrying_out(request_id, ("rectification",)) as (connection, request, root):
        if not traits or not all(0 < len(name) <= _LONGEST_TRAIT for name in traits):
            raise Invalid("say what is right: fields and their values", code="bad_trait")
        told = {"traits": dict(traits), "how": "verified", "provenance": "data request"}
        _record(connection, request, root, TRAIT_ASSERTED, told, now)
        names = ", ".join(sorted(traits))
        add_step(connection, request, "corrected", by=by, now=now, words=names)
        close(connection, request, "done", by=by, now=now)


def restrict_processing(
    *, request_id: int, by: str, now: datetime, connection: Connection | None = None
) -> None:
    """Let nothing be done with her data but keeping it, until that is lifted (GDPR Art. 18).

    The gate refuses everything as soon as the event is folded. The request is done with it.
    """
    with _carrying_out(request_id, ("restriction",), connection) as (held, request, root):
        _record(held, request, root, RESTRICTED, {}, now)
        add_step(held, request, "restricted", by=by, now=now)
        close(held, request, "done", by=by, now=now)


def lift_restriction(*, request_id: int, reason: str, by: str, now: datetime) -> None:
    """End a restriction; she is told before (GDPR Art. 18(3)), in ``reason``."""
    with transaction() as connection:
        request = read_request(connection, request_id, lock=True)
        words = _words(reason, "say why it is lifted: she is told")
        if request.kind != "restriction" or request.state != "done" or request.profile_id is None:
            raise Conflict("this request restricts nothing", code="not_restricted")
        root = find_root(connection, request.profile_id)
        told = f"We may use your data again from now on. The reason: {words}"
        tell(connection, request, "words", now=now, words=told)
        _record(connection, request, root, LIFTED, {"reason": words}, now)
        add_step(connection, request, "lifted", by=by, now=now, words=words)


def take_objection(
    *, request_id: int, by: str, now: datetime, connection: Connection | None = None
) -> None:
    """Withdraw, through the ledger, all that needs no consent and all marketing (GDPR Art. 21)."""
    with _carrying_out(request_id, ("objection",), connection) as (held, request, root):
        purposes = list_objected(load_policies(held))
        rows = held.execute(_SQL["list_identifiers"], [root]).fetchall()
        points = addresses_of([(row[0], row[1]) for row in rows])
        for channel, key in points:
            said = Choices(
                profile_id=root,
                channel=channel,
                address_key=key,
                choices=dict.fromkeys(purposes, False),
                method="objection",
                evidence={"request_id": str(request_id)},
            )
            state_choices(choices=said, now=now, connection=held)
        if not points:
            told = {"categoryPreferences": dict.fromkeys(purposes, False), "method": "objection"}
            _record(held, request, root, PREFERENCES_UPDATED, told, now)
        add_step(held, request, "objected", by=by, now=now, words=", ".join(purposes))
        close(held, request, "done", by=by, now=now)


def list_objected(policies: Mapping[str, Purpose]) -> list[str]:
    """Return the purposes an objection is to: legitimate interests, and marketing of any basis."""
    return sorted(
        key
        for key, purpose in policies.items()
        if purpose.basis in _OBJECTED_BASES or key.startswith("marketing.")
    )


def check_erasable(*, request_id: int) -> int:
    """Return whom a verified request for erasure is about; raise Conflict when it is not that."""
    with _carrying_out(request_id, ("erasure",)) as (_, _, root):
        return root


@contextmanager
def _carrying_out(
    request_id: int, kinds: tuple[RequestKind, ...], connection: Connection | None = None
) -> Iterator[tuple[Connection, Request, int]]:
    """Lock a request that may be carried out: verified, open, of a kind, a customer's."""
    with changing(request_id, connection) as (held, request):
        if request.kind not in kinds:
            raise Conflict(f"this request is for {request.kind}", code="other_kind")
        if not request.verified_by or request.profile_id is None:
            raise _unverified()
        yield held, request, find_root(held, request.profile_id)


def carrying_out(
    request_id: int, kinds: tuple[RequestKind, ...], connection: Connection | None = None
) -> Any:
    """Lock a request that may be carried out, for what else is done about one."""
    return _carrying_out(request_id, kinds, connection)


def _unverified() -> Conflict:
    return Conflict("nobody has shown yet that the data is theirs", code="unverified")


def close(
    connection: Connection,
    request: Request,
    state: RequestState,
    *,
    by: str,
    now: datetime,
    outcome: str = "",
) -> None:
    """Close a request, in the caller's transaction, and write it into her history."""
    changed = msgspec.structs.replace(request, state=state, closed_at=now, outcome=outcome)
    write_request(connection, changed)
    what: StepKind = "refused" if state == "refused" else "done"
    add_step(connection, request, what, by=by, now=now, words=outcome)
    if request.profile_id is not None:
        told = {"kind": request.kind, "state": state}
        _record(connection, request, request.profile_id, REQUEST_CLOSED, told, now)


def tell(
    connection: Connection, request: Request, message: str, *, now: datetime, words: str = ""
) -> None:
    """Ask for a mail to her about a request: to `confirm`, that a `copy` is ready, or `words`."""
    if request.profile_id is None:
        return
    told = {
        "message": message,
        "kind": request.kind,
        "address_key": request.address_key,
        "words": words,
    }
    _record(connection, request, request.profile_id, REQUEST_MESSAGE, told, now)


def _record(
    connection: Connection,
    request: Request,
    profile_id: int,
    name: str,
    told: dict[str, Any],
    now: datetime,
) -> None:
    mark = f"{name.lower().replace(' ', '-')}-{told.get('message', '')}-{now.timestamp():.6f}"
    record_event(
        connection=connection,
        profile_id=profile_id,
        name=name,
        properties={"request_id": request.request_id, **told},
        message_id=f"request-{request.request_id}-{mark}",
        now=now,
    )


def _words(text: str, refusal: str) -> str:
    words = text.strip()
    if not words or len(words) > _MOST_WORDS:
        raise Invalid(refusal, code="words_missing")
    return words

"""Asking others about customers over HTTP: who may be asked about, how often, what became of it.

Nothing of a customer is sent unless the gate allows the purpose at that moment; the answer goes
into the log as claims of the enrichment's source. What is asked and its answer are settled with the
event in one transaction.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import egress, queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import Connection, transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound, Retryable
from amity.store.contracts import Profile
from amity.store.contracts_hooks import Enrichment, EnrichmentPlan
from amity.store.contracts_outbound import Attempt
from amity.store.dialect import dump, make_id
from amity.store.logic.consent.gate import may_use
from amity.store.logic.folding.consumers import read_activity
from amity.store.logic.intake.appending import append_events
from amity.store.logic.intake.sources import get_source
from amity.store.logic.profiles.reading import get_profile, list_identifiers
from amity.store.logic.telling.asserting import after, assertion
from amity.store.logic.telling.enriching_plan import (
    MADE_UP,
    check_plan,
    fill_url,
    find_value,
    read_answer,
    whose_answer,
)

_SQL: Final = queries.load("amity.store")
_AT_ONCE: Final = 20
_ACTIVITIES: Final = 1_000
_ATTEMPTS: Final = 5
_TIMEOUT_SECONDS: Final = 10.0
_MOST_BYTES: Final = 262_144
_log = logging.getLogger(__name__)


class _Asked(msgspec.Struct, frozen=True):
    """What asking takes: the secret is opened."""

    enrichment_id: int
    source_id: int
    plan: EnrichmentPlan
    secret: str


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of asking about one customer."""

    state: str
    reason: str = ""
    event: dict[str, Any] | None = None
    next_at: datetime | None = None
    is_failure: bool = False
    """Whether it is the other side's, or the plan's: it shows at the enrichment."""


def create_enrichment(*, plan: EnrichmentPlan, source_id: int, secret: str, by: str) -> Enrichment:
    """Begin asking somebody about customers; raise Invalid, Denied or Conflict."""
    clean = _check(plan)
    get_source(source_id=source_id)
    given = {"name": clean.name, "source_id": source_id, "plan": _json(clean), "by": by}
    with transaction() as connection:
        row = connection.execute(_SQL["enrichment_insert"], given).fetchone()
        if row is None:
            raise Conflict(f"an enrichment named {clean.name!r} exists already")
        _write_secret(connection, row[0], secret)
        return _read(connection, row[0])


def update_enrichment(
    *, enrichment_id: int, plan: EnrichmentPlan, secret: str | None = None
) -> Enrichment:
    """Change how it is asked; a secret of None stays."""
    clean = _check(plan)
    given = {"id": enrichment_id, "name": clean.name, "plan": _json(clean)}
    try:
        with transaction() as connection:
            if connection.execute(_SQL["enrichment_update"], given).fetchone() is None:
                raise _unknown(enrichment_id)
            if secret is not None:
                _write_secret(connection, enrichment_id, secret)
            return _read(connection, enrichment_id)
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"an enrichment named {clean.name!r} exists already") from error


def switch_enrichment(*, enrichment_id: int, is_enabled: bool) -> Enrichment:
    """Let it be asked, or not; who is seen while it is off is not asked about later."""
    with transaction() as connection:
        given = {"id": enrichment_id, "on": is_enabled}
        if connection.execute(_SQL["enrichment_switch"], given).fetchone() is None:
            raise _unknown(enrichment_id)
        return _read(connection, enrichment_id)


def delete_enrichment(*, enrichment_id: int) -> None:
    """Forget it and its secret; what it answered stays until its time is over."""
    with transaction() as connection:
        if connection.execute(_SQL["enrichment_delete"], [enrichment_id]).fetchone() is None:
            raise _unknown(enrichment_id)


def get_enrichment(*, enrichment_id: int) -> Enrichment:
    """Return one; raise NotFound when there is none."""
    with transaction() as connection:
        return _read(connection, enrichment_id)


def list_enrichments() -> list[Enrichment]:
    """Return all, by name."""
    with transaction() as connection:
        return [
            _enrichment(row) for row in connection.execute(_SQL["enrichment_read"], {"id": None})
        ]


def list_enrichment_problems(*, enrichment_id: int) -> list[tuple[int, str, str]]:
    """Return customers nothing was learned about, the latest first: id, state and reason."""
    with transaction() as connection:
        rows = connection.execute(_SQL["enrichment_list_asks"], [enrichment_id])
        return [(row[0], row[1], row[2]) for row in rows]


def try_enrichment(*, enrichment_id: int) -> Attempt:
    """Ask about somebody made up, at once and once, and return what came of it.

    It is taken when the other side answers, also that it knows nobody by that.
    """
    with transaction() as connection:
        found = _read(connection, enrichment_id)
        row = connection.execute(_SQL["enrichment_secret"], [enrichment_id]).fetchone()
    secret = _open(enrichment_id, row[0] if row else None)
    try:
        answer = _fetch(
            _Asked(enrichment_id, found.source_id, found.plan, secret), MADE_UP[found.plan.key]
        )
    except AmityError as error:
        return Attempt(status=None, error=error.message[:400], reply="")
    is_good = answer.is_success or answer.status == 404
    return Attempt(
        status=answer.status,
        error="" if is_good else f"the other side answered {answer.status}",
        reply=answer.body[:1_000].decode("utf-8", "replace").replace("\0", ""),
        retry_after_seconds=answer.retry_after_seconds,
    )


def ask_enrichment(*, enrichment_id: int, profile_ids: list[int]) -> int:
    """Have it asked about these customers, also about whom it was before; return how many wait."""
    with transaction() as connection:
        found = _read(connection, enrichment_id)
        return _ask(connection, enrichment_id, profile_ids, found.plan, anew=True)


def run_enrichments(*, now: datetime) -> int:
    """Take one turn of all that are enabled; return how many customers were asked about."""
    with transaction() as connection:
        rows = connection.execute(_SQL["enrichment_read"], {"id": None}).fetchall()
    return sum(run_enrichment(enrichment_id=row[0], now=now) for row in rows if row[4])


def run_enrichment(*, enrichment_id: int, now: datetime) -> int:
    """Ask about those who are due, as many as the rate allows; return how many.

    Safe from several processes: each customer is claimed for a while.
    """
    with transaction() as connection:
        row = connection.execute(_SQL["enrichment_lock"], [enrichment_id]).fetchone()
        if row is None:
            return 0
        plan = msgspec.convert(row[0], EnrichmentPlan)
        if plan.is_automatic:
            _queue(connection, enrichment_id, plan, row[1])
        given = {"id": enrichment_id, "most": _AT_ONCE, "per_minute": plan.per_minute}
        due = connection.execute(_SQL["enrichment_claim"], given).fetchall()
        source_id = _read(connection, enrichment_id).source_id
    if not due:
        return 0
    asked = _Asked(enrichment_id, source_id, plan, _open(enrichment_id, row[2]))
    for profile_id, attempts in due:
        _settle(asked, profile_id, _ask_about(asked, profile_id, attempts, now), now)
    return len(due)


def _queue(connection: Connection, enrichment_id: int, plan: EnrichmentPlan, after: int) -> None:
    activities = read_activity(connection=connection, after=after, limit=_ACTIVITIES)
    if activities:
        seen = sorted({each.profile_id for each in activities})
        _ask(connection, enrichment_id, seen, plan, anew=False)
        last = activities[-1].position
        connection.execute(_SQL["enrichment_advance"], [last, enrichment_id])


def _ask(
    connection: Connection,
    enrichment_id: int,
    profiles: list[int],
    plan: EnrichmentPlan,
    *,
    anew: bool,
) -> int:
    given = {
        "id": enrichment_id,
        "profiles": sorted(set(profiles)),
        "ttl_days": plan.ttl_days,
        "anew": anew,
    }
    return connection.execute(_SQL["enrichment_ask"], given).rowcount


def _ask_about(asked: _Asked, profile_id: int, attempts: int, now: datetime) -> _Result:
    try:
        profile = get_profile(profile_id=profile_id)
    except NotFound:
        return _Result(state="unknown", reason="the customer is not here any more")
    plan = asked.plan
    refusal = may_use(profile_ids=[profile_id], purpose=plan.purpose, now=now)[profile_id]
    if refusal:
        return _Result(state="withheld", reason=refusal)
    value = find_value(profile, plan.key)
    who = whose_answer(profile, list_identifiers(profile_id=profile.profile_id))
    if not value or who is None:
        return _Result(state="unknown", reason="there is nothing to ask by")
    try:
        traits = _learn(asked, value)
    except ValueError as error:
        return _Result(state="failed", reason=str(error), is_failure=True)
    except AmityError as error:
        return _failed(error, attempts, now)
    event = _event(asked, who, profile, traits, now) if traits else None
    reason = "" if event else "nothing is known there"
    return _Result(state="answered" if event else "unknown", reason=reason, event=event)


def _learn(asked: _Asked, value: str) -> dict[str, Any]:
    """Return what is answered about a value, nothing when nobody is known by it."""
    answer = _fetch(asked, value)
    if answer.status == 404:
        return {}
    return read_answer(egress.expect_success(answer).body, asked.plan.mapping)


def _fetch(asked: _Asked, value: str) -> egress.Response:
    headers = [("Accept", "application/json")]
    if asked.plan.header and asked.secret:
        headers.append((asked.plan.header, asked.secret))
    return egress.fetch(
        method="GET",
        url=fill_url(asked.plan.url, value),
        headers=headers,
        timeout_seconds=_TIMEOUT_SECONDS,
        max_bytes=_MOST_BYTES,
    )


def _failed(error: AmityError, attempts: int, now: datetime) -> _Result:
    """Say what went wrong; what may pass is tried again, later each time."""
    if isinstance(error, Retryable) and attempts < _ATTEMPTS:
        wait = max(getattr(error, "retry_after_seconds", None) or 0, 30 * 2**attempts)
        next_at = now + timedelta(seconds=wait)
        return _Result(
            state="waiting", reason=error.message[:400], next_at=next_at, is_failure=True
        )
    return _Result(state="failed", reason=error.message[:400], is_failure=True)


def _event(
    asked: _Asked, who: dict[str, Any], profile: Profile, traits: dict[str, Any], now: datetime
) -> dict[str, Any]:
    plan = asked.plan
    about = {
        "confidence": plan.confidence,
        "lawful_basis": plan.lawful_basis,
        "expires_at": after(now, plan.ttl_days),
        "provenance": f"{plan.name} ({urlsplit(plan.url).hostname})",
    }
    at = format_instant(now)
    event = assertion(who, traits, how="observed", at=at, about=about)
    event["messageId"] = make_id(
        "enrichment", str(asked.enrichment_id), str(profile.profile_id), at
    )
    return event


def _settle(asked: _Asked, profile_id: int, result: _Result, now: datetime) -> None:
    with transaction() as connection:
        given = {
            "id": asked.enrichment_id,
            "profile_id": profile_id,
            "state": result.state,
            "reason": result.reason,
            "next_at": result.next_at,
        }
        if connection.execute(_SQL["enrichment_settle"], given).rowcount and result.event:
            raw = [dump(result.event)]
            append_events(source_id=asked.source_id, events=raw, connection=connection, now=now)
        if result.is_failure:
            failed = {"id": asked.enrichment_id, "reason": result.reason}
            connection.execute(_SQL["enrichment_failed"], failed)
        elif result.state != "withheld":
            connection.execute(_SQL["enrichment_succeeded"], [asked.enrichment_id])


def _check(plan: EnrichmentPlan) -> EnrichmentPlan:
    clean = check_plan(plan)
    egress.check_url(fill_url(clean.url, "value"))
    return clean


def _json(plan: EnrichmentPlan) -> Jsonb:
    return Jsonb(msgspec.to_builtins(plan))


def _write_secret(connection: Connection, enrichment_id: int, secret: str) -> None:
    clean = secret.strip()
    if len(clean) > 2_000 or not clean.isprintable() or not clean.isascii():
        raise Invalid("the secret of a header is plain ASCII in one line", code="bad_secret")
    sealed = encrypt(clean, about=f"enrichment.{enrichment_id}") if clean else None
    connection.execute(_SQL["enrichment_set_secret"], [sealed, enrichment_id])


def _open(enrichment_id: int, sealed: bytes | None) -> str:
    return decrypt(bytes(sealed), about=f"enrichment.{enrichment_id}") if sealed else ""


def _read(connection: Connection, enrichment_id: int) -> Enrichment:
    row = connection.execute(_SQL["enrichment_read"], {"id": enrichment_id}).fetchone()
    if row is None:
        raise _unknown(enrichment_id)
    return _enrichment(row)


def _enrichment(row: tuple[Any, ...]) -> Enrichment:
    return msgspec.convert(dict(zip(Enrichment.__struct_fields__, row, strict=True)), Enrichment)


def _unknown(enrichment_id: int) -> NotFound:
    return NotFound(f"there is no enrichment {enrichment_id}")

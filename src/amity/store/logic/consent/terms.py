"""What an event about consent becomes in the ledger (pure): status, method, basis, evidence.

A browser source has a public key (rule D8): its yes is written down as `pending` and gives
nothing; its no counts.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, get_args

import msgspec

from amity.store.contracts import Activity, SourceKind
from amity.store.contracts_consent import LawfulBasis, LedgerStatus, Purpose
from amity.store.logic.consent.statements import (
    CONSENT_EVENTS,
    CONSENT_REQUESTED,
    channel_of,
    expiry_of,
    find_tc_string,
    read_statements,
    read_wishes,
)

LEDGER_EVENTS: Final = frozenset({*CONSENT_EVENTS, CONSENT_REQUESTED})
"""The names of the events the ledger is made from."""

_LONGEST: Final = 200
_MOST_RECIPIENTS: Final = 50
_BASES: Final[tuple[str, ...]] = get_args(LawfulBasis)
_STATUSES: Final[dict[str, LedgerStatus]] = {
    "granted": "given",
    "denied": "denied",
    "withdrawn": "withdrawn",
}
_METHODS: Final[dict[SourceKind, str]] = {"browser": "form", "server": "api", "system": "api"}
# These have columns of their own, or are what was said itself.
_TOLD: Final = frozenset(
    {"method", "channel", "basis", "jurisdiction", "notice", "notice_sha256", "expires_at"}
    | {"recipients", "categoryPreferences"}
)
_OF_CONTEXT: Final = ("ip", "userAgent", "page", "consent")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What one event says of one purpose, as the ledger holds it."""

    purpose: str
    status: LedgerStatus
    channel: str
    basis: str
    jurisdiction: str
    method: str
    notice: str
    notice_sha256: str
    expires_at: datetime | None
    recipients: list[str]
    evidence: str


def list_terms(
    activity: Activity, kind: SourceKind, policies: Mapping[str, Purpose]
) -> Iterator[Terms]:
    """Return what an activity says about consent, by purpose in their order."""
    told = activity.properties
    said = dict(_list_statuses(activity, kind))
    evidence = _evidence(activity)
    for purpose, status in sorted(said.items()):
        policy = policies.get(purpose)
        basis = _text(told, "basis")
        yield Terms(
            purpose=purpose,
            status=status,
            channel=_text(told, "channel") or channel_of(purpose, policy),
            basis=basis if basis in _BASES else "" if policy is None else policy.basis,
            jurisdiction=_text(told, "jurisdiction"),
            method=_text(told, "method") or _method_of(activity, kind),
            notice=_text(told, "notice") or _notice_of(told, purpose),
            notice_sha256=_text(told, "notice_sha256"),
            expires_at=expiry_of(told) if status == "given" else None,
            recipients=_recipients(told),
            evidence=evidence,
        )


def _list_statuses(activity: Activity, kind: SourceKind) -> Iterator[tuple[str, LedgerStatus]]:
    if activity.name == CONSENT_REQUESTED:
        for purpose in read_wishes(activity.properties):
            yield purpose, "pending"
        return
    # As a server would be read, so that what a browser may not say shows too.
    said = read_statements(activity.name, activity.properties, activity.context, "server")
    for purpose, status in said.items():
        is_refused = status == "granted" and kind == "browser"
        yield purpose, "pending" if is_refused else _STATUSES[status]


def _method_of(activity: Activity, kind: SourceKind) -> str:
    is_tcf = find_tc_string(activity.properties, activity.context)
    return "TCF" if is_tcf else _METHODS[kind]


def _evidence(activity: Activity) -> str:
    """Return what shows that it was said, as JSON with sorted keys."""
    shown = {key: value for key, value in activity.properties.items() if key not in _TOLD}
    context = {key: activity.context[key] for key in _OF_CONTEXT if key in activity.context}
    if context:
        shown["context"] = context
    return msgspec.json.encode(shown, order="deterministic").decode()


def _notice_of(told: Mapping[str, Any], purpose: str) -> str:
    """Return the notice of one purpose where an event is about several (`notices`)."""
    notices = told.get("notices")
    return _text(notices, purpose) if isinstance(notices, dict) else ""


def _recipients(told: Mapping[str, Any]) -> list[str]:
    given = told.get("recipients")
    if not isinstance(given, list):
        return []
    return [str(each)[:_LONGEST] for each in given if isinstance(each, str)][:_MOST_RECIPIENTS]


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""

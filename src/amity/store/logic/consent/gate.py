"""The gate: whether customers' data may be used for a purpose now. There is no other.

`may_use` answers for many at once and is what exports, webhooks and screens ask; decisions ask
`reason_of` (`consent`) for the people they keep in memory; what is decided inside a larger query
joins `store_use_reason` or `store_contact_reason`. A house test finds who reads consents past them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.rules import Fragment, sql
from amity.rules.fragment import join
from amity.store.contracts import Channel, Consent, ConsentStatus
from amity.store.contracts_consent import Purpose, Standing, UseReason, is_spoken
from amity.store.logic.consent.purposes import load_policies
from amity.store.logic.consent.statements import (
    PAUSE,
    RESTRICTION,
    channel_of,
    ends_at,
    reason_of,
)
from amity.store.logic.consent.under_age import GUARDIAN, RECORDS, YOUNG, span_of
from amity.store.logic.profiles.contact_points import contact_key
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
SHARING: Final = "sharing"
"""The purpose of what leaves for somebody else."""


def may_use(
    *,
    profile_ids: Iterable[int],
    purpose: str,
    now: datetime,
    channel: Channel | None = None,
    connection: Connection | None = None,
) -> dict[int, UseReason]:
    """Return, by profile, why its data may not be used for a purpose now; "" when it may.

    Every id that is asked about has an answer; the latest consent of the customer it was merged
    into counts. With a ``channel`` what was said or happened at their address counts too: an
    objection, a complaint, a bounce, a pause. Without one it is that of the purpose, if it has
    one: whoever may not be written to for `marketing.email` is in no list for it either. Four
    statements whatever their number.
    """
    wanted = sorted(set(profile_ids))
    if connection is None:
        with transaction() as own:
            return may_use(
                profile_ids=wanted, purpose=purpose, now=now, channel=channel, connection=own
            )
    reasons: dict[int, UseReason] = dict.fromkeys(wanted, "unknown")
    if channel is None:
        channel = _find_channel(connection, purpose)
    if channel is None:
        arguments = {"ids": wanted, "purpose": purpose, "now": now}
        reasons.update(connection.execute(_SQL["may_use"], arguments).fetchall())
        return reasons
    found = connection.execute(_SQL["may_use_addresses"], [wanted]).fetchall()
    arguments = {
        "asked": [row[0] for row in found],
        "roots": [row[1] for row in found],
        "keys": [_key(channel, row[2], row[3]) for row in found],
        "channel": channel,
        "purpose": purpose,
        "now": now,
    }
    reasons.update(connection.execute(_SQL["may_use_at"], arguments).fetchall())
    return reasons


def list_standings(*, profile_id: int, now: datetime) -> list[Standing]:
    """Return how a customer stands to every purpose now, by their order; raise NotFound.

    The answers are those of `may_use`: what is shown is what is done.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        row = connection.execute(_SQL["read_consents"], [root]).fetchone()
        consents = _CONSENTS.decode(row[1]) if row else {}
        policies = load_policies(connection)
        return [
            Standing(
                purpose=purpose,
                title=policies[purpose].title if purpose in policies else purpose,
                reason=may_use(profile_ids=[root], purpose=purpose, now=now, connection=connection)[
                    root
                ],
                said=consents.get(purpose),
            )
            for purpose in _order(consents, policies)
        ]


def list_past_standings(*, consents: Mapping[str, Consent], at: datetime) -> list[Standing]:
    """Return how a customer stood at a moment, by the consents known of then.

    The purposes are as they are today; what bounced or was refused at an address is not known of
    the past, but what she said there is among her consents.
    """
    with transaction() as connection:
        policies = load_policies(connection)
    return [
        Standing(
            purpose=purpose,
            title=policies[purpose].title if purpose in policies else purpose,
            reason=reason_of(purpose, consents, policies, at),
            said=consents.get(purpose),
        )
        for purpose in _order(consents, policies)
    ]


def _order(consents: Mapping[str, Consent], policies: Mapping[str, Purpose]) -> list[str]:
    return [*policies, *sorted(filter(is_spoken, consents.keys() - policies.keys()))]


def _find_channel(connection: Connection, purpose: str) -> Channel | None:
    found = channel_of(purpose, load_policies(connection).get(purpose))
    return msgspec.convert(found, Channel) if found else None


def use_condition(
    *, consents: Fragment, purpose: str, policies: Mapping[str, Purpose], now: datetime
) -> Fragment:
    """Return the gate as a condition on a column of profiles' consents, for rules' SQL.

    What was said and what is on pause counts, as in `reason_of`; an address that bounced or a no
    that has not been folded yet does not, so whoever sends or exports asks `may_use` besides.
    """
    policy = policies.get(purpose)
    pause = f"{PAUSE}.{channel_of(purpose, policy)}"
    return sql(
        "(store_contact_reason('', jsonb_strip_nulls(jsonb_build_object({}::text, "
        "CASE WHEN {} #>> ARRAY[{}::text, 'status'] <> 'granted' "
        "THEN {} #>> ARRAY[{}::text, 'expires_at'] END)), "
        "{}, {}::text, {}::boolean, {}::integer, {}::timestamptz) = '')",
        *(PAUSE, consents, pause, consents, pause),
        *(consents, purpose),
        None if policy is None else policy.needs_consent,
        None if policy is None else policy.expiry_months,
        now,
    )


def plain_use_condition(
    *, consents: Fragment, purpose: str, policies: Mapping[str, Purpose], now: datetime
) -> Fragment:
    """Return what `use_condition` does without a function of the database's, for other engines."""
    policy = policies.get(purpose)
    pause = f"{PAUSE}.{channel_of(purpose, policy)}"

    def word(name: str, key: str) -> Fragment:
        return sql("({} #>> ARRAY[{}::text, {}::text])", consents, name, key)

    status, ends = word(purpose, "status"), sql("amity_instant({})", word(purpose, "expires_at"))
    tests = [
        sql("coalesce({} <> 'denied', true)", word(RESTRICTION, "status")),
        sql("coalesce({} NOT IN ('denied', 'withdrawn'), true)", status),
        sql(
            "NOT coalesce({} <> 'granted' AND amity_instant({}) > {}, false)",
            word(pause, "status"),
            word(pause, "expires_at"),
            now,
        ),
    ]
    if purpose not in (RECORDS, GUARDIAN):
        tests.append(_is_old_enough(consents, now))
    if policy is None or policy.needs_consent:
        tests.append(sql("coalesce({} = 'granted', false)", status))
        tests.append(sql("coalesce({} > {}, true)", ends, now))
        if policy is not None and policy.expiry_months is not None:
            said = sql("amity_instant({})", word(purpose, "at"))
            months = Fragment(f"INTERVAL '{policy.expiry_months:d} months'")
            tests.append(sql("coalesce({} + {} > {}, true)", said, months, now))
    return sql("({})", join(" AND ", tests))


def _is_old_enough(consents: Fragment, now: datetime) -> Fragment:
    """Say in any engine's SQL that age is no hindrance: no mark, or a guardian who agreed."""

    def word(name: str, key: str) -> Fragment:
        return sql("({} #>> ARRAY[{}::text, {}::text])", consents, name, key)

    return sql(
        "(coalesce({} <> 'denied', true) OR coalesce(amity_instant({}) <= {}, false)"
        " OR (coalesce({} = 'granted', false) AND coalesce(amity_instant({}) > {}, true)))",
        *(word(YOUNG, "status"), word(YOUNG, "expires_at"), now),
        *(word(GUARDIAN, "status"), word(GUARDIAN, "expires_at"), now),
    )


def _key(channel: Channel, email: str | None, phone: str | None) -> str:
    address = {"email": email, "sms": phone}.get(channel)
    return contact_key(channel=channel, address=address) if address else ""


def judge_consents(
    *,
    consents: Mapping[str, Consent],
    purposes: Iterable[str],
    policies: Mapping[str, Purpose],
    now: datetime,
) -> dict[str, ConsentStatus]:
    """Return what the gate makes of purposes for one person, for who keeps it at hand.

    What may be used is granted; all else is denied, or withdrawn where that was said.
    """
    judged: dict[str, ConsentStatus] = {}
    for purpose in sorted(purposes):
        said = consents.get(purpose)
        if not reason_of(purpose, consents, policies, now):
            judged[purpose] = "granted"
        else:
            judged[purpose] = "denied" if said is None or said.status == "granted" else said.status
    return judged


def list_ends(
    *, consents: Mapping[str, Consent], purposes: Iterable[str], policies: Mapping[str, Purpose]
) -> dict[str, datetime]:
    """Return when purposes that are allowed end by themselves, where they do."""
    ends = {}
    for purpose in purposes:
        said, policy = consents.get(purpose), policies.get(purpose)
        is_asked = policy is None or policy.needs_consent
        agreed = said is not None and said.status == "granted" and is_asked
        span = span_of(purpose, consents)
        found = [ends_at(said, policy) if said is not None and agreed else None, span and span[1]]
        until = min((each for each in found if each is not None), default=None)
        if until is not None:
            ends[purpose] = until
    return ends


def list_policies(*, connection: Connection) -> dict[str, Purpose]:
    """Return the purposes by key, for `judge_consents`."""
    return load_policies(connection)

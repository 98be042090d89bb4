"""The declared survivorship rules, and how profiles come to follow rules that were changed.

The fold reads the rules each turn, so what arrives from now on follows them at once. For what is
known already the follower of claims looks through the profiles that have a choice, and records
`Trait Resolved` where another claim is to be shown: the fold then chooses anew, and whoever follows
the activities, such as segments, sees it. A rebuild folds everything by the rules of today, which
comes to the same profiles.
"""

import re
from datetime import datetime
from typing import Final, get_args

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts_claims import TRAIT_RESOLVED, RuleKind, SurvivorshipRule
from amity.store.logic.folding.consumers import stop_profiles
from amity.store.logic.folding.fold import Origin
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.intake.decoding import MAX_TEXT
from amity.store.logic.profiles.survivorship import Rules, Word, Words, choose

_SQL: Final = queries.load("amity.store")
_KINDS: Final = frozenset(get_args(RuleKind))
_PATTERN: Final = re.compile(r"[^\0\s][^\0]*")
_AT_ONCE: Final = 500
_WORDS: Final = msgspec.json.Decoder(Words)
_ORIGINS: Final = msgspec.json.Decoder(dict[str, Origin])


def read_rules(connection: Connection) -> Rules:
    """Return the rules as the fold and the readers use them."""
    return Rules(_list(connection))


def list_survivorship_rules() -> list[SurvivorshipRule]:
    """Return the declared rules, by pattern; what none of them fits shows the latest claim."""
    with transaction() as connection:
        return _list(connection)


def set_survivorship_rule(*, rule: SurvivorshipRule, by: str, now: datetime) -> SurvivorshipRule:
    """Declare which claim is shown of the traits a pattern fits; it replaces an earlier rule.

    Raises Invalid for a pattern, a kind or an order of sources that cannot be.
    """
    pattern = rule.pattern.strip()
    if not _PATTERN.fullmatch(pattern) or len(pattern) > MAX_TEXT:
        raise Invalid("name a trait, or a pattern such as `address*`", code="bad_pattern")
    if rule.kind not in _KINDS:
        raise Invalid(f"there is no rule {rule.kind!r}", code="bad_rule")
    if rule.kind == "most_trusted_source" and not rule.sources:
        raise Invalid("say which source is trusted most", code="no_sources")
    if len(set(rule.sources)) != len(rule.sources):
        raise Invalid("a source stands twice in the order", code="bad_sources")
    with transaction() as connection:
        known = {row[0] for row in connection.execute(_SQL["read_source_kinds"])}
        if not known.issuperset(rule.sources):
            raise Invalid("there is no such source", code="bad_sources")
        _begin_change(connection)
        arguments = [pattern, rule.kind, rule.sources, now, by]
        connection.execute(_SQL["set_survivorship"], arguments)
    return msgspec.structs.replace(rule, pattern=pattern, updated_at=now, updated_by=by)


def remove_survivorship_rule(*, pattern: str) -> None:
    """Take a rule away: the latest claim is shown again. Raises NotFound."""
    with transaction() as connection:
        _begin_change(connection)
        if connection.execute(_SQL["remove_survivorship"], [pattern]).rowcount != 1:
            raise NotFound(f"there is no rule for {pattern!r}")


def is_settling() -> bool:
    """Say whether profiles are still being looked through after a change of the rules."""
    with transaction() as connection:
        row = connection.execute(_SQL["read_settling"]).fetchone()
    return row is not None and row[0] != row[1]


def settle_next(connection: Connection, now: datetime) -> int:
    """Look through some of the profiles that have a choice, after a change of the rules.

    Returns how many were looked at, in the caller's transaction.
    """
    row = connection.execute(_SQL["read_settling"]).fetchone()
    if row is None or row[0] == row[1]:
        return 0
    version, _, after = row
    rules = read_rules(connection)
    rows = connection.execute(_SQL["list_choices"], [after, _AT_ONCE]).fetchall()
    events = []
    for profile_id, origins, words in rows:
        changed = _list_changed(_ORIGINS.decode(origins), _WORDS.decode(words), rules)
        if changed:
            events.append(
                SystemEvent(
                    profile_id=profile_id,
                    name=TRAIT_RESOLVED,
                    properties={"traits": changed},
                    message_id=f"resolved-{profile_id}-{version}",
                )
            )
    record_events(connection=connection, events=events, now=now)
    is_done = len(rows) < _AT_ONCE
    last = 0 if is_done else rows[-1][0]
    connection.execute(_SQL["note_settling"], [version if is_done else row[1], last, version])
    return len(rows)


def _list_changed(origins: dict[str, Origin], held: Words, rules: Rules) -> list[str]:
    return sorted(
        trait
        for trait, words in held.words.items()
        if _is_other(choose(words, rules.find(trait), held.until), origins[trait])
    )


def _is_other(chosen: Word, origin: Origin) -> bool:
    return (chosen.source_id, chosen.event_id) != (origin.source_id, origin.event_id)


def _begin_change(connection: Connection) -> None:
    """Wait for the fold's turn to end: no batch may still be folded by the rules as they were."""
    stop_profiles(connection)
    connection.execute(_SQL["begin_settling"])


def _list(connection: Connection) -> list[SurvivorshipRule]:
    rows = connection.execute(_SQL["list_survivorship"])
    names = SurvivorshipRule.__struct_fields__
    return [SurvivorshipRule(**dict(zip(names, row, strict=True))) for row in rows]

"""Every claim of every source about every trait, and the end of those that were made for a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from amity.infra import queries
from amity.kernel.clock import format_instant
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_claims import TRAIT_ASSERTED, TRAIT_EXPIRED
from amity.store.follower import FOLLOWERS, Follower
from amity.store.logic.folding.consumer import read_kinds
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.intake.parsing import read_instant
from amity.store.logic.profiles.claims import Assertion, list_assertions
from amity.store.logic.profiles.survivorship_rules import settle_next

_SQL: Final = queries.load("amity.store")
_DUE_AT_ONCE: Final = 500
_Key = tuple[int, str, int, str, str]


class _Told(msgspec.Struct, frozen=True, gc=False):
    """A claim as one event has it, or several that say the same."""

    latest: Assertion
    claimed_at: datetime
    confirmed_at: datetime
    recorded_at: datetime
    event_id: int

    def join(self, other: "_Told") -> "_Told":
        """Return both as one claim: known since the earlier, with what the later said of it."""
        newer = max(self, other, key=lambda told: (told.confirmed_at, told.event_id))
        return msgspec.structs.replace(
            newer,
            claimed_at=min(self.claimed_at, other.claimed_at),
            recorded_at=min(self.recorded_at, other.recorded_at),
        )


@FOLLOWERS.register("claims")
class Claims(Follower):
    """Keeps `store_claim`, and says in the log when the time of a claim is over."""

    name = "claims"
    tables = ("store_claim",)
    samples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "type": "track",
            "event": TRAIT_ASSERTED,
            "properties": {
                "traits": {"household": 3, "city": "Kiel"},
                "how": "inferred",
                "confidence": 0.7,
                "lawful_basis": "legitimate_interest",
                "expires_at": "2026-01-01T00:00:00Z",
                "provenance": "a directory",
            },
        },
        {"type": "identify", "traits": {"city": None}},
    )

    def apply(self, activities: Sequence[Activity]) -> None:
        """Write the claims these activities make; then end those whose time they say is over."""
        told: dict[_Key, _Told] = {}
        ended: dict[int, datetime] = {}
        kinds = read_kinds(self.connection)
        for each in activities:
            if each.source_id == SYSTEM_SOURCE_ID and each.name == TRAIT_EXPIRED:
                until = read_instant(str(each.properties.get("until")))
                if until is not None:
                    ended[each.origin_id] = max(until, ended.get(each.origin_id, until))
                continue
            kind = kinds[each.source_id]
            for said in list_assertions(each.type, each.name, each.properties, kind):
                key, one = _make_told(each, said)
                told[key] = told[key].join(one) if key in told else one
        if told:
            self._write(told)
        if ended:
            self.connection.execute(_SQL["end_claims"], [list(ended), list(ended.values())])

    def _write(self, told: dict[_Key, _Told]) -> None:
        rows = [
            (
                *key,
                *(one.claimed_at, one.confirmed_at, one.recorded_at, one.event_id),
                *(one.latest.confidence, one.latest.lawful_basis, one.latest.expires_at),
                one.latest.provenance,
            )
            for key, one in sorted(told.items())
        ]
        self.connection.execute(_SQL["upsert_claims"], list(map(list, zip(*rows, strict=True))))

    def ring(self) -> int:
        """Record what the clock and changed rules bring about.

        `Trait Expired` for claims whose time is over; they end when that is read here.

        Until then they are found again, and the record with the same message id is left out.
        """
        due = self.connection.execute(_SQL["due_claims"], [self.now, _DUE_AT_ONCE]).fetchall()
        if due:
            events = [
                SystemEvent(
                    profile_id=origin_id,
                    name=TRAIT_EXPIRED,
                    properties={"traits": traits, "until": format_instant(until)},
                    message_id=f"expired-{origin_id}-{event_id}-{until.timestamp():.6f}",
                )
                for origin_id, until, traits, event_id in due
            ]
            record_events(connection=self.connection, events=events, now=self.now)
        # What was recorded comes back as an activity, and is counted then.
        return settle_next(self.connection, self.now)


def _make_told(each: Activity, said: Assertion) -> tuple[_Key, _Told]:
    value = msgspec.json.encode(said.value, order="deterministic").decode()
    key = (each.origin_id, said.trait, each.source_id, said.how, value)
    at = each.occurred_at
    return key, _Told(said, at, at, each.received_at, each.event_id)

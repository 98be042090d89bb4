"""What a sender knows of each message before it makes it: loaded for a whole batch at once."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from amity.broadcast.logic.sending.gate import Candidate
from amity.broadcast.logic.sending.ledger import Claimed
from amity.broadcast.logic.templates import keeping, making_data
from amity.broadcast.logic.templates.making import Content, Recipient
from amity.infra import queries
from amity.infra.config import Settings, settings
from amity.infra.database import Connection
from amity.kernel.errors import Invalid, Unavailable
from amity.personalization import api as personalization
from amity.personalization.contracts import Decision
from amity.store import api as store

_SQL: Final = queries.load("amity.broadcast")
_log = logging.getLogger("amity.sender")
_ASKING: Final = frozenset({"confirm", "request"})
"""Variables of messages that go to the very address they are about."""


class Letter(msgspec.Struct, kw_only=True, eq=False):
    """One claimed message with whom it goes to; filled in on its way through the sender."""

    claimed: Claimed
    root: int
    """The profile that lives on; 0 when there is none."""
    address: str
    address_key: str
    is_tracked: bool
    customer: dict[str, Any]
    run_name: str
    content: Content | None
    problem: str = ""
    """A reason for the gate."""
    failure: str = ""
    """Why it cannot be made, in words."""
    decision: Decision | None = None
    has_passed: bool = False
    """Whether the gate let it pass: from then on only a reply says what became of it."""
    subject: str = ""
    body_hash: bytes | None = None

    @property
    def key(self) -> tuple[UUID, int]:
        """Return what tells this claim of the message from every other."""
        return self.claimed.send_id, self.claimed.token

    def candidate(self) -> Candidate:
        """Return what the gate asks about."""
        claimed = self.claimed
        return Candidate(claimed.send_id, claimed.token, self.root, self.address_key, self.problem)

    def recipient(self, now: datetime) -> Recipient:
        """Return what the maker asks about."""
        claimed = self.claimed
        kind = {"campaign": "c", "journey": "j"}.get(claimed.run_kind, "")
        return Recipient(
            send_id=claimed.send_id,
            profile_id=self.root,
            address=self.address,
            address_key=self.address_key,
            purpose=claimed.purpose,
            is_tracked=self.is_tracked,
            stream=f"{kind}{claimed.run_id}" if kind else claimed.run_kind,
            data={
                "customer": self.customer,
                "event": claimed.variables.get("event", {}),
                "campaign": {"name": self.run_name},
            },
            decision=self.decision,
            request_id=claimed.variables.get("confirm", 0),
            data_request=claimed.variables.get("request", 0),
            now=now,
        )


def load(connection: Connection, batch: Sequence[Claimed]) -> list[Letter]:
    """Return the letters of a batch, in its order; a handful of statements whatever its size."""
    asked = sorted({claimed.profile_id for claimed in batch})
    people: dict[int, tuple[int, str, bool]] = {
        row[0]: (row[1], row[2], row[3])
        for row in connection.execute(_SQL["sending_people"], [asked])
    }
    roots = sorted({person[0] for person in people.values()})
    customers = making_data.load_customers(connection, roots)
    contents = keeping.load_contents(connection, sorted({each.content_id for each in batch}))
    names = _load_names(connection, batch)
    asking = _load_asking(connection, batch, people)
    letters = []
    for claimed in batch:
        root, email, agrees = people.get(claimed.profile_id, (0, "", False))
        address: str = claimed.test_address or asking.get(claimed.send_id, email)
        letters.append(
            Letter(
                claimed=claimed,
                root=root,
                address=address,
                address_key=_key(address),
                is_tracked=agrees and not claimed.test_address,
                customer=customers.get(root) or making_data.SAMPLE["customer"],
                run_name=names.get((claimed.run_kind, claimed.run_id), ""),
                content=contents.get(claimed.content_id),
                problem=_find_problem(claimed),
            )
        )
    _respect_objections(connection, letters)
    return letters


def _load_asking(
    connection: Connection, batch: Sequence[Claimed], people: dict[int, tuple[int, str, bool]]
) -> dict[UUID, str]:
    """Return where the messages go that ask whether an address is hers: there and nowhere else.

    It need not be the address she is written to otherwise. "" when it is not hers any more.
    """
    asking = [each for each in batch if each.variables.keys() & _ASKING]
    if not asking:
        return {}
    roots = [people.get(each.profile_id, (0, "", False))[0] for each in asking]
    asked = [[each.send_id for each in asking], roots]
    return {
        send_id: next((address for address in hers if _key(address) == point), "")
        for send_id, point, hers in connection.execute(_SQL["sending_points"], asked)
    }


def _key(address: str) -> str:
    try:
        return store.contact_key(channel="email", address=address) if address else ""
    except Invalid:
        return ""


def _find_problem(claimed: Claimed) -> str:
    needs_address = claimed.message_class == "marketing" and not claimed.test_address
    return "no_postal_address" if needs_address and not _has_postal_address() else ""


def _respect_objections(connection: Connection, letters: list[Letter]) -> None:
    keys = sorted({letter.address_key for letter in letters if letter.is_tracked})
    if keys:
        objecting = {row[0] for row in connection.execute(_SQL["sending_objectors"], [keys])}
        for letter in letters:
            letter.is_tracked = letter.is_tracked and letter.address_key not in objecting


def _load_names(connection: Connection, batch: Sequence[Claimed]) -> dict[tuple[str, int], str]:
    runs = {(claimed.run_kind, claimed.run_id) for claimed in batch}
    wanted = {
        "campaigns": sorted(number for kind, number in runs if kind == "campaign"),
        "journeys": sorted(number for kind, number in runs if kind == "journey"),
    }
    return {(row[0], row[1]): row[2] for row in connection.execute(_SQL["sending_runs"], wanted)}


def decide(letters: Sequence[Letter], now: datetime) -> None:
    """Decide what the letters show that ask for it; logged, and for each placement at once."""
    wanted: dict[str, list[Letter]] = {}
    for letter in letters:
        placement = letter.claimed.variables.get("placement")
        if placement:
            wanted.setdefault(str(placement), []).append(letter)
    for placement, those in wanted.items():
        try:
            made = personalization.decide_many(
                placement=placement,
                profile_ids=sorted({letter.claimed.profile_id for letter in those}),
                channel="email",
                now=now,
            )
        except (Unavailable, psycopg.Error):
            raise
        except Exception as error:
            # What one placement does wrong must not keep other campaigns' messages waiting.
            _log.exception("nothing could be decided for the placement %s", placement)
            for letter in those:
                letter.failure = str(error) or type(error).__name__
            continue
        for letter in those:
            letter.decision = made.get(letter.claimed.profile_id)


def _has_postal_address() -> bool:
    """Say whether the sender's address is set; the made-up one serves the local mailbox only."""
    using = settings()
    is_made_up = using.postal_address == Settings().postal_address
    return bool(using.postal_address.strip()) and not (is_made_up and using.smtp_url is not None)

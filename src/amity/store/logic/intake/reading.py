"""From a request to rows for the log, and to what is put aside. Pure.

The events of a batch are looked at together, which is much cheaper; whatever is odd about one of
them is left to the long way, which says what is wrong.
"""

from datetime import datetime

import msgspec

from amity.store.logic.intake.cards import cut_event, find_long_numbers
from amity.store.logic.intake.checking_together import check_together
from amity.store.logic.intake.decoding import CheckedEvent, check_event
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import Rejected, Row, make_row, read_row, reject
from amity.store.logic.intake.wire import BATCH, Request, add_anonymous_id
from amity.store.logic.plans.checking import PlanBook


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """What came beside the events of one request.

    ``kind`` is `BATCH` or the type the address stands for; ``anonymous_id`` is given to events
    that name nobody.
    """

    kind: str
    sent_at: datetime | None = None
    anonymous_id: str = ""
    is_private: bool = False
    """Whether the browser asked by Global Privacy Control not to be sold or shared."""


class _Reader(msgspec.Struct, frozen=True, gc=False):
    """Reads the events of one request, one by one, with what holds for all of them."""

    source_id: int
    kind: str
    sent_at: datetime | None
    anonymous_id: str
    most_bytes: int
    plans: PlanBook

    def read(self, index: int, raw: bytes) -> Row | Rejected:
        """Look at an event alone."""
        raw = cut_event(raw)
        try:
            if len(raw) > self.most_bytes:
                raise BadEvent("too_large", f"an event may have {self.most_bytes} bytes")
            try:
                return self.make(index, raw, check_event(raw, kind=self.kind))
            except BadEvent as fault:
                if fault.reason != "missing_identity" or not self.anonymous_id:
                    raise
            named = add_anonymous_id(raw, self.anonymous_id)
            row = read_row(index, self.source_id, named, kind=self.kind, sent_at=self.sent_at)
            return self.plans.keep(row)
        except BadEvent as fault:
            return self.reject(index, raw, fault)

    def make(self, index: int, raw: bytes, checked: CheckedEvent) -> Row:
        """Make a checked event what its plan wants stored; raise BadEvent for quarantine."""
        plan = self.plans.find(self.source_id, checked.type, checked.event)
        if plan is not None:
            raw = plan.apply(raw)
        return make_row(index, self.source_id, raw, checked, self.sent_at)

    def reject(self, index: int, raw: bytes, fault: BadEvent) -> Rejected:
        """Put an event aside."""
        return reject(index, self.source_id, raw, fault, kind=self.kind, sent_at=self.sent_at)


def read_request(
    source_id: int, request: Request, incoming: Incoming, *, most_bytes: int, plans: PlanBook
) -> tuple[list[Row], list[Rejected]]:
    """Check a request's events; return those for the log and those for quarantine."""
    reader = _Reader(
        source_id,
        "" if incoming.kind == BATCH else incoming.kind,
        request.sent_at or incoming.sent_at,
        incoming.anonymous_id,
        most_bytes,
        plans,
    )
    rows: list[Row] = []
    rejected: list[Rejected] = []
    sent_at, has_plans = reader.sent_at, bool(plans)
    looked = _look(request, reader)
    for index, (raw, checked) in enumerate(zip(request.events, looked, strict=True)):
        if checked is not None and not has_plans and len(raw) <= most_bytes:
            rows.append(make_row(index, source_id, raw, checked, sent_at))
            continue
        row = _row_of(reader, index, raw, checked)
        if type(row) is Row:
            rows.append(row)
        else:
            rejected.append(row)  # type: ignore[arg-type]  # the other of the two
    return rows, rejected


def _row_of(
    reader: _Reader, index: int, raw: bytes, checked: CheckedEvent | None
) -> Row | Rejected:
    if checked is None or len(raw) > reader.most_bytes:
        return reader.read(index, raw)
    try:
        return reader.make(index, raw, checked)
    except BadEvent as fault:
        return reader.reject(index, raw, fault)


def _look(request: Request, reader: _Reader) -> list[CheckedEvent | None]:
    """Check what can be checked together; None stands for an event to be looked at alone."""
    events = request.events
    if not request.is_json:
        return [None] * len(events)
    checked = check_together(events, reader.kind)
    odd = find_long_numbers(events)
    # One sign is looked for much quicker than two.
    if any(odd) or b"\\" in b"".join(events):
        for index, raw in enumerate(events):
            if odd[index] or b"\\u" in raw:
                checked[index] = None
    return checked

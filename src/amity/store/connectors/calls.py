"""The call centre: files of call records, and a signed webhook for calls as they happen."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from amity.kernel.clock import format_instant
from amity.store.connector import CONNECTORS, BadRow, Connector, Field, Row
from amity.store.dialect import DIALECTS, BadEvent, Call, Dialect, Taken
from amity.store.logic.importing.values import plain_number, read_amount, read_extras, read_instant
from amity.store.logic.intake.parsing import read_instant as parse_instant
from amity.store.logic.intake.webhook_reading import (
    at_text,
    find_dict,
    find_text,
    finish,
    is_recent,
    read_object,
)
from amity.store.logic.telling.calls import (
    CALL_ENDED,
    CALL_STARTED,
    CallRecord,
    describe,
    read_direction,
    whose,
)

_TOLERANCE_SECONDS: Final = 300
_TYPES: Final = {"call.started": CALL_STARTED, "call.ended": CALL_ENDED}
_TEXTS: Final = ("agent", "queue", "outcome", "recording_url")
_NUMBERS: Final = ("duration_seconds", "wait_seconds")


@CONNECTORS.register("calls")
class CallRecords(Connector):
    """Call detail records: one row a call that is over."""

    name: ClassVar[str] = "calls"
    title: ClassVar[str] = "Calls"
    description: ClassVar[str] = (
        "One row a call. The customer is found by the number: the caller's of a call that came in, "
        "the called one's of a call that went out; who is not known yet becomes a new customer."
    )
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("caller", "callee", "user_id"),)
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            name="started_at",
            label="Started at",
            aliases=("start", "start time", "call date", "calldate", "call start", "date"),
            required=True,
        ),
        Field(name="ended_at", label="Ended at", aliases=("end", "end time", "call end")),
        Field(
            name="duration_seconds",
            label="Duration in seconds",
            aliases=("duration", "billsec", "talk time", "seconds"),
            help="Also as 1:05 or 0:01:05.",
        ),
        Field(
            name="wait_seconds",
            label="Wait in seconds",
            aliases=("wait", "wait time", "ring time", "waited"),
        ),
        Field(name="caller", label="Caller", aliases=("src", "from", "caller id", "ani", "clid")),
        Field(name="callee", label="Called", aliases=("dst", "to", "dialed number", "dnis")),
        Field(
            name="user_id",
            label="Customer id",
            aliases=("userid", "customer", "customer no", "customer number"),
            help="Your own id of the customer, where the record has it.",
        ),
        Field(name="call_id", label="Call id", aliases=("uniqueid", "id", "call reference")),
        Field(name="agent", label="Agent", aliases=("operator", "answered by", "employee")),
        Field(name="queue", label="Queue", aliases=("department", "skill", "line")),
        Field(
            name="outcome", label="Outcome", aliases=("disposition", "result", "status", "wrap up")
        ),
        Field(
            name="direction",
            label="Direction",
            aliases=("type", "call type", "in out"),
            help="inbound or outbound. Without it, the calls came in.",
        ),
        Field(
            name="recording_url",
            label="Recording",
            aliases=("recording link", "recordingfile", "recording"),
            help="A link; the recording itself stays where it is.",
        ),
    )
    sample: ClassVar[str] = (
        "Call id,Start,Duration,Caller,Called,Agent,Queue,Outcome,Direction,Recording,Trunk\n"
        "c-1,2026-01-03T10:15:00Z,65,+32 470 12 34 56,+32 9 123 45 67,Mia,care,resolved,inbound,"
        "https://calls.example/r/1,north\n"
        "c-2,2026-01-03T11:00:00Z,0:00:12,+32 9 123 45 67,0032 470 65 43 21,Tom,sales,"
        "no answer,outbound,,north\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        started_at = read_instant(row, "started_at")
        if started_at is None:
            raise BadRow(row.number, "it does not say when the call started")
        if read_direction(row.find("direction")) is None:
            raise BadRow(row.number, f"{row.find('direction')!r} is neither inbound nor outbound")
        ended_at, seconds = read_instant(row, "ended_at"), _read_seconds(row)
        if seconds is None and ended_at:
            seconds = _between(row, started_at, ended_at)
        told = {name: row.find(name) for name in _TEXTS}
        waited = read_amount(row, "wait_seconds")
        call = CallRecord(
            call_id=row.find("call_id"),
            direction=row.find("direction"),
            caller=row.find("caller"),
            callee=row.find("callee"),
            user_id=row.find("user_id"),
            details=read_extras(row, "property")
            | told
            | {
                "started_at": started_at,
                "duration_seconds": plain_number(seconds) if seconds is not None else None,
                "wait_seconds": plain_number(waited) if waited is not None else None,
            },
        )
        who = whose(call)
        if who is None:
            raise BadRow(row.number, "it names nobody: the number was withheld or is none")
        event = {"type": "track", "event": CALL_ENDED, "properties": describe(call)}
        return [event | who | {"timestamp": ended_at or _later(started_at, seconds)}]


def _read_seconds(row: Row) -> float | None:
    text = row.find("duration_seconds")
    parts = text.split(":")
    if len(parts) in (2, 3) and all(part.isascii() and part.isdecimal() for part in parts):
        seconds = 0
        for part in parts:
            seconds = seconds * 60 + int(part[:6])
        return float(seconds)
    seconds_said = read_amount(row, "duration_seconds")
    if seconds_said is not None and not 0 <= seconds_said <= 864_000:
        raise BadRow(row.number, f"{text!r} is not how long a call lasts")
    return seconds_said


def _between(row: Row, started_at: str, ended_at: str) -> float:
    begin, end = parse_instant(started_at), parse_instant(ended_at)
    if begin is None or end is None or end < begin:
        raise BadRow(row.number, "the call ended before it started")
    return (end - begin).total_seconds()


def _later(started_at: str, seconds: float | None) -> str:
    begin = parse_instant(started_at)
    assert begin is not None
    return format_instant(datetime.fromtimestamp(begin.timestamp() + (seconds or 0), begin.tzinfo))


@DIALECTS.register("calls")
class CallHook(Dialect):
    """Calls as they happen, in a form of our own, signed as Standard Webhooks are.

    `{"type": "call.started" | "call.ended", "timestamp": …, "data": {"call_id": …, "caller": …}}`
    """

    name: ClassVar[str] = "calls"
    title: ClassVar[str] = "Calls"
    description: ClassVar[str] = "Calls started and ended, from a switchboard or a call centre."
    is_signed: ClassVar[bool] = True
    subscribe_to: ClassVar[str] = "call.started, call.ended"
    signed_with: ClassVar[str] = "one you make here and give to your switchboard"

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Check `webhook-signature`, which is good for five minutes."""
        headers = call.headers
        stamp, key = headers.get("webhook-timestamp", ""), _key(secret)
        if not key or not is_recent(stamp, now, seconds=_TOLERANCE_SECONDS):
            return False
        its_id = headers.get("webhook-id", "").encode(errors="replace")
        made = hmac.digest(key, b"%b.%b.%b" % (its_id, stamp.encode(), call.body), hashlib.sha256)
        wanted = b"v1," + base64.b64encode(made)
        given = headers.get("webhook-signature", "").encode(errors="replace").split()
        return any(hmac.compare_digest(wanted, each) for each in given[:10])

    def read(self, call: Call) -> Taken:
        """Return the call; one with a withheld number is nobody's, and says nothing."""
        said = read_object(call.body)
        name, data = _TYPES.get(find_text(said, "type")), find_dict(said, "data")
        if name is None:
            raise BadEvent("unknown_type", "a type is call.started or call.ended")
        if read_direction(find_text(data, "direction")) is None:
            raise BadEvent("bad_direction", "a direction is inbound or outbound")
        texts = {field: find_text(data, field) for field in (*_TEXTS, "started_at", "ended_at")}
        record = CallRecord(
            call_id=find_text(data, "call_id"),
            direction=find_text(data, "direction"),
            caller=find_text(data, "caller"),
            callee=find_text(data, "callee"),
            user_id=find_text(data, "user_id"),
            details=texts | {field: _number(data.get(field)) for field in _NUMBERS},
        )
        if not record.call_id:
            raise BadEvent("missing_call_id", "a call has a call_id")
        who = whose(record)
        if who is None:
            return Taken(events=[])
        moment = data.get("ended_at" if name == CALL_ENDED else "started_at")
        at = at_text(moment) or at_text(said.get("timestamp"))
        event = {"type": "track", "event": name, "properties": describe(record), "timestamp": at}
        return Taken(events=finish("calls", [who | event]))


def _number(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


def _key(secret: bytes) -> bytes:
    """Return the key a secret of Standard Webhooks stands for; any other is one as it is."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return base64.b64decode(secret[6:], validate=True)
    except binascii.Error:
        return secret

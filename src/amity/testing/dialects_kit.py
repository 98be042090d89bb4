"""What every dialect must hold to; run it over your own with recordings of its real clients.

A recording is a JSON file: a list of objects, each with the ``request`` as it came (``method``,
``path``, ``query``, ``headers``, ``body`` or, when it is no text, ``body64``) and the ``events``
it must become. They lie in a folder of the dialect's name.

@pytest.mark.parametrize("kind", list(dialects()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", dialects_kit.CHECKS, ids=lambda check: check.__name__)
def test_dialect_conforms(kind, check):
    check(kind, read_recordings(FIXTURES / kind.name))
"""

import base64
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from amity.edge.routes import Table
from amity.store.dialect import BadEvent, Call, Dialect
from amity.store.logic.intake.calls import pack_call, read_call
from amity.store.logic.intake.decoding import check_event, decode_event
from amity.store.logic.intake.wire import split_request

_SECRET: Final = b"a secret of the kit"
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
_GARBAGE: Final = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[[",
    b"\xff\xfe",
    b"data=",
    b'{"batch":null,"data":0}',
    b'{"batch":[null,1,"x",[],{"e":1}],"data":[null,[],{"e":"ue"}]}',
    b'{"event":[],"properties":[],"data":{}}',
    b"[" * 5_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b'{"id":1e999,"n":123456789012345678901234567890}',
)


class Recording(msgspec.Struct, frozen=True):
    """One request of a real client, and what it must become."""

    request: dict[str, Any]
    events: list[dict[str, Any]]

    def call(self, dialect: Dialect) -> Call:
        """Return the request as the edge would hand it over."""
        request = self.request
        body = request.get("body", "").encode() or base64.b64decode(request.get("body64", ""))
        match = Table([dialect]).find(request["path"])
        parts = match.methods[request["method"]][1] if match is not None else {}
        return Call(
            method=request["method"],
            path=request["path"],
            query=request.get("query", {}),
            headers=request.get("headers", {}),
            body=body,
            parts=parts,
        )


def read_recordings(folder: Path) -> list[Recording]:
    """Return all recordings in a folder, by name of file."""
    found: list[Recording] = []
    for path in sorted(folder.glob("*.json")):
        found += msgspec.json.decode(path.read_bytes(), type=list[Recording])
    return found


def events_of(dialect: Dialect, call: Call) -> list[bytes]:
    """Return what a request says, also when its body is in the house's own form already."""
    kind = dialect.native.get(call.path, "")
    if kind:
        return split_request(call.body, kind).events
    return dialect.read(call).events


def is_described(kind: type[Dialect], _recordings: Sequence[Recording]) -> None:
    """It says what it is for, and its addresses can be told apart."""
    assert kind.name
    assert kind.title
    assert kind.description
    assert kind.routes or kind.native or kind.has_hook
    if kind.is_signed:
        assert all(route.startswith("POST ") for route in kind.routes)
        assert not kind.native, "what needs no dialect is not checked for a signature"
    Table([kind()])


def recordings_become_events(kind: type[Dialect], recordings: Sequence[Recording]) -> None:
    """Every request of a real client becomes exactly the events that were agreed on."""
    assert recordings, f"there are no recordings of {kind.name}"
    dialect = kind()
    for recording in recordings:
        events = events_of(dialect, recording.call(dialect))
        assert [msgspec.json.decode(event) for event in events] == recording.events


def events_are_accepted(kind: type[Dialect], recordings: Sequence[Recording]) -> None:
    """The log's strict decoder takes all of them, and each names somebody."""
    dialect = kind()
    for recording in recordings:
        native = dialect.native.get(recording.request["path"])
        single = "" if native in {None, "batch"} else str(native)
        for raw in events_of(dialect, recording.call(dialect)):
            decoded = decode_event(check_event(raw, kind=single).type, raw)
            assert decoded.user_id or decoded.anonymous_id


def same_request_adds_nothing(kind: type[Dialect], recordings: Sequence[Recording]) -> None:
    """A second reading gives the very same bytes, and no two events share a message id.

    What brings neither an id nor a time may go without a message id.
    """
    dialect = kind()
    for recording in recordings:
        call = recording.call(dialect)
        first, second = events_of(dialect, call), events_of(dialect, call)
        assert first == second
        events = [msgspec.json.decode(event) for event in first]
        ids = [event["messageId"] for event in events if "messageId" in event]
        assert len({*ids}) == len(ids)
        assert all("messageId" in e or "timestamp" not in e for e in events), "a time is an id"


def garbage_is_refused_or_kept(kind: type[Dialect], recordings: Sequence[Recording]) -> None:
    """Whatever comes, it raises nothing but BadEvent, and gives nothing but bytes."""
    dialect, rng = kind(), random.Random(7)  # noqa: S311  # for spoiling
    for recording in recordings:
        call = recording.call(dialect)
        spoiled = [_spoil(call.body, rng) for _ in range(30)] if call.body else []
        query = {name: _spoil(value.encode(), rng) for name, value in call.query.items()}
        odd = {name: value.decode(errors="replace") for name, value in query.items()}
        bare = msgspec.structs.replace(call, query=odd, headers={})
        for other in (
            bare,
            *(msgspec.structs.replace(call, body=b) for b in (*_GARBAGE, *spoiled)),
        ):
            _survives(dialect, other)


def _survives(dialect: Dialect, call: Call) -> None:
    try:
        events = events_of(dialect, call)
    except BadEvent:
        events = []
    assert all(isinstance(event, bytes) for event in events)
    assert isinstance(dialect.find_key(call), str)
    if dialect.is_signed:
        assert not dialect.verify(call, _SECRET, _NOW)


def kept_requests_are_read_again(kind: type[Dialect], recordings: Sequence[Recording]) -> None:
    """A request that was put aside whole gives the same events when it is read later."""
    dialect = kind()
    for recording in recordings:
        call = recording.call(dialect)
        if call.path not in dialect.native:
            assert read_call(pack_call(dialect, call)) == dialect.read(call).events


def says_how_to_set_it_up(kind: type[Dialect], _: Sequence[Recording]) -> None:
    """The catalogue shows what to paste: address and key; of webhooks what to subscribe to."""
    if kind.is_signed:
        assert kind.has_hook
        assert kind.subscribe_to, "what is chosen at the sender"
        assert kind.signed_with, "which secret, and where it is found"
        return
    assert kind.snippets, "what is pasted into a client"
    for snippet in kind.snippets:
        filled = snippet.fill(url="https://there.example", key="THE-KEY").code
        assert "there.example" in filled
        assert "THE-KEY" in filled
        assert not {"{url}", "{host}", "{key}"} & set(filled.split())


CHECKS: Final[tuple[Callable[[type[Dialect], Sequence[Recording]], None], ...]] = (
    is_described,
    says_how_to_set_it_up,
    recordings_become_events,
    events_are_accepted,
    same_request_adds_nothing,
    garbage_is_refused_or_kept,
    kept_requests_are_read_again,
)


def _spoil(body: bytes, rng: random.Random) -> bytes:
    """Return a text with a piece of it gone, doubled, or made something else."""
    start = rng.randrange(len(body) + 1)
    end = min(len(body), start + rng.randrange(1, 20))
    piece = rng.choice([b"", body[start:end] * 2, b"null", b"[]", b'"', b"{}", b"-1", b"\xc3"])
    return body[:start] + piece + body[end:]

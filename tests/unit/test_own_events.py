"""Amity's own events made ready together: the same as each by itself."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.logic.intake import own_events
from amity.store.logic.intake.own_events import SystemEvent, read_own
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import read_row

AT = "2026-03-04T05:06:07.000008Z"

names = st.sampled_from(["Segment Entered", "Segment Left", 'Said "so"', "Größe"])
message_ids = st.one_of(
    st.sampled_from(
        [
            *("segment-1-2-in-5f", "segment-1-22-out-5f", 'quoted "one"', "back\\slash"),
            *("ünï", "tab\t", "card 4111 1111 1111 1111", "4111111111111111", "x" * 255),
        ]
    ),
    st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text),
)
properties = st.dictionaries(
    st.sampled_from(["segment_id", "cause", "profileId", "messageId", "ä"]),
    st.one_of(
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.sampled_from(["event", '"profileId":1', '"messageId":"m"', "4111 1111 1111 1111"]),
        st.lists(st.integers(0, 9), max_size=2),
    ),
    max_size=3,
)
profile_ids = st.one_of(st.integers(1, 30), st.integers(1, 10**12))


def _alone(index, event):
    said = {
        "type": "track",
        "event": event.name,
        "profileId": event.profile_id,
        "properties": event.properties,
        "timestamp": AT
        if event.occurred_at is None
        else event.occurred_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "messageId": event.message_id,
    }
    return read_row(index, SYSTEM_SOURCE_ID, msgspec.json.encode(said))


@given(
    st.lists(st.tuples(names, properties), min_size=1, max_size=3),
    st.lists(
        st.tuples(st.integers(0, 2), profile_ids, message_ids, st.booleans()),
        min_size=1,
        max_size=12,
    ),
)
def test_each_row_is_what_it_would_be_alone(kinds, said):
    then = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    events = []
    for kind, profile_id, message_id, is_past in said:
        name, shared = kinds[kind % len(kinds)]
        events.append(
            SystemEvent(
                profile_id=profile_id,
                name=name,
                properties=shared,
                message_id=message_id,
                occurred_at=then if is_past else None,
            )
        )
    assert read_own(events, AT) == [_alone(*each) for each in enumerate(events)]


def test_a_second_of_a_kind_is_checked_like_the_first():
    shared = {"cause": "event"}
    events = [
        SystemEvent(profile_id=1, name="Segment Left", properties=shared, message_id=each)
        for each in ("short", "x" * 256)
    ]
    with pytest.raises(BadEvent):
        read_own(events, AT)


def test_what_is_alike_is_read_once(monkeypatch):
    read = []

    def count(index, source_id, raw):
        read.append(index)
        return read_row(index, source_id, raw)

    monkeypatch.setattr(own_events, "read_row", count)
    shared = {"segment_id": 7, "segment_name": "Dear", "cause": "event"}
    events = [
        SystemEvent(
            profile_id=each, name="Segment Left", properties=shared, message_id=f"s-{each}-out-a"
        )
        for each in range(1, 50)
    ]
    rows = read_own(events, AT)
    assert read == [0]
    assert rows == [_alone(*each) for each in enumerate(events)]

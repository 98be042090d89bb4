"""The decoder: what it refuses and why, and what becomes of odd but understandable values."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amity.store.logic.intake.decoding import check_event, decode_event
from amity.store.logic.intake.parsing import BadEvent

_spec = importlib.util.spec_from_file_location(
    "collect_poison", Path(__file__).parents[1] / "fixtures" / "collect_poison.py"
)
assert _spec is not None
assert _spec.loader is not None
poison = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(poison)


@pytest.mark.parametrize("name", poison.POISON)
def test_poison_is_refused_with_its_reason(name: str) -> None:
    raw, reason = poison.POISON[name]
    with pytest.raises(BadEvent) as caught:
        check_event(raw)
    assert caught.value.reason == reason
    with pytest.raises(BadEvent) as caught:
        decode_event("", raw)
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", poison.ODD)
def test_odd_events_are_understood(name: str) -> None:
    raw = poison.ODD[name]
    assert check_event(raw).type == decode_event("", raw).type


def test_values_become_what_the_database_can_hold() -> None:
    event = decode_event(
        "",
        b'{"type":"track","event":"a\\u0000","userId":"\\ud800","properties":{"big":'
        b'9223372036854775808,"small":-9223372036854775808,"huge":1e30,"whole":1e17,"half":0.5,'
        b'"zero":-0.0,"text":"a\\\\u0000b","\\u0000":1}}',
    )
    assert event.properties == {
        "big": "9223372036854775808",
        "small": -(2**63),
        "huge": "1000000000000000019884624838656",
        "whole": 10**17,
        "half": 0.5,
        "zero": 0.0,
        "text": "a\\u0000b",
        "\ufffd": 1,
    }
    assert isinstance(event.properties["whole"], int)
    assert str(event.properties["zero"]) == "0.0"
    assert (event.name, event.user_id) == ("a\ufffd", "\ufffd")
    assert event.is_sanitized
    assert event.context == {"_sanitized": True}


def test_traits_come_from_both_places_and_the_events_own_win() -> None:
    raw = (
        b'{"type":"%b","userId":"u","groupId":"g","traits":{"a":1},'
        b'"context":{"traits":{"a":2,"b":3}}}'
    )
    assert decode_event("", raw % b"identify").traits == {"a": 1, "b": 3}
    assert decode_event("", raw % b"group").traits == {"a": 1}


def test_a_pages_name_and_category_are_properties() -> None:
    event = decode_event("page", b'{"userId":7,"name":"Home","category":"Shop"}')
    assert event.properties == {"name": "Home", "category": "Shop"}
    assert (event.name, event.user_id) == ("Home", "7")


def test_times_are_read_as_clients_write_them() -> None:
    def at(text: str) -> datetime | None:
        raw = b'{"type":"page","userId":"u","originalTimestamp":"%b","timestamp":"2020-01-01"}'
        return decode_event("", raw % text.encode()).timestamp

    moment = datetime(2026, 11, 21, 20, 48, 41, 260_123, UTC)
    assert at("2026-11-21T20:48:41.260123Z") == moment
    assert at("2026-11-21T22:48:41.260123+02:00") == moment
    assert at("2026-11-21T22:48:41.260123+0200") == moment
    assert at("2026-11-21T20:48:41.260123456Z") == moment
    assert at("2026-11-21T20:48:41.260Z") == moment.replace(microsecond=260_000)
    assert at("") == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_logs_columns_stand_in_for_what_the_event_lacks() -> None:
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    event = decode_event("page", b'{"userId":"u"}', message_id="given", sent_at=sent)
    assert (event.type, event.message_id, event.sent_at) == ("page", "given", sent)


def test_only_amitys_own_events_name_a_profile() -> None:
    raw = b'{"type":"track","event":"Segment Entered","profileId":7}'
    assert decode_event("", raw, is_system=True).profile_id == 7
    with pytest.raises(BadEvent):
        decode_event("", raw)
    assert decode_event("", raw[:-1] + b',"userId":"u"}').profile_id is None


def test_the_same_content_has_one_canonical_form() -> None:
    first = check_event(b'{"type":"page","userId":"\xc3\xa9","sentAt":"2026-01-01T00:00:00Z"}')
    second = check_event(b'{ "userId":"\\u00e9", "type":"page" , "writeKey":"k"}')
    other = check_event(b'{"type":"page","userId":"e"}')
    assert first.canonical == second.canonical != other.canonical

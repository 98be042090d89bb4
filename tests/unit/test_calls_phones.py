"""Numbers as switchboards write them, and calls of whom they are."""

import pytest

from amity.store.connector import BadRow, Row
from amity.store.connectors.calls import CallRecords
from amity.store.logic.telling.phones import clean_phone


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("+32 470 12 34 56", "+32470123456"),
        ("0032470123456", "+32470123456"),
        ("tel:+32-470-12-34-56;ext=12", "+32470123456"),
        ("sip:+32470123456@pbx.example", "+32470123456"),
        ("+32 (0)470 12 34 56", "+32470123456"),
        ("0470/12.34.56 x12", "0470123456"),
        ("anonymous", ""),
        ("sip:anonymous123456@pbx.example", ""),
        ("Unknown", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_a_number_is_read_in_any_form(written: str, clean: str) -> None:
    assert clean_phone(written) == clean


def call(**cells: str) -> dict[str, object]:
    row = {"started_at": "2026-01-03T10:00:00Z", "caller": "+32470123456"} | cells
    [event] = CallRecords(currency="EUR").make_events([Row(1, row)])
    return event


def test_the_customer_is_on_the_other_end() -> None:
    came_in = call(callee="+3291234567", ended_at="2026-01-03T10:01:05Z")
    assert came_in["context"] == {"traits": {"phone": "+32470123456"}}
    assert came_in["timestamp"] == "2026-01-03T10:01:05Z"
    assert came_in["properties"]["duration_seconds"] == 65  # type: ignore[index]
    went_out = call(direction="Outbound", callee="0032470654321", duration_seconds="1:05")
    assert went_out["context"] == {"traits": {"phone": "+32470654321"}}
    assert went_out["timestamp"] == "2026-01-03T10:01:05Z"
    assert call(user_id="u-1", caller="withheld")["userId"] == "u-1"


@pytest.mark.parametrize(
    "cells",
    [
        {"caller": "anonymous"},
        {"direction": "sideways"},
        {"duration_seconds": "-5"},
        {"ended_at": "2026-01-03T09:00:00Z"},
        {"started_at": ""},
    ],
)
def test_a_record_that_makes_no_sense_is_refused(cells: dict[str, str]) -> None:
    with pytest.raises(BadRow):
        call(**cells)

"""What every connector of files must hold to; run it over your own with one parametrized test.

@pytest.mark.parametrize("kind", list(connectors()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", connectors_kit.CHECKS, ids=lambda check: check.__name__)
def test_connector_conforms(kind, check):
    check(kind)
"""

import csv
import io
from collections.abc import Callable
from typing import Any, Final

import msgspec

from amity.kernel.cells import guard_cell, unguard_cell
from amity.store.connector import BadRow, Connector, Row
from amity.store.logic.importing.mapping import check_mapping, guess_mapping
from amity.store.logic.intake.decoding import check_event, decode_event


def is_described(kind: type[Connector]) -> None:
    """It says what it is for, and no two of its fields share a name."""
    assert kind.name
    assert kind.title
    assert kind.description
    names = [field.name for field in kind.fields]
    assert len(set(names)) == len(names)
    assert not any("." in name for name in names), "a dot marks a free column"
    known = set(names)
    assert all(set(group) <= known for group in kind.one_of)
    assert kind.group_by is None or kind.group_by in known


def sample_is_understood(kind: type[Connector]) -> None:
    """The headings of its own sample are guessed without problems, each field at most once."""
    columns, _ = _read_sample(kind)
    mapping = guess_mapping(kind, columns)
    assert check_mapping(kind, columns, mapping) == []
    assert any(field.startswith(kind.extras + ".") for field in mapping.values())


def events_are_accepted(kind: type[Connector]) -> None:
    """Every row of the sample becomes events that the log's strict decoder takes."""
    for message in _messages(kind):
        raw = msgspec.json.encode(message)
        decoded = decode_event(check_event(raw).type, raw)
        assert decoded.message_id
        assert decoded.user_id or decoded.anonymous_id


def same_rows_same_messages(kind: type[Connector]) -> None:
    """A second reading gives the very same bytes, and different rows different ids."""
    first, second = _messages(kind), _messages(kind)
    assert [msgspec.json.encode(message) for message in first] == [
        msgspec.json.encode(message) for message in second
    ]
    assert len({message["messageId"] for message in first}) == len(first)


def empty_rows_are_refused(kind: type[Connector]) -> None:
    """A row with nothing in it is refused with its number and a reason, not by a crash."""
    refused = _refusal(kind, [Row(7, {})])
    assert refused is not None, "a row with nothing in it became an event"
    assert refused.number == 7
    assert refused.reason


def odd_cells_are_survived(kind: type[Connector]) -> None:
    """Whatever a single cell holds, the row becomes an event the log takes, or is refused."""
    _, groups = _read_sample(kind)
    row = groups[0][0]
    for field in row.cells:
        for text in ("=1+1", "\u202e", "1e999", "-", "NaN", "\ufffd", "x" * 40_000):
            refused = _refusal(kind, [Row(1, row.cells | {field: text})])
            assert refused is None or refused.number == 1


def guard_is_lossless(kind: type[Connector]) -> None:
    """Its sample with every cell guarded is the sample."""
    for row in csv.reader(io.StringIO(kind.sample), delimiter=_delimiter(kind)):
        assert [unguard_cell(guard_cell(cell)) for cell in row] == row


CHECKS: Final[tuple[Callable[[type[Connector]], None], ...]] = (
    is_described,
    sample_is_understood,
    events_are_accepted,
    same_rows_same_messages,
    empty_rows_are_refused,
    odd_cells_are_survived,
    guard_is_lossless,
)


def _refusal(kind: type[Connector], rows: list[Row]) -> BadRow | None:
    try:
        msgspec.json.encode(kind(currency="USD").make_messages(rows))
    except BadRow as error:
        return error
    return None


def _delimiter(kind: type[Connector]) -> str:
    heading = kind.sample.splitlines()[0]
    return max(",;\t|", key=heading.count)


def _read_sample(kind: type[Connector]) -> tuple[list[str], list[list[Row]]]:
    lines = list(csv.reader(io.StringIO(kind.sample), delimiter=_delimiter(kind)))
    columns = lines[0]
    mapping = guess_mapping(kind, columns)
    groups: dict[Any, list[Row]] = {}
    for number, line in enumerate(lines[1:], start=1):
        cells = {mapping[name]: cell for name, cell in zip(columns, line, strict=True) if cell}
        key = cells.get(kind.group_by) if kind.group_by else number
        groups.setdefault(key, []).append(Row(number, cells))
    return columns, list(groups.values())


def _messages(kind: type[Connector]) -> list[dict[str, Any]]:
    connector = kind(currency="USD")
    groups = _read_sample(kind)[1]
    return [message for rows in groups for message in connector.make_messages(rows)]

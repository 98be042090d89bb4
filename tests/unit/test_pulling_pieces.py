"""Where a pull stands, how far it goes back, and what is encrypted: without any database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from amity.infra import config
from amity.infra.crypto import decrypt, encrypt
from amity.infra.keeping import keep_once
from amity.kernel.errors import Invalid, NeedsAttention
from amity.store.logic.pulling.address import read_address
from amity.store.logic.pulling.position import Position, go_back, make_position, read_position

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_positions_are_kept_to_the_last_digit():
    values = [
        AT,
        AT.replace(tzinfo=None),
        date(2026, 1, 2),
        2**70,
        0.1 + 0.2,
        Decimal("1.2300"),
        "é'",
        b"\xff\x00",
        UUID(int=7),
    ]
    kept = msgspec.json.encode(make_position(values, is_open=True))
    read = msgspec.json.decode(kept, type=Position)
    assert read.is_open
    assert read_position(read) == values
    with pytest.raises(Invalid, match="neither cursor nor key"):
        make_position([["a", "list"]], is_open=False)


@pytest.mark.parametrize(
    ("cursor", "overlap", "earlier"),
    [
        (AT, 60, AT.replace(minute=3)),
        (AT, 0, AT),
        (date(2026, 1, 2), 1, date(2026, 1, 1)),
        (100, 30, 70),
        (Decimal("1.5"), 1, Decimal("0.5")),
        ("2026-01-02 03:04:05.123", 60, "2026-01-02 03:03:05"),
        ("2026-01-02T03:04:05Z", 5, "2026-01-02T03:04:00"),
        ("2026-01-02", 1, "2026-01-01"),
        ("abc", 60, "abc"),
        (datetime.min, 60, datetime.min),
    ],
)
def test_a_run_goes_back_by_the_overlap(cursor, overlap, earlier):
    assert go_back(cursor, overlap) == earlier


def test_addresses_are_taken_apart_and_shown_without_the_password():
    place = read_address("mariadb://me:p%40ss%2F@db.example/my%20shop?sslmode=require")
    assert (place.engine, place.port, place.database) == ("mysql", 3306, "my shop")
    assert (place.password, place.tls) == ("p@ss/", "require")
    assert place.describe() == "mysql://me@db.example:3306/my%20shop"
    assert read_address("postgres://[::1]:6/d").describe() == "postgresql://[::1]:6/d"


def test_what_is_encrypted_opens_here_and_for_its_use_alone(tmp_path):
    with config.override(data=tmp_path / "one"):
        sealed = encrypt("p@ss", about="pull")
        assert b"p@ss" not in sealed
        assert encrypt("p@ss", about="pull") != sealed
        assert decrypt(sealed, about="pull") == "p@ss"
        for broken, use in ((sealed, "hook"), (sealed[:-1], "pull"), (b"", "pull")):
            with pytest.raises(NeedsAttention, match="enter it anew"):
                decrypt(broken, about=use)
    with config.override(data=tmp_path / "two"), pytest.raises(NeedsAttention):
        decrypt(sealed, about="pull")


def test_a_file_made_at_the_same_time_by_many_is_one_and_its_owners_alone(tmp_path):
    path = tmp_path / "new" / "key"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: keep_once(path, lambda: b"%d" % number), range(40)))
    assert set(found) == {path.read_bytes()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key"]

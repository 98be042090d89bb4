"""The tracker as it is served, and the ids of those who come without cookies."""

import gzip
import multiprocessing
import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from amity.edge import tracker
from amity.edge.passing import DayKeys

SOURCE = files("amity.edge").joinpath("tracker", "amity.js").read_text("utf-8")
DAY = date(2026, 11, 22)
VISIT = ("192.0.2.7", "Firefox", "key")


def test_it_is_under_three_kilobytes() -> None:
    script = tracker.script()
    assert len(script.packed) < 3_000
    assert gzip.decompress(script.packed) == script.body
    assert re.fullmatch("/amity-[0-9a-f]{12}[.]js", script.path)
    assert tracker.is_tracker(script.path)
    assert not tracker.is_tracker("/amity-.js")


def test_only_comments_and_indentation_are_left_out() -> None:
    served = tracker.strip(SOURCE).splitlines()
    written = [line.strip() for line in SOURCE.splitlines()]
    rest = iter(written)
    assert all(line in rest for line in served), "each line as it was written, in its order"
    left_out = [line for line in written if line and line not in set(served)]
    assert all(line.startswith(("/*", "*", "//")) for line in left_out), left_out
    assert not any(line.startswith(("*", "//", "/*")) for line in served)


def test_the_source_is_such_that_this_is_safe() -> None:
    assert "`" not in SOURCE
    assert "\\\n" not in SOURCE
    assert not re.search(r"\S.*/\*", SOURCE), "a comment behind code would be sent"
    assert not re.search(r"(?m)^\s*\*(?!/|\s|$)", SOURCE)


@pytest.mark.parametrize(
    ("source", "served"),
    [
        ("  a();\n\n    // b\n  c(); // d\n", "a();\nc(); // d\n"),
        ("/* one\n * two\n */\na();\n", "a();\n"),
        ("  /* one */\n  b('/* no */');\n", "b('/* no */');\n"),
    ],
)
def test_stripping(source: str, served: str) -> None:
    assert tracker.strip(source) == served


def test_a_visitor_has_one_name_for_a_day(tmp_path: Path) -> None:
    one, two = DayKeys(tmp_path), DayKeys(tmp_path)
    name = one.name_visitor(*VISIT, today=DAY)
    assert name == two.name_visitor(*VISIT, today=DAY) == one.name_visitor(*VISIT, today=DAY)
    others = [
        ("192.0.2.8", "Firefox", "key"),
        ("192.0.2.7", "Chrome", "key"),
        ("192.0.2.7", "Firefox", "other"),
        ("192.0.2.7Firefox", "", "key"),
    ]
    names = {one.name_visitor(*other, today=DAY) for other in others}
    assert len(names | {name}) == 5
    tomorrow = date(2026, 11, 23)
    assert two.name_visitor(*VISIT, today=tomorrow) != name


def test_yesterdays_key_is_destroyed(tmp_path: Path) -> None:
    keys = DayKeys(tmp_path)
    keys.name_visitor(*VISIT, today=DAY)
    (first,) = tmp_path.iterdir()
    secret = first.read_bytes()
    assert first.stat().st_mode & 0o077 == 0
    keys.name_visitor(*VISIT, today=date(2026, 11, 23))
    (second,) = tmp_path.iterdir()
    assert second.read_bytes() != secret


def _name(folder: Path) -> str:
    return DayKeys(folder).name_visitor(*VISIT, today=DAY)


def test_processes_that_begin_together_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(_name, [tmp_path] * 40))) == 1
    assert len(list(tmp_path.iterdir())) == 1

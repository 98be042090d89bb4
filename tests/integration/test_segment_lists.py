"""Lists of segments: pages under insertion, filters, orders; the screen and its export."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.analysis import api_segment_lists
from amity.analysis.contracts import Segment
from amity.analysis.contracts_segments import SegmentOrder, SegmentSearch
from amity.infra.database import transaction
from amity.kernel.errors import Invalid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = {
    "node": "all",
    "of": [{"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "Elbonia"}}],
}


def make(name: str, *, rule: dict | None = None, at: datetime = NOW, **more: str) -> Segment:
    return analysis.create_segment(name=name, rule=rule or RULE, now=at, **({"by": "Ann"} | more))


def walk(order: str = "name", *, limit: int = 3, between=lambda page: None) -> list[str]:
    """Read all pages of an order, doing something after each."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = api_segment_lists.list_segment_page(
            search=SegmentSearch(order=order), cursor=cursor, limit=limit
        )
        assert len(page.items) <= limit
        names += [each.name for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return names
        between(page)


def names_of(**wanted: str) -> list[str]:
    page = api_segment_lists.list_segment_page(search=SegmentSearch(**wanted))
    return [each.name for each in page.items]


def resize(sizes: dict[str, int]) -> None:
    with transaction() as connection:
        for name, members in sizes.items():
            connection.execute(
                "UPDATE analysis_segment SET members = %s WHERE name = %s", [members, name]
            )


@pytest.mark.parametrize("order", get_args(SegmentOrder))
def test_pages_under_insertion_hold_each_that_was_there_once(db: str, order: str) -> None:
    before = [f"Segment {chr(97 + n)}" for n in range(11)]
    for n, name in enumerate(before):
        make(name, at=NOW + timedelta(hours=n % 4))
    resize({name: n % 5 for n, name in enumerate(before)})
    made: list[str] = []

    def insert(page) -> None:
        # One that sorts before everything read, one beside the last row, one behind all.
        for prefix in ("AAA", page.items[-1].name, "Zzz"):
            made.append(make(f"{prefix} new {len(made)}", at=NOW + timedelta(days=1)).name)
        archived = page.items[0]
        analysis.archive_segment(segment_id=archived.segment_id, by="Ann", now=NOW)

    seen = walk(order, between=lambda page: insert(page) if len(made) < 9 else None)
    assert sorted(name for name in seen if name in before) == before
    assert len(set(seen)) == len(seen)
    assert made


def test_each_order_says_what_it_promises(db: str) -> None:
    for n, name in enumerate(("beta", "Alpha", "delta", "Charlie")):
        make(name, at=NOW + timedelta(minutes=n))
    resize({"beta": 5, "Alpha": 5, "delta": 1, "Charlie": 9})
    beta = analysis.find_segment(name="beta")
    analysis.update_segment(
        segment_id=beta.segment_id, description="x", by="Ann", now=NOW + timedelta(days=1)
    )
    for limit in (1, 2, 50):
        assert walk("name", limit=limit) == ["Alpha", "beta", "Charlie", "delta"]
        assert walk("members", limit=limit) == ["Charlie", "beta", "Alpha", "delta"]
        assert walk("made", limit=limit) == ["Charlie", "delta", "Alpha", "beta"]
        assert walk("changed", limit=limit) == ["beta", "Charlie", "delta", "Alpha"]


def test_a_search_looks_at_names_notes_and_what_the_rule_asks_for(db: str) -> None:
    make("Plain")
    make("Noted", description="For the Spring sale")
    make("Spring buyers")
    did = {"node": "did", "event": "Tea “Bought”", "at_least": 1, "within_days": 7}
    make("Tea", rule=did)
    assert names_of(text="spring") == ["Noted", "Spring buyers"]
    assert names_of(text="ELBONIA") == ["Noted", "Plain", "Spring buyers"]
    assert names_of(text="“bought”") == ["Tea"]
    # Words of the rule language are in every rule, so they find nothing.
    for word in ("node", "check", "at_least", "%", "_x_"):
        assert names_of(text=word) == []
    assert names_of(text='"') == names_of(text="\\") == []
    numbers = api_segment_lists.count_segments(text="spring")
    assert (numbers.followed, numbers.archived) == (2, 0)


def test_states_makers_and_words_of_other_segments(db: str) -> None:
    inner = make("Inner", by="Bea")
    make("Outer", rule={"node": "in_segment", "segment_id": inner.segment_id})
    gone = make("Gone")
    analysis.archive_segment(segment_id=gone.segment_id, by="Ann", now=NOW)
    assert names_of() == ["Inner", "Outer"]
    assert names_of(state="archived") == ["Gone"]
    assert names_of(state="any") == ["Gone", "Inner", "Outer"]
    assert names_of(state="live") == []
    assert names_of(made_by="bea") == ["Inner"]
    assert api_segment_lists.list_segment_makers() == [("Ann", 1), ("Bea", 1)]
    assert api_segment_lists.list_segment_names() == {
        each.segment_id: each.name for each in analysis.list_segments()
    }
    page = api_segment_lists.list_segment_page(search=SegmentSearch(state="any"))
    # A page says of each exactly what reading it alone says.
    assert page.items == [analysis.get_segment(segment_id=each.segment_id) for each in page.items]
    assert "Inner" in page.items[2].words


def test_a_cursor_goes_on_only_in_its_own_list(db: str) -> None:
    for n in range(3):
        make(f"S{n}")
    cursor = api_segment_lists.list_segment_page(limit=1).next_cursor
    for search, given in (
        (SegmentSearch(order="made"), cursor),
        (SegmentSearch(), "nonsense"),
        (SegmentSearch(), "WzFd"),
    ):
        with pytest.raises(Invalid) as refused:
            api_segment_lists.list_segment_page(search=search, cursor=given)
        assert refused.value.reason == "bad_cursor"
    with pytest.raises(Invalid):
        api_segment_lists.list_segment_page(limit=0)


# The screen


@pytest.fixture
def analyst(db: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("analyst-person", role="analyst"))
    return client


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def shown(page) -> list[str]:
    return re.findall(r'class="whole"[^>]*>([^<]+)<', page.content.decode())


def test_the_screen_pages_searches_and_says_what_is_not_there(analyst: Client) -> None:
    assert "No segment yet" in text_of(analyst.get("/segments/", {"q": "x"}))
    expected = [f"S {n:03}" for n in range(60)]
    for name in expected:
        make(name)
    first = analyst.get("/segments/")
    assert shown(first) == expected[:50]
    assert "<small>60</small>" in text_of(first)
    more = re.search(r'href="([^"]*after=[^"]*)"', first.content.decode())[1].replace("&amp;", "&")
    assert shown(analyst.get(more)) == expected[50:]
    added = analyst.get(more, headers={"HX-Request": "true", "HX-Target": "rows-more"})
    assert shown(added) == expected[50:]
    # Only rows, and going on by keyboard begins at the first of them.
    assert "<h1" not in text_of(added)
    assert text_of(added).count("autofocus") == 1
    assert shown(analyst.get("/segments/", {"q": "s 01", "order": "made"})) == expected[10:20][::-1]
    nothing = analyst.get("/segments/", {"q": "nowhere"})
    assert "No segment matches" in text_of(nothing)
    assert "No segment yet" not in text_of(nothing)
    # What the address cannot ask for is passed over; a cursor that is none is an answer.
    assert shown(analyst.get("/segments/", {"order": "x", "show": "x"})) == expected[:50]
    assert analyst.get("/segments/", {"after": "x"}).status_code == 422


def test_the_list_is_exported_as_it_is_filtered(analyst: Client) -> None:
    make("=Dangerous", description="d")
    make("Other", rule={"node": "did", "event": "Ordered", "at_least": 1, "within_days": 7})
    answer = analyst.get("/segments/", {"as": "csv", "q": "elbonia"})
    assert answer["Content-Disposition"].startswith('attachment; filename="segments-')
    text = b"".join(answer.streaming_content).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert row["name"] == "'=Dangerous"
    assert (row["state"], row["customers"], row["made_by"]) == ("building", "0", "Ann")
    assert "Elbonia" in row["rule"]


def test_a_segment_that_shrinks_is_a_number_below_zero_in_the_file(analyst: Client) -> None:
    segment_id = make("Shrinking").segment_id
    with transaction() as connection:
        connection.execute(
            "INSERT INTO analysis_segment_count (segment_id, day, members, method)"
            " VALUES (%(id)s, '2026-03-01', 5, 'counted'), (%(id)s, '2026-03-08', 0, 'counted')",
            {"id": segment_id},
        )
    text = b"".join(analyst.get("/segments/", {"as": "csv"}).streaming_content).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["customers"], row["change_7_days"]) == ("0", "-5")

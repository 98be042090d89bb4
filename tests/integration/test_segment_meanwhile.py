"""Two people change one segment in the builder: the later is told, sees both, loses nothing."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.analysis.contracts import Segment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rule(country: str) -> dict:
    test = {"op": "eq", "value": country}
    return {"node": "all", "of": [{"node": "check", "field": "trait.country", "is": test}]}


@pytest.fixture
def marketer(db: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("mara", role="marketer"))
    return client


@pytest.fixture
def segment(db: str) -> Segment:
    return analysis.create_segment(name="French", rule=rule("FR"), by="Ann", now=NOW)


def seen_in(page) -> str:
    return html.unescape(re.search(r'name="seen_at" value="([^"]*)"', page.content.decode())[1])


def text_of(page) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.content.decode())))


def typed(seen_at: str, country: str = "DE") -> dict[str, str]:
    return {
        "name": "Germans",
        "description": "for the fair",
        "seen_at": seen_at,
        "r.node": "group",
        "r.mode": "all",
        "r.of.0.node": "check",
        "r.of.0.field": "trait",
        "r.of.0.name": "country",
        "r.of.0.op": "eq",
        "r.of.0.v.value": country,
        "r.of.0.v.as": "text",
    }


def bea_saves(segment: Segment, country: str = "ES", hours: int = 1) -> Segment:
    return analysis.update_segment(
        segment_id=segment.segment_id,
        name="Spaniards",
        rule=rule(country),
        by="Bea",
        now=NOW + timedelta(hours=hours),
    )


def test_the_later_is_told_sees_both_and_saves_anyway(marketer: Client, segment: Segment) -> None:
    address = f"/segments/{segment.segment_id}/edit/"
    mine = typed(seen_in(marketer.get(address)))
    theirs = bea_saves(segment)
    told = marketer.post(address, mine)
    assert told.status_code == 409
    held = analysis.get_segment(segment_id=segment.segment_id)
    assert held == theirs
    words = text_of(told)
    assert "Somebody saved this segment while you were changing it" in words
    for said in ("Bea", "Spaniards", "country is “ES”", "Germans", "country is “DE”"):
        assert said in words, said
    # What was typed is still in the form.
    page = told.content.decode()
    assert 'name="name" value="Germans"' in page
    assert 'value="for the fair"' in page
    assert re.search(r'name="r.of.0.v.value"[^>]*value="DE"', page)
    assert "Save mine anyway" in page
    assert "Take theirs" in page

    # Told once, saving again is meant; but not over what a third one saves meanwhile.
    again = typed(seen_in(told))
    bea_saves(segment, "PT", hours=2)
    assert marketer.post(address, again).status_code == 409
    assert analysis.get_segment(segment_id=segment.segment_id).rule == rule("PT")
    third = marketer.post(address, again)
    assert "“PT”" in text_of(third)
    saved = marketer.post(address, again | {"seen_at": seen_in(third)})
    assert saved.status_code == 302
    held = analysis.get_segment(segment_id=segment.segment_id)
    assert (held.name, held.rule) == ("Germans", rule("DE"))
    assert "Spaniards" in text_of(marketer.get(f"/segments/{segment.segment_id}/versions/"))


def test_theirs_can_be_taken_and_gone_on_from(marketer: Client, segment: Segment) -> None:
    address = f"/segments/{segment.segment_id}/edit/"
    mine = typed(seen_in(marketer.get(address)))
    bea_saves(segment)
    told = marketer.post(address, mine)
    assert f'href="{address}"' in told.content.decode()
    fresh = marketer.get(address)
    assert 'name="name" value="Spaniards"' in fresh.content.decode()
    assert marketer.post(address, typed(seen_in(fresh))).status_code == 302


def test_it_is_said_while_changing_and_drawing_again_forgets_nothing(
    marketer: Client, segment: Segment
) -> None:
    address = f"/segments/{segment.segment_id}/edit/"
    mine = typed(seen_in(marketer.get(address))) | {"segment": str(segment.segment_id)}
    told = "Somebody saved this segment while you are changing it"
    assert told not in text_of(marketer.post("/segments/preview/", mine))
    bea_saves(segment)
    assert told in text_of(marketer.post("/segments/preview/", mine))
    # Without scripts a button draws the whole page: still as of when it was read.
    drawn = marketer.post("/segments/tree/", mine | {"do": "add:r:check"})
    assert seen_in(drawn) == mine["seen_at"]
    assert marketer.post(address, mine | {"seen_at": "no time"}).status_code == 409
    assert analysis.get_segment(segment_id=segment.segment_id).name == "Spaniards"


def test_a_name_that_is_taken_is_said_at_the_name_alone(marketer: Client, segment: Segment) -> None:
    analysis.create_segment(name="Germans", rule=rule("IT"), by="Ann", now=NOW)
    address = f"/segments/{segment.segment_id}/edit/"
    page = marketer.post(address, typed(seen_in(marketer.get(address))))
    assert page.status_code == 422
    assert 'id="name-error"' in page.content.decode()
    analysis.archive_segment(segment_id=segment.segment_id, by="Bea", now=NOW)
    page = marketer.post(address, typed(""))
    assert "An archived segment cannot be changed" in text_of(page)
    assert 'id="name-error"' not in page.content.decode()

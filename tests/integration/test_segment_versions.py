"""Every name and rule a segment had is kept, said in words, and can be had again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import amity.analysis
from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def is_(value):
    return {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": value}}


def test_of_two_changes_at_once_the_later_one_is_told(db):
    read = analysis.create_segment(name="French", rule=is_("FR"), by="ann", now=NOW)
    later = NOW + timedelta(microseconds=1)
    change = {"segment_id": read.segment_id, "seen_at": read.updated_at, "by": "bob"}
    analysis.update_segment(**change, rule=is_("DE"), now=later)
    with pytest.raises(Conflict, match="after it was read") as refused:
        analysis.update_segment(**change, name="Others", now=later)
    assert refused.value.reason == "segment_changed"
    kept = analysis.get_segment(segment_id=read.segment_id)
    assert (kept.name, kept.rule["is"]["value"]) == ("French", "DE")


def test_each_change_is_a_version_with_who_when_and_what(db):
    made = analysis.create_segment(name="French", rule=is_("FR"), by="ann", now=NOW)
    key = made.segment_id
    later = [NOW + timedelta(days=n) for n in range(1, 5)]
    analysis.update_segment(segment_id=key, rule=is_("DE"), by="bob", now=later[0])
    analysis.update_segment(segment_id=key, name="German", by="cid", now=later[1])
    analysis.update_segment(segment_id=key, name="German", rule=is_("DE"), by="dan", now=later[2])
    found = api_segment_tools.list_segment_versions(segment_id=key)
    assert [(v.number, v.rule_version, v.how, v.changed_by, v.changed_at) for v in found] == [
        (3, 2, "changed", "cid", later[1]),
        (2, 2, "changed", "bob", later[0]),
        (1, 1, "made", "ann", NOW),
    ]
    [renamed] = found[0].changes
    assert (renamed.inside, renamed.before, renamed.after) == ("the name", "French", "German")
    [ruled] = found[1].changes
    assert (ruled.before, ruled.after) == ("country is “FR”", "country is “DE”")

    back = api_segment_tools.restore_segment_version(
        segment_id=key, number=1, by="eve", now=later[3]
    )
    assert (back.name, back.rule, back.version, back.state) == ("French", is_("FR"), 3, "building")
    latest = api_segment_tools.list_segment_versions(segment_id=key)[0]
    assert (latest.number, latest.how, latest.restored_from) == (4, "restored", 1)
    assert latest.changed_by == "eve"


def test_going_back_is_refused_where_it_would_break_something(db):
    base = analysis.create_segment(name="Base", rule=is_("FR"), by="t", now=NOW)
    key = analysis.create_segment(
        name="User",
        rule={"node": "in_segment", "segment_id": base.segment_id},
        by="t",
        now=NOW,
    ).segment_id
    with pytest.raises(NotFound):
        api_segment_tools.restore_segment_version(segment_id=key, number=9, by="t", now=NOW)
    analysis.update_segment(segment_id=key, rule=is_("DE"), name="Other", by="t", now=NOW)
    third = analysis.create_segment(name="user", rule=is_("IT"), by="t", now=NOW)
    with pytest.raises(Conflict, match="already a segment"):
        api_segment_tools.restore_segment_version(segment_id=key, number=1, by="t", now=NOW)
    analysis.archive_segment(segment_id=third.segment_id, by="t", now=NOW)
    analysis.archive_segment(segment_id=base.segment_id, by="t", now=NOW)
    with pytest.raises(Invalid, match="is archived"):
        api_segment_tools.restore_segment_version(segment_id=key, number=1, by="t", now=NOW)
    assert analysis.get_segment(segment_id=key).name == "Other"


def test_segments_from_before_get_their_first_version(db):
    made = analysis.create_segment(name="French", rule=is_("FR"), by="ann", now=NOW)
    other = analysis.create_segment(name="Old", rule=is_("DE"), by="ann", now=NOW)
    later = NOW + timedelta(days=1)
    analysis.update_segment(segment_id=other.segment_id, name="Older", by="bob", now=later)
    folder = Path(amity.analysis.__file__).parent / "migrations"
    text = (folder / "0003_segment_tools.sql").read_text("utf-8")
    fill = text[text.index("INSERT INTO") : text.index("-- Answers")]
    with transaction("owner") as connection:
        connection.execute("DELETE FROM analysis_segment_version")
        connection.execute(fill)
    [first] = api_segment_tools.list_segment_versions(segment_id=made.segment_id)
    assert (first.number, first.how, first.changed_by, first.changed_at) == (1, "made", "ann", NOW)
    [first] = api_segment_tools.list_segment_versions(segment_id=other.segment_id)
    assert (first.name, first.how, first.changed_by) == ("Older", "recorded", "")

"""Who was in a segment on a day, and why: as it was followed, and as was known then."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from amity.analysis import api as analysis
from amity.cli.main import root
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid, NotFound
from amity.store import api as store

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=10)
LATELY = {"node": "did", "event": "Order Completed", "within_days": 2 / 24}
GOLD = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}}
RULE = {"node": "all", "of": [LATELY, GOLD]}


def _at(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def told(db):
    """Return what tells the store of an event at an hour, and follows."""
    source = store.create_source(name="Shop", kind="server").source_id

    def tell(hours, happened=None, **event):
        stamp = format_instant(_at(hours if happened is None else happened))
        body = {"userId": "ann", "timestamp": stamp, **event}
        store.append_events(source_id=source, events=[msgspec.json.encode(body)], now=_at(hours))
        settle(hours)

    def settle(hours):
        while store.fold_batch().events + analysis.follow_batch(now=_at(hours)).events:
            pass

    tell.settle = settle
    return tell


def test_who_was_in_it_and_why(told):
    made = analysis.create_segment(name="Lately", rule=RULE, by="test", now=_at(0))
    told.settle(0)
    told(1, type="identify", traits={"tier": "gold"})
    told(2, type="track", event="Order Completed")
    told.settle(5)
    told(6, type="identify", traits={"tier": "tin"})
    told(7, happened=6.5, type="track", event="Order Completed")
    analysis.update_segment(segment_id=made.segment_id, rule=GOLD, by="test", now=_at(8))
    told.settle(8)

    def who(hours):
        page = analysis.list_members_at(segment_id=made.segment_id, at=_at(hours))
        return [each.profile_id for each in page.items]

    ann = store.list_profiles().items[0].profile_id
    assert [who(h) for h in (1.5, 2, 3.9, 5, 9)] == [[], [ann], [ann], [], []]

    def why(hours):
        return analysis.explain_at(segment_id=made.segment_id, profile_id=ann, at=_at(hours))

    inside = why(3)
    assert (inside.entered_at, inside.left_at) == (_at(2), _at(5))
    assert inside.why.holds
    assert [part.holds for part in inside.why.parts] == [True, True]
    gone = why(5)
    assert gone.entered_at is None
    assert [part.holds for part in gone.why.parts] == [False, True], "gold still, as known then"
    # Told at 7 that it happened at 6.5: at 6.6 nobody knew.
    assert [part.holds for part in why(6.6).why.parts] == [False, False]
    assert [part.holds for part in why(7.1).why.parts] == [True, False]
    after = why(9)
    assert after.rule_version == 2
    assert after.why.parts == []
    with pytest.raises(NotFound):
        why(-1)
    with pytest.raises(Invalid, match="time zone"):
        analysis.list_members_at(segment_id=made.segment_id, at=datetime(2026, 5, 3))

    stamp = f"{_at(3):%Y-%m-%dT%H:%M:%S}"
    said = CliRunner().invoke(root, ["segment", "why", "Lately", str(ann), "--at", stamp])
    assert said.exit_code == 0, said.output
    assert "yes  " in said.output
    listed = CliRunner().invoke(root, ["segment", "members", "Lately", "--at", stamp, "--json"])
    assert [each["profile_id"] for each in json.loads(listed.output)["items"]] == [ann]

"""The ledger forgets what was settled long ago of runs that are over, and the mailbox old mail."""

from datetime import UTC, datetime, timedelta

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api_retention as keeping
from amity.testing.mailing import make_campaign, make_content, make_people, queue

NOW = datetime.now(UTC)


def forget(kind, now=NOW):
    """Run a rule as it is delivered; return how many rows went."""
    sweeps = keeping.index_sweeps(broadcast.list_sweeps())
    return keeping.run_retention(sweeps, key=kind, by="t", now=now).removed.rows


@pytest.fixture
def content(db):
    with transaction() as connection:
        make_people(connection, range(1, 6))
        return make_content(connection)


def plan(content, *, days, state="sent", **changes):
    """Put five messages into the ledger that were settled so many days ago."""
    with transaction() as connection:
        at = NOW - timedelta(days=days)
        queue(connection, range(1, 6), content, planned_at=at, **changes)
        connection.execute(
            "UPDATE broadcast_send SET state = %s, settled_at = CASE WHEN %s <> 'queued'"
            " THEN planned_at + interval '1 minute' END WHERE planned_at = %s",
            [state, state, at],
        )


def left():
    with transaction() as connection:
        return dict(
            connection.execute(
                "SELECT run_kind || run_id || step_key, count(*) FROM broadcast_send GROUP BY 1"
            ).fetchall()
        )


def test_settled_messages_go_once_they_are_old_and_their_run_is_over(content, monkeypatch):
    monkeypatch.setattr("amity.broadcast.logic.retention._AT_ONCE", 3)
    with transaction() as connection:
        for number, state in enumerate(("finished", "paused", "archived", "finished"), start=1):
            make_campaign(connection, number, state=state)
        connection.execute(
            "INSERT INTO broadcast_enrolment (id, journey_id, version, profile_id, origin_id,"
            " entry_position, entered_at, node, state, ended_at) SELECT n, 1, 1, n, n, n,"
            " now(), '', '{}', CASE WHEN n = 7 THEN now() END FROM unnest(ARRAY[7, 8]) AS n"
        )
    plan(content, days=751, run_id=1, state="suppressed")
    plan(content, days=752, run_id=2)
    plan(content, days=753, run_id=3)
    plan(content, days=749, run_id=4)
    plan(content, days=754, run_kind="journey", run_id=1, step_key="7:mail:1")
    plan(content, days=755, run_kind="journey", run_id=1, step_key="8:mail:1")
    plan(content, days=756, run_kind="service", run_id=0, step_key="old")
    plan(content, days=757, run_kind="service", run_id=0, step_key="waits", state="queued")
    assert forget("sends") == 20
    kept = {"campaign2": 5, "campaign4": 5, "journey18:mail:1": 5, "service0waits": 5}
    assert left() == kept
    for _ in range(2):
        assert forget("sends") == 0
    notes = {each: api_campaigns.get_campaign(campaign_id=each).note for each in (1, 2, 3, 4)}
    assert "deleted" in notes[1]
    assert notes[1] == notes[3]
    assert notes[2] == notes[4] == ""
    with config.override(marketing_cap_days=5000):
        assert forget("sends", NOW + timedelta(days=2000)) == 0
    assert forget("sends", NOW + timedelta(days=2)) == 5


def test_the_mailbox_keeps_what_is_young(db, monkeypatch):
    monkeypatch.setattr("amity.broadcast.logic.retention._MAILS_AT_ONCE", 2)
    with transaction() as connection:
        connection.execute(
            "INSERT INTO broadcast_mailbox (recipient, raw, received_at)"
            " SELECT n::text, '', %s - n * interval '1 day' FROM generate_series(35, 26, -1) AS n",
            [NOW],
        )
    assert forget("mailbox") == 5
    recipients = [one.recipient for one in broadcast.list_mailbox().items]
    assert recipients == ["26", "27", "28", "29", "30"]

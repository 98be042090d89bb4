"""Whoever said no, or nothing, is left out of all that leaves: states by paths (card T29).

Not asked of the gate, and why: messages that answer what the customer did herself (a receipt, a
reset), which still obey bounces, erasure and restriction; her own copy, receipt and preference
page; pages and reports that staff look at to run the company, which are the purpose `records`; the
warehouse, which lies inside the installation and holds the consents beside the rows; and tests,
which go to addresses of staff alone.
"""

from datetime import UTC, datetime, timedelta

import pytest
from tests.fixtures.consent_town import MAILS, WAYS, key, says, standing

from amity.broadcast.logic.sending import fence
from amity.infra.database import transaction
from amity.store import api as store
from amity.web.erasing import erase_customer

NOW = datetime.now(UTC)
STATES = (
    *("agreed", "opted_out", "never", "expired", "bounced", "complained", "erased", "paused"),
    *("private", "restricted", "merged", "pending", "unfolded"),
)
# Who may be used for what; `unfolded` said no to mail by a link a moment ago.
WANTED = {
    "marketing.email": {"agreed", "private"},
    "sharing": {"agreed", "bounced", "complained", "paused", "unfolded"},
    "profiling": set(STATES) - {"erased", "restricted", "opted_out", "merged"},
}


@pytest.fixture
def town(db):
    with standing(NOW) as made:
        yield made


def fill(town):
    """Have one customer of each state."""
    town.settle_in(STATES)
    over = (NOW - timedelta(days=1)).isoformat()
    early = (NOW - timedelta(days=9)).isoformat()
    yes = {"marketing.email": True, "sharing": True}
    for user in STATES:
        if user not in ("never", "pending"):
            more = {"expires_at": over} if user == "expired" else {}
            town.send({**says(user, yes, **more), "timestamp": early})
    no = dict.fromkeys((*yes, "profiling"), False)
    town.send(says("opted_out", no))
    town.send(says("private", {"sharing": False}, method="GPC"))
    # A form's key is public, so what it says she wants gives nothing before she confirms it.
    town.send(says("pending", yes), source_id=town.site_id)
    town.send({**says("x", no), "userId": None, "anonymousId": "device"})
    town.send({"type": "identify", "userId": "merged", "anonymousId": "device"})
    for user, reason in (("bounced", "hard_bounce"), ("complained", "complaint")):
        store.suppress(channel="email", address_key=key(user), reason=reason, now=NOW)
    town.pauses("paused", NOW + timedelta(days=30))
    town.restricts("restricted")
    erase_customer(profile_id=town.ids["erased"], by="t", now=NOW)
    town.settle()


def test_nothing_leaves_of_whoever_did_not_allow_it(town):
    fill(town)
    told = [user for user in STATES if user != "unfolded"]
    alive = [user for user in told if user != "erased"]
    for way, (purpose, channel, _) in WAYS.items():
        users = told if channel else alive
        wanted = WANTED[purpose] & set(users)
        assert town.goes(way, users) == town.allowed(users, way) == wanted, way
    # A no by a link holds at once, before it is folded.
    town.chooses("unfolded", {"marketing.email": False})
    for way in ("campaign", "journey", "customers' CSV", "API members", "customer's page"):
        assert town.goes(way, ["agreed", "unfolded"]) == {"agreed"}, way
    # A receipt needs no purpose: it goes to all who are there and whose address works.
    working = set(STATES) - {"erased", "bounced", "restricted"}
    assert town.mails(STATES, "service", what="transactional") == working
    records = town.downloads("/customers/export.csv", "records")
    assert records == set(STATES) - {"erased", "restricted"}
    assert town.desk.get("/customers/export.csv", {"purpose": "nonsense"}).status_code == 422
    for page in ("/customers/", f"/segments/{town.segment_id}/", "/exports/new/"):
        shown = town.desk.get(page).content.decode()
        assert "What for?" in shown
        assert '<option value="records" selected>' in shown or page == "/exports/new/"
    # Who is unknown altogether may be used for nothing.
    assert store.may_use(profile_ids=[2**40], purpose="records", now=NOW) == {2**40: "unknown"}


def test_a_queue_that_was_restored_sends_nothing(town):
    town.settle_in(["agreed"])
    town.send(says("agreed", {"marketing.email": True}))
    with transaction() as connection:
        held = fence.check(connection)
        connection.execute("UPDATE broadcast_fence SET epoch = epoch + 1")
    for run_kind in MAILS:
        assert town.mails(["agreed"], run_kind, held=held) == set()

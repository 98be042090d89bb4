"""`amity campaign`: from a draft to a report, for people and for programs."""

from datetime import timedelta
from functools import partial

import pytest
from tests.fixtures.campaign_house import House, now, run_to_rest, settle

from amity.broadcast import api_campaigns
from amity.kernel.clock import format_instant


@pytest.fixture
def amity(amity):
    """Run a command about campaigns."""
    return partial(amity, "campaign")


def test_a_campaign_from_draft_to_report(amity, document):
    house = House()
    house.join("ann", "bob", "cid")
    house.join("shy", consent=False)
    made = document(
        "create",
        "Spring",
        "--segment",
        "vip",
        "--template",
        "hello",
        "--holdout",
        "0",
        "--window-days",
        "3",
    )
    assert (made["state"], made["segment_name"], made["window_days"]) == ("draft", "VIP", 3)
    later = format_instant(now() + timedelta(hours=1))
    assert document("launch", "spring", "--at", later)["scheduled_at"] == later
    assert document("launch", "Spring")["state"] == "scheduled"
    run_to_rest()
    assert document("pause", "Spring")["state"] == "paused"
    assert document("resume", "Spring")["state"] == "sending"
    settle(document("show", "Spring")["campaign_id"])
    run_to_rest()
    report = document("report", "Spring")
    assert report["counts"] == {
        "targeted": 3,
        "sent": 3,
        "suppressed": 0,
        "failed": 0,
        "unknown": 0,
        "pending": 0,
        "cancelled": 0,
    }
    assert report["reasons"] == [
        {
            "state": "suppressed",
            "reason": "no_consent",
            "count": 1,
            "words": "The customer has not agreed to this purpose.",
        }
    ]
    assert set(report) >= {
        "held_out",
        "excluded",
        "clicked",
        "unsubscribed",
        "converted",
        "lift",
        "p_value",
        "is_significant",
        "is_final",
        "verdict",
        "definitions",
    }
    treatment, holdout = report["arms"]
    assert set(treatment["conversion_rate"]) == {"value", "low", "high"}
    # Nobody has bought yet: an interval of width zero would look like certainty.
    assert treatment["revenue_per_customer"] is None
    assert (treatment["customers"], holdout["customers"]) == (3, 0)
    code, out, _ = amity("report", "Spring")
    assert code == 0
    assert "No claim can be made: nobody was held out to compare with." in out
    assert "has not agreed to this purpose" in out
    code, out, _ = amity("list")
    assert (code, "finished" in out, "VIP" in out) == (0, True, True)


def test_what_is_refused_says_what_to_do(amity):
    House()
    options = ("--segment", "VIP", "--template", "Hello")
    for arguments, words in (
        (("create", "X", "--segment", "none", "--template", "Hello"), "amity segment list"),
        (("create", "X", "--segment", "VIP", "--template", "none"), "no template named 'none'"),
        (("show", "X"), "amity campaign list"),
    ):
        code, _, err = amity(*arguments)
        assert (code, words in err) == (1, True), err
    assert amity("create", "X", *options, "--holdout", "0.9")[0] == 2
    assert amity("create", "X", *options)[0] == 0
    for arguments, words in (
        (("launch", "X"), "nobody in the segment"),
        (("launch", "X", "--at", "tomorrow"), "is no time"),
        (("launch", "X", "--at", "2020-01-01"), "in the past"),
        (("stop", "X"), "is draft, so it cannot be stopped"),
    ):
        code, _, err = amity(*arguments)
        assert (code, words in err) == (1, True), err
    assert api_campaigns.find_campaign(name="X").state == "draft"

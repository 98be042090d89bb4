"""Assertions of an expert system over HTTP: server keys only, a trait with its provenance."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amity.store import api as store
from amity.testing.edge import LiveEdge, running_edge, send
from amity.testing.installation import wait_for

NOW = datetime.now(UTC)


def assertion(**changed: Any) -> dict[str, Any]:
    return {
        "identifiers": {"user_id": "u1"},
        "subject": "churn_risk",
        "conclusion": "high",
        "score": 0.83,
        "model": {"name": "churn", "version": "3.2"},
        "decided_at": (NOW - timedelta(hours=1)).isoformat(),
        "expires_at": (NOW + timedelta(days=30)).isoformat(),
    } | changed


def post(edge: LiveEdge, key: str, body: Any) -> tuple[int, dict[str, Any]]:
    raw = json.dumps(body).encode()
    return send(f"{edge.url}/v1/assertions", raw, key=key)[:2]


def test_a_conclusion_becomes_a_trait_with_its_provenance(db: str) -> None:
    server = store.create_source(name="expert", kind="server")
    browser = store.create_source(name="site", kind="browser")
    with running_edge() as edge:
        assert post(edge, browser.write_key, assertion())[0] == 403
        assert post(edge, "nobody", assertion())[0] == 401
        status, answer = post(edge, server.write_key, assertion())
        assert (status, answer["accepted"]) == (200, 1)
        assert post(edge, server.write_key, assertion())[1]["duplicate"] == 1
        wrong = [
            assertion(score=7),
            assertion(subject=""),
            assertion(conclusion=None),
            assertion(model={}),
            assertion(identifiers={}),
            assertion(expires_at="soon"),
        ]
        status, answer = post(edge, server.write_key, {"assertions": [*wrong, assertion(id="x")]})
        assert (status, answer["accepted"], answer["quarantined"]) == (200, 1, 6)
        wait_for(lambda: browser.source_id in store.count_by_source(), what="the count")
        assert store.count_by_source()[browser.source_id].refused == 1
    while store.fold_batch().events:
        pass
    while store.follow(now=NOW):
        pass
    profile = store.find_profile(kind="user_id", value="u1")
    assert profile is not None
    assert profile.traits["churn_risk"] == "high"
    [truth] = store.list_claims(profile_id=profile.profile_id, now=NOW)
    [claim] = truth.claims
    assert (claim.how, claim.confidence) == ("inferred", pytest.approx(0.83))
    assert claim.provenance == "model churn 3.2"
    assert claim.expires_at is not None

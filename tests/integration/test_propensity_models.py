"""A model somebody named: an event, a horizon, no code. From the warehouse to scores."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis import api, api_models
from amity.analysis.logic.learning import propensity
from amity.analysis.logic.learning.models import fit_adding
from amity.cli.main import main
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from amity.store import api as store
from amity.web.warehousing import list_exports

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAYS = 215
CUSTOMERS = 130


def happened(rng):
    """Half are keen: they look often, and who has looked lately signs up for a course."""
    for who in range(CUSTOMERS):
        keen = who % 2 == 0
        about = {"kind": "nps", "post": "mail"}
        yield event("Survey Asked", who, 90, properties=about)
        if who % 10 < (9 if keen else 4):
            said = about | {"answer": 9 if keen else 5}
            yield event("Survey Answered", who, 89, properties=said)
        yield event("identify", who, DAYS - 1, traits={"plan": "plus" if keen else "basic"})
        for day in range(DAYS - 2, 0, -12):
            if rng.random() < (0.7 if keen else 0.25):
                yield event("Product Viewed", who, day + rng.random())
            if rng.random() < (0.35 if keen else 0.05):
                yield event("Course Booked", who, day - rng.random())


def event(name, who, days_ago, **more):
    at = NOW - timedelta(days=float(days_ago))
    kind = {"type": "identify"} if name == "identify" else {"type": "track", "event": name}
    raw = {**kind, "userId": f"c{who}", "timestamp": at.isoformat(), **more}
    return msgspec.json.encode(raw)


@pytest.fixture
def shop(db):
    source_id = store.create_source(name="Shop", kind="server").source_id
    events = list(happened(np.random.default_rng(1)))
    for start in range(0, len(events), 1_000):
        store.append_events(source_id=source_id, events=events[start : start + 1_000], now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def create(**more):
    given = {"key": "course", "name": "Books a course", "event": "Course Booked"}
    return api_models.create_model(
        **{**given, "horizon_days": 30, "traits": ["plan"], "by": "ada", "now": NOW, **more}
    )


def test_an_event_becomes_scores_with_reasons_a_version_and_a_proof(shop, capsys):
    model = create()
    assert model.score == "propensity:course"
    first_time, run = sorted(
        api_models.refresh_models(now=NOW), key=lambda run: run.estimator, reverse=True
    )
    assert first_time.estimator == "propensity:lead"
    assert "nobody did 'Order Completed'" in first_time.report["refused"]
    assert run.customers > 100
    quality = run.report["quality"]
    assert quality["auc"]["low"] > 0.6
    assert quality["brier"] < quality["brier_of_base_rate"]
    assert run.report["cutoffs"][-1] == int((NOW - timedelta(days=30)).timestamp())
    assert run.report["definition"]["event"] == "Course Booked"
    assert set(run.report["rows"]) == {"learn", "choose", "judge"}
    scores = _scores()
    assert len(scores) == run.customers
    keen = np.mean([scores[who] for who in scores if who % 2 == 0])
    assert keen > np.mean([scores[who] for who in scores if who % 2 == 1]) + 0.2
    [score] = api.list_scores(profile_id=_profile(0))
    assert (score.name, score.computed_at) == ("propensity:course", NOW)
    assert score.low <= score.value <= score.high
    assert "(" in score.label
    state = api_models.get_model(key="course")
    assert state.run.model_run_id == run.model_run_id
    assert "plan" in run.report["weight"]
    best = {"op": "gte", "value": 90}
    rule = {"node": "score", "score": model.score, "by": "percentile", "is": best}
    assert 5 <= api.preview(rule=rule, now=NOW).members <= 25
    _command_lists(capsys)
    _screens_show(score.label)
    _what_cannot_be_carried_keeps_old_scores(len(scores))
    api_models.archive_model(key="course", now=NOW)
    assert _scores() == {}
    assert [state.model.key for state in api_models.list_models()] == ["lead"]
    assert _open_predictions("propensity:course") == 0


def test_what_was_said_is_compared_with_what_came_since(shop, monkeypatch):
    """The horizon is over when the model is learnt again: page and sums say what came."""
    # Sums only: they are what is kept, and quicker than trees.
    monkeypatch.setattr(
        propensity, "fit_trees", lambda columns, label, seed: fit_adding(columns, label, strength=9)
    )
    create()
    before = NOW - timedelta(days=31)
    [run] = api_models.refresh_models(now=before, key="course")
    assert "refused" not in run.report
    [waiting] = api.list_reliability(now=before)
    assert waiting.score == "propensity:course"
    assert "Not enough time" in waiting.sentence
    assert waiting.rounds[0].customers == run.customers
    api_models.refresh_models(now=NOW, key="course")
    [held] = api.list_reliability(now=NOW)
    first = held.rounds[-1]
    assert first.observed == _did_between(before, before + timedelta(days=30))
    assert first.observed == pytest.approx(first.expected, rel=0.4)
    assert held.groups[-1].observed > held.groups[0].observed
    assert _open_predictions("propensity:course") == held.rounds[0].customers
    _who_does_something_is_scored_anew()
    assert api.list_reliability(now=NOW) == [held]


def _who_does_something_is_scored_anew():
    """Out of the store, by the model of the night: the same for everybody, until they do more."""
    night = _kept_scores()
    with transaction() as connection:
        connection.execute("UPDATE store_consumer SET position = 0 WHERE name = 'scores'")
    assert api.follow_scores(now=NOW).events
    again = _kept_scores()
    assert again.keys() == night.keys()
    for who, (value, label, low, high) in night.items():
        assert again[who] == (pytest.approx(value), label, pytest.approx(low), pytest.approx(high))
    later = NOW + timedelta(hours=1)
    source_id = next(each.source_id for each in store.list_sources() if each.name == "Shop")
    looked = [event("Product Viewed", 3, -number / 100) for number in range(4)]
    store.append_events(source_id=source_id, events=looked, now=NOW)
    while store.fold_batch().events:
        pass
    assert api.follow_scores(now=later).events == 4
    after = _kept_scores()
    assert [who for who in after if after[who] != again[who]] == [_profile(3)]
    assert after[_profile(3)][0] > again[_profile(3)][0]
    [score] = api.list_scores(profile_id=_profile(3))
    assert score.computed_at == later
    # What the warehouse did not have when a model was learnt is taken up after it.
    api_models.refresh_models(now=NOW, key="course")
    assert api.follow_scores(now=later).events == 4


def _kept_scores():
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT profile_id, value, label, low, high FROM analysis_score"
            " WHERE name = 'propensity:course'"
        ).fetchall()
    return {who: tuple(rest) for who, *rest in rows}


def test_estimates_over_the_store_are_kept_or_say_why_not(shop, capsys):
    runs = {run.estimator: run for run in api_models.refresh_store_estimates(now=NOW)}
    refused = {"send_time", "send_channel", "discounts", "referrals"}
    assert set(runs) == refused | {"satisfaction", "pareto", "loyalty"}
    for name in sorted(refused):
        assert any(letter.isdigit() for letter in runs[name].report["refused"])
    assert runs["satisfaction"].customers > 50
    scores = {one.name: one for one in api.list_scores(profile_id=_profile(0))}
    assert scores["satisfaction:nps"].value == 9
    assert "speaks for" in scores["satisfaction:nps"].label
    pages = _open_pages(f"/customers/{_profile(0)}/", *PAGES)
    assert "Would recommend us" in pages[f"/customers/{_profile(0)}/"]
    assert "Answered 9; speaks for" in pages[f"/customers/{_profile(0)}/"]
    assert "Refused: 0 messages" in pages["/models/"]
    assert "0 messages, and it takes at least 200" in pages["/models/scores/send_time/"]
    assert "What it rests on" in pages["/models/scores/satisfaction/"]
    assert "nobody can ever see" in pages["/models/reliability/"]
    _command_scores(capsys)
    [run] = api_models.refresh_store_estimates(now=NOW, name="satisfaction")
    state = api_models.get_store_estimate(name="satisfaction")
    assert state.run.model_run_id == run.model_run_id
    with pytest.raises(NotFound, match="satisfaction"):
        api_models.get_store_estimate(name="mood")
    _channels_others_send_by_count()


def _channels_others_send_by_count():
    """Nothing went by e-mail: texts and pushes, told by those who send them, make two channels."""
    rng, told = np.random.default_rng(3), []
    for who in range(70):
        for number in range(4):
            ids = {"message_id": f"{who}-{number}"}
            told.append(event("SMS Delivered", who, 20 + number, properties=ids))
            told.append(event("Push Notification Sent", who, 20 + number))
            if rng.random() < (0.7 if who % 2 else 0.1):
                told.append(event("SMS Link Clicked", who, 19.9 + number, properties=ids))
            if rng.random() < 0.4:
                told.append(event("Push Notification Tapped", who, 19.5 + number))
    for name in ("Call Started", "Call Answered"):
        told.append(event(name, 1, 30, properties={"direction": "outbound", "call_id": "c"}))
    source_id = next(each.source_id for each in store.list_sources() if each.name == "Shop")
    store.append_events(source_id=source_id, events=told, now=NOW)
    while store.fold_batch().events:
        pass
    export_all(list_exports())
    [run] = api_models.refresh_store_estimates(now=NOW, name="send_channel")
    counted = run.report["facts"]["channels counted"]
    assert counted.startswith("push (")
    assert "; sms (" in counted
    assert "Push Notification Tapped" in counted
    assert "call" not in counted
    scores = {one.name: one for one in api.list_scores(profile_id=_profile(1))}
    assert scores["send_channel"].label == "sms"
    page = _client().get(f"/customers/{_profile(1)}/").content.decode()
    assert "as often there as others do" in page
    assert "Push Notification Tapped" in _client().get(CHANNEL_PAGE).content.decode()


CHANNEL_PAGE = "/models/scores/send_channel/"
PAGES = (
    "/models/",
    "/models/scores/send_time/",
    "/models/scores/satisfaction/",
    "/models/reliability/",
)


def _client():
    from django.test import Client

    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    ben = Staff.objects.filter(username="ben").first()
    ben = ben or Staff.objects.create_user("ben", password="x" * 12, role="analyst")
    client.force_login(ben)
    return client


def _open_pages(*paths):
    client = _client()
    assert client.get("/models/scores/mood/").status_code == 404
    return {path: client.get(path).content.decode() for path in paths}


def _command_scores(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["scores", "refresh"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "satisfaction" in shown
    assert "referrals" in shown


def _did_between(since, until):
    with transaction("readonly") as connection:
        return connection.execute(
            "SELECT count(DISTINCT profile_id) FROM store_activity WHERE name = 'Course Booked' "
            "AND occurred_at > %s AND occurred_at <= %s",
            [since, until],
        ).fetchone()[0]


def _open_predictions(score):
    with transaction("readonly") as connection:
        return connection.execute(
            "SELECT count(*) FROM analysis_prediction WHERE score = %s", [score]
        ).fetchone()[0]


def _command_lists(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["model", "list"])
    assert stop.value.code == 0
    assert "Course Booked" in capsys.readouterr().out


def _screens_show(label):
    from django.test import Client

    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("ann", password="x" * 12, role="analyst"))
    listed = client.get("/models/predictions/").content.decode()
    assert "Books a course" in listed
    assert "Ranks right" in listed
    one = client.get("/models/predictions/course/").content.decode()
    assert 'id="proof-figure" type="application/json"' in one
    assert "days since Product Viewed" in one
    customer = client.get(f"/customers/{_profile(0)}/").content.decode()
    assert "Likely: course" in customer
    assert label.split(" (")[0] in customer
    made = client.post(
        "/models/predictions/new/",
        {"name": "Views again!", "event": "Product Viewed", "days": "14", "traits": "plan, "},
    )
    assert made["Location"] == "/models/predictions/views-again/"
    assert "Not learnt yet" in client.get(made["Location"]).content.decode()
    assert (
        "whole number"
        in client.post(
            "/models/predictions/new/", {"name": "x", "event": "y", "days": "soon"}, follow=True
        ).content.decode()
    )
    client.post("/models/predictions/views-again/archive/")
    assert client.get(made["Location"]).status_code == 404


def _what_cannot_be_carried_keeps_old_scores(count):
    [run] = api_models.refresh_models(now=NOW + timedelta(days=900), key="course")
    assert "nobody did 'Course Booked'" in run.report["refused"]
    assert len(_scores()) == count


def _scores():
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT i.value, s.value FROM analysis_score s JOIN store_identifier i "
            "USING (profile_id) WHERE s.name = 'propensity:course' AND i.kind = 'user_id'"
        ).fetchall()
    return {int(user[1:]): value for user, value in rows}


def _profile(who):
    with transaction("readonly") as connection:
        row = connection.execute(
            "SELECT profile_id FROM store_identifier WHERE value = %s", [f"c{who}"]
        ).fetchone()
    return row[0]


def test_what_makes_no_sense_is_refused(db):
    create()
    with pytest.raises(Conflict, match="already"):
        create()
    for wrong in (
        {"key": "Big Key"},
        {"key": "a", "horizon_days": 0},
        {"key": "a", "event": " "},
        {"key": "a", "name": ""},
        {"key": "a", "traits": ["t"] * 21},
    ):
        with pytest.raises(Invalid):
            create(**wrong)
    with pytest.raises(NotFound):
        create(key="b", segment_id=99)
    with pytest.raises(NotFound):
        api_models.refresh_models(now=NOW, key="none")
    with pytest.raises(Unavailable, match="warehouse"):
        api_models.refresh_models(now=NOW)


def test_models_are_made_read_and_archived_over_the_control_api(db):
    from django.test import Client

    from amity.web.staff.api_keys import create_api_key

    def call(method, path, body=None, *, scopes=("*",)):
        key = create_api_key(name="till", scopes=scopes, by="test")
        headers = {"Authorization": f"Bearer {key}"}
        asked = getattr(Client(SERVER_NAME="localhost", headers=headers), method)
        if body is None:
            return asked(f"/api/v1{path}")
        return asked(f"/api/v1{path}", msgspec.json.encode(body), "application/json")

    model = {"key": "soon", "name": "Orders soon", "event": "Order Completed", "horizon_days": 30}
    made = call("post", "/models", model)
    assert (made.status_code, made["Location"]) == (201, "/api/v1/models/soon")
    assert call("post", "/models", model).status_code == 409
    assert call("post", "/models", {**model, "key": "Soon!"}).status_code == 422
    assert call("post", "/models", model, scopes=["segments:read"]).status_code == 403
    listed, lead = call("get", "/models").json()["items"][::-1]
    assert (lead["model"]["key"], lead["model"]["is_first"]) == ("lead", True)
    assert (listed["model"]["event"], listed["run"]) == ("Order Completed", None)
    assert call("delete", "/models/soon").status_code == 204
    assert call("get", "/models/soon").status_code == 404

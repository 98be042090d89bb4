"""What every page keeps: headers, health, whose data it is, error pages, sizes."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from django.test import Client

from amity.analysis import api as analysis
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.store import api as store

NOW = datetime.now(UTC)


def sign_in(role: str = "admin") -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-one", password="x" * 12, role=role))
    return client


def fill(people: int = 60) -> None:
    """A small shop: some come back, some do not."""
    source = store.create_source(name="Shop", kind="server")
    events = []
    for person in range(people):
        for order in range(1 + person % 7):
            at = NOW - timedelta(days=300 - order * (10 + person % 30) - person % 17)
            events.append(
                {
                    "type": "track",
                    "event": "Order Completed",
                    "userId": f"u{person}",
                    "timestamp": at.isoformat(),
                    "properties": {
                        "order_id": f"{person}-{order}",
                        "total": 10 + person % 13 + order * 3.5,
                        "currency": "USD",
                    },
                }
            )
    raw = [msgspec.json.encode(one) for one in events]
    store.append_events(source_id=source.source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass


def test_pages_of_an_empty_installation_teach_the_next_step(db: str) -> None:
    client = sign_in()
    assert "Waiting for the first event" in client.get("/").content.decode()
    assert "Nothing computed yet" in client.get("/models/").content.decode()
    assert "Nothing predicted yet" in client.get("/models/reliability/").content.decode()
    assert "came from your own sources" in client.get("/about/").content.decode()


def test_the_overview_and_the_models_show_what_the_engine_found(db: str) -> None:
    fill()
    analysis.refresh_scores(now=NOW)
    client = sign_in("viewer")
    overview = client.get("/?days=365").content.decode()
    figures = analysis.overview(now=datetime.now(UTC), days=365)
    assert len(figures) >= 3
    for figure in figures:
        assert figure.title in overview
    assert "last 365 days" in overview
    assert "Order Completed" in overview
    models = client.get("/models/").content.decode()
    run = analysis.get_latest_run(estimator="bgnbd")
    for value in run.parameters.values():
        assert f"{value:,.3f}" in models
    assert 'id="concentration-figure" type="application/json"' in models
    assert "plotly.min.js" in models
    assert "plotly" not in overview
    assert "Schmittlein, Morrison &amp; Colombo (1987)" in models
    assert "A second opinion" in models
    held = client.get("/models/reliability/").content.decode()
    assert "Still to come" in held
    assert "predicted, and not yet time to compare" in held
    first = analysis.list_reliability(now=NOW)[0].rounds[0].due_at
    assert f"{first.day} {first:%b %Y}" in held
    later = NOW - timedelta(days=92)
    with transaction() as connection:
        for table in ("analysis_reliability", "analysis_prediction"):
            connection.execute(f"UPDATE {table} SET predicted_at = %s", [later])
        connection.execute(
            "UPDATE analysis_reliability SET due_at = predicted_at + interval '90 days' "
            "WHERE score <> 'clv'"
        )
    analysis.refresh_scores(now=NOW)
    held = client.get("/models/reliability/").content.decode()
    assert 'id="reliability-churn-figure" type="application/json"' in held
    assert "came:" in held
    rows = client.get("/models/reliability.csv").content.decode().splitlines()
    assert rows[0].startswith("score,predicted_at,due_at")
    assert len(rows) > 3
    customer = client.get(f"/customers/{some_customer()}/").content.decode()
    assert "Likely active" in customer
    assert "Worth next year" in customer
    assert " to " in customer


def some_customer() -> int:
    profile = store.find_profile(kind="user_id", value="u6")
    assert profile
    return profile.profile_id


def test_pages_are_small_and_carry_no_script_or_style_of_their_own(db: str) -> None:
    fill(30)
    client = sign_in()
    pages = ("/", "/customers/", f"/customers/{some_customer()}/", "/models/", "/about/")
    for address in (*pages, "/settings/people/"):
        answer = client.get(address, follow=True)
        body = answer.content.decode()
        assert len(body) < 60_000, address
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", body), address
        assert "<style" not in body, address
        assert not re.search(r"\sstyle=\"|\son[a-z]+=\"", body), address
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer
    assert "unsafe-eval" in client.get("/admin/")["Content-Security-Policy"]


def test_static_files_come_from_installed_packages_and_nothing_else_of_them(db: str) -> None:
    from django.contrib.staticfiles import finders

    assert finders.find("plotly/plotly.min.js")
    assert finders.find("django_htmx/htmx-2.min.js")
    assert not finders.find("plotly/datasets/tips.csv.gz")
    ours = [
        Path(finders.find(name)) for name in ("amity.css", "amity.js", "plotly.css", "amity.svg")
    ]
    htmx = Path(finders.find("django_htmx/htmx-2.min.js"))
    assert sum(path.stat().st_size for path in (*ours, htmx)) < 200_000


def test_health_answers_before_sessions_and_says_when_the_database_is_gone(db: str) -> None:
    from amity.infra import database

    client = Client(SERVER_NAME="anything.example")
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready", "database": "reachable"}
    database.use_database("no_such_database")
    try:
        database._ACQUIRE_SECONDS, kept = 0.2, database._ACQUIRE_SECONDS
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["status"] == "unready"
        assert client.get("/health/live").status_code == 200
    finally:
        database._ACQUIRE_SECONDS = kept
        database.use_database(db)


def test_a_stand_in_says_so_on_every_page(db: str) -> None:
    client = sign_in()
    folder = settings().data / "demo"
    folder.mkdir(exist_ok=True)
    told = folder / "about.json"
    pages = ("/", "/customers/", "/segments/", "/models/", "/about/")
    try:
        about = {
            "title": "Journey Market",
            "simulated": ["Names are invented."],
            "counts": {"orders": 1234},
        }
        told.write_bytes(msgspec.json.encode(about | {"stand_in": True, "how": ["By the doors."]}))
        for address in pages:
            assert b"These are made-up customers" in client.get(address).content, address
        told.write_bytes(msgspec.json.encode(about | {"stand_in": False}))
        page = client.get("/about/").content.decode()
        assert "These are made-up customers" not in page
        for words in ("Journey Market", "Names are invented.", "1,234"):
            assert words in page
        told.write_bytes(b"{not json")
        assert client.get("/about/").status_code == 200
    finally:
        told.unlink()


def test_what_went_wrong_is_told_in_the_look_of_the_rest(db: str) -> None:
    client = sign_in("viewer")
    for address, status, words in (
        ("/nowhere/", 404, "Nothing here"),
        ("/settings/people/", 403, "Not for your role"),
        ("/customers/?after=x", 422, "That did not work"),
    ):
        answer = client.get(address)
        assert answer.status_code == status
        assert words in answer.content.decode()
        assert "amity.css" in answer.content.decode()


def test_a_failure_says_an_incident_and_nothing_else(db: str, monkeypatch) -> None:
    def broken(**_: object) -> int:
        raise RuntimeError("the secret is marzipan-4711")

    monkeypatch.setattr(store, "list_profiles", broken)
    client = sign_in("viewer")
    client.raise_request_exception = False
    answer = client.get("/customers/")
    assert answer.status_code == 500
    assert "marzipan" not in answer.content.decode()
    assert re.search(r"<code>[0-9a-f]{8}</code>", answer.content.decode())


def test_the_palette_finds_pages_segments_and_customers(db: str) -> None:
    fill(8)
    client = sign_in("viewer")
    found = client.get("/find/?q=").content.decode()
    assert "Customers" in found
    assert "API keys" not in found
    assert "/customers/" in client.get("/find/?q=u6").content.decode()
    assert "Nothing by" in client.get("/find/?q=zzzz").content.decode()


def test_times_are_told_in_the_readers_zone(db: str) -> None:
    from django.template import Context, Template

    moment = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    client = sign_in("viewer")
    client.cookies["tz"] = "Asia/Tokyo"
    client.get("/about/")
    told = Template("{% load amity %}{% when m 'clock' %}").render(Context({"m": moment}))
    assert ">21:00</time>" in told
    assert 'datetime="2026-01-05T12:00:00+00:00"' in told
    assert "Monday, 5 January 2026, 21:00:00 JST" in told
    client.cookies["tz"] = "Nowhere/../../etc"
    assert client.get("/about/").status_code == 200

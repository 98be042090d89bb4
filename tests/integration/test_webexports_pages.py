"""The screens of exports, through Django's client, on a real database."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.store import api_outbound


def sign_in(role):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    session = client.session
    session["confirmed_at"] = datetime.now(UTC).isoformat()
    session.save()
    return client


@pytest.fixture
def admin(db):
    return sign_in("admin")


def text_of(page):
    return re.sub(r"\s+", " ", page.content.decode())


def test_an_export_is_made_run_downloaded_and_deleted(admin):
    assert "Nothing is exported yet" in text_of(admin.get("/exports/"))
    assert "There is no segment yet" in text_of(admin.get("/exports/new/"))
    now = datetime.now(UTC)
    rule = {"node": "all", "of": []}
    segment = analysis.create_segment(name="Everyone", rule=rule, by="ann", now=now)
    given = {"name": "All", "segment": segment.segment_id, "purpose": "sharing"}
    given |= {"columns": "user_id\nemail", "destination": "csv", "every_hours": ""}
    refused = admin.post("/exports/new/", given | {"columns": "password"})
    assert refused.status_code == 422
    assert "no column" in text_of(refused)
    answer = admin.post("/exports/new/", given)
    assert analysis.run_exports(now=now) == 1
    page = text_of(admin.get(answer["Location"]))
    assert "0 written of 0" in page
    link = re.search(r"/exports/runs/\d+/file/", page).group()
    file = b"".join(admin.get(link).streaming_content)
    assert file.strip() == b"profile_id,user_id,email"
    assert "It runs now" in text_of(admin.post(f"{answer['Location']}run/", follow=True))
    assert "All" in text_of(admin.get("/exports/"))
    for role in ("analyst", "viewer"):
        assert sign_in(role).get(link).status_code == 403
    admin.post(f"{answer['Location']}delete/")
    assert api_outbound.list_exports() == []

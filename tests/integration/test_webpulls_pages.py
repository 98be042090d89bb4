"""The databases' pages, and the tries of whole files: what is shown, who may, what happens."""

import re
import sqlite3

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from amity.store import api as store
from amity.store import api_fetching
from amity.store.logic.pulling.sqlite import databases_folder


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


@pytest.fixture
def till(db):
    path = databases_folder() / "till.db"
    path.unlink(missing_ok=True)
    own = sqlite3.connect(path, isolation_level=None)
    own.execute(
        "CREATE TABLE people (id integer PRIMARY KEY, email text, shoe integer, "
        "updated_at datetime)"
    )
    own.executemany(
        "INSERT INTO people VALUES (?, ?, ?, ?)",
        [(n, f"p{n}@example.com", 38 + n, f"2026-01-0{n} 10:00:00") for n in (1, 2, 3)],
    )
    yield own
    own.close()


def fields_of(page) -> dict[str, list[str]]:
    text = page.content.decode()
    fields = {}
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        fields[name] = re.findall(r'<option value="([^"]*)" selected', inner) or [""]
    for tag in re.findall(r"<input[^>]*>", text):
        found = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if all(found) and "csrf" not in tag:
            fields.setdefault(found[0][1], []).append(found[1][1])
    return fields


def test_a_database_is_added_planned_run_changed_and_forgotten(till) -> None:
    admin = sign_in("admin")
    assert "No database is pulled yet" in text_of(admin.get("/databases/"))
    wrong = admin.post("/databases/new/", {"name": "Till", "address": "x", "source": "new"})
    assert wrong.status_code == 422
    assert "must begin with" in text_of(wrong)
    form = {"name": "Till", "address": "sqlite:///till.db", "source": "new"}
    went = admin.post("/databases/new/", form)
    assert went.status_code == 302
    plan = went["Location"]
    assert "people" in text_of(admin.get(plan))
    looked = admin.post(plan, {"table": "\tpeople", "connector": "customers", "do": "look"})
    text = text_of(looked)
    assert "p1@example.com" in text
    assert "Ready" in text
    fields = fields_of(looked)
    assert fields["cursor"] == ["updated_at"]
    assert fields["key"] == ["id"]
    changed = fields | {"name.2": ["feet"], "do": ["start"]}
    started = admin.post(plan, changed)
    assert started.status_code == 302
    page = f"/databases/{api_fetching.list_pulls()[0].pull_id}/"
    ran = admin.post(page + "do/", {"do": "run"}, follow=True)
    assert "Read 3 rows; 3 events were new." in text_of(ran)
    pull = api_fetching.list_pulls()[0]
    assert pull.mapping == {
        "id": "user_id",
        "email": "email",
        "shoe": "trait.feet",
        "updated_at": "updated_at",
    }
    for doing, words in (
        ("pause", "Paused"),
        ("resume", "Resumed"),
        ("rewind", "from the beginning"),
        ("nonsense", "Nothing is called"),
    ):
        assert words in text_of(admin.post(page + "do/", {"do": doing}, follow=True))
    moved = admin.post(page + "address/", {"address": "sqlite:///other.db"}, follow=True)
    assert "There is no file" in text_of(moved)
    shown = text_of(admin.get("/databases/"))
    assert "2026-01-03 10:00:00" not in shown, "it was rewound"
    gone = admin.post(page + "do/", {"do": "delete"}, follow=True)
    assert "Forgot Till" in text_of(gone)
    assert admin.get(page).status_code == 404


def test_who_may_look_may_not_change(till) -> None:
    source = store.create_source(name="Shop", kind="server")
    pull = api_fetching.create_pull(
        name="Till", address="sqlite:///till.db", source_id=source.source_id
    )
    marketer = sign_in("marketer")
    assert "Till" in text_of(marketer.get("/databases/"))
    assert marketer.get(f"/databases/{pull.pull_id}/").status_code == 200
    for path in ("new/", f"{pull.pull_id}/plan/"):
        assert marketer.get(f"/databases/{path}").status_code == 403
    assert marketer.post(f"/databases/{pull.pull_id}/do/", {"do": "delete"}).status_code == 403
    assert sign_in("viewer").get("/databases/").status_code == 403


def test_a_whole_file_is_tried_and_then_imported(db) -> None:
    marketer = sign_in("marketer")
    rows = "".join(f"c-{n},{'nobody' if n % 2 else f'p{n}@x.example'}\n" for n in range(300))
    file = SimpleUploadedFile("people.csv", f"Customer id,E-mail\n{rows}".encode())
    went = marketer.post("/imports/upload/", {"file": file, "connector": "customers"})
    fields = fields_of(marketer.get(went["Location"]))
    form = fields | {"source": "new", "source_name": "Old", "do": "try"}
    tried = marketer.post(went["Location"], form)
    assert tried.status_code == 302
    assert store.run_waiting_imports() == 1
    page = text_of(marketer.get(tried["Location"]))
    assert "nothing is stored" in page
    assert "Import it now" in page
    assert store.list_received() == []
    told = marketer.get(tried["Location"] + "problems.csv")
    lines = b"".join(told.streaming_content).decode().splitlines()
    assert len(lines) == 151, "all of them, not the first hundred"
    assert lines[1].startswith("2,")
    again = marketer.post(tried["Location"] + "start/")
    assert store.run_waiting_imports() == 1
    done = store.get_import(import_id=int(again["Location"].strip("/").split("/")[-1]))
    assert (done.is_dry_run, done.stored, done.rejected) == (False, 150, 150)
    refused = marketer.post(again["Location"] + "start/", follow=True)
    assert "is not a dry run" in text_of(refused)

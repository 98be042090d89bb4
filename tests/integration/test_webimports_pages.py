"""The imports' pages: a file goes up, its columns are named, it runs, each row is accounted for."""

import csv
import io
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from amity.infra import config
from amity.store import api as store

PEOPLE = (
    b"Customer No,E-mail,First name,Shoe size\n"
    b"9001,ada@example.com,Ada,38\n"
    b"9002,grace@example.com,Grace,39\n"
    b",,Nobody,40\n"
)


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


@pytest.fixture
def marketer(db: str) -> Client:
    return sign_in("marketer")


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def upload(client: Client, content: bytes = PEOPLE, connector: str = "customers", name="p.csv"):
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return client.post("/imports/upload/", {"file": file, "connector": connector})


def fields_of(page) -> dict[str, str | list[str]]:
    text = page.content.decode()
    fields: dict[str, str | list[str]] = {
        "column": re.findall(r'name="column" value="([^"]*)"', text)
    }
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.findall(r'<option value="([^"]*)" selected', inner)
        fields[name] = chosen[0] if chosen else ""
    for name, value in re.findall(
        r'<input[^>]*name="((?:name\.|extras|connector|source_n)[^"]*)"[^>]*value="([^"]*)"', text
    ):
        fields[name] = value
    return fields


def uploads() -> list[Path]:
    return sorted((config.settings().data / "imports" / "uploads").glob("*.csv"))


def test_a_file_goes_up_is_mapped_imported_and_accounted_for(marketer: Client) -> None:
    assert "No file has been imported yet" in text_of(marketer.get("/imports/"))
    before = len(uploads())
    went = upload(marketer)
    assert went.status_code == 302
    assert len(uploads()) == before + 1
    assert uploads()[-1].stat().st_mode & 0o777 == 0o600
    page = marketer.get(went["Location"])
    text = text_of(page)
    assert "ada@example.com" in text
    assert "Row 3" in text
    fields = fields_of(page)
    assert fields["field.0"] == "user_id"
    assert fields["field.3"] == "+"
    fields |= {"name.3": "feet", "source": "new", "source_name": "Old shop", "do": "start"}
    started = marketer.post(went["Location"], fields)
    assert started.status_code == 302
    assert len(uploads()) == before
    record = store.list_imports().items[0]
    assert record.mapping["Shoe size"] == "trait.feet"
    assert (record.state, record.created_by) == ("waiting", "marketer-person")
    waiting = marketer.get(started["Location"])
    assert "Waiting for the worker" in text_of(waiting)

    store.run_import(import_id=record.import_id)
    piece = text_of(marketer.get(started["Location"], headers={"HX-Request": "true"}))
    assert "3 rows read" in piece
    assert "every 1s" not in piece
    problems = marketer.get(f"{started['Location']}problems.csv")
    rows = list(csv.reader(io.StringIO(problems.getvalue().decode())))
    assert rows[0] == ["row", "reason"]
    assert rows[1][0] == "3"
    assert store.find_source(name="Old shop")
    assert "Old shop" in text_of(marketer.get(started["Location"]))
    assert "p.csv" in text_of(marketer.get("/imports/"))


def test_a_wrong_mapping_says_what_is_missing_and_keeps_the_choices(marketer: Client) -> None:
    address = upload(marketer)["Location"]
    fields = fields_of(marketer.get(address))
    fields |= {"field.0": "", "field.1": "", "source": "new", "source_name": "S", "do": "start"}
    page = marketer.post(address, fields)
    assert page.status_code == 422
    assert "is needed" in text_of(page)
    assert fields_of(page)["field.0"] == ""
    assert store.list_imports().items == []
    looked = marketer.post(address, fields | {"do": "", "field.0": "user_id"})
    assert looked.status_code == 200
    assert "Ready" in text_of(looked)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,a\n1,2\n"])
def test_what_is_no_table_is_refused_with_the_reason_and_not_kept(
    marketer: Client, content: bytes
) -> None:
    before = uploads()
    page = upload(marketer, content)
    assert page.status_code == 422
    assert "upload-error" in text_of(page)
    assert uploads() == before


def test_a_file_over_the_cap_is_cut_off_and_not_kept(marketer: Client) -> None:
    before = uploads()
    with config.override(max_import_bytes=100_000):
        for size in (150_000, 300_000):
            page = upload(marketer, b"a,b\n" + b"1,2\n" * (size // 4))
            assert page.status_code == 413
            assert "larger than" in text_of(page)
    assert uploads() == before


def test_a_binary_a_bomb_and_a_strange_name_do_no_harm(marketer: Client) -> None:
    page = upload(marketer, bytes(range(256)) * 50, name="../../<b>evil</b>.csv")
    assert page.status_code in (302, 422)
    page = upload(marketer, b"x" * 500_000)
    assert page.status_code in (302, 422)
    assert upload(marketer, PEOPLE, connector="nonsense").status_code == 422
    assert "<b>evil" not in text_of(marketer.get("/imports/"))


def test_a_draft_belongs_to_who_uploaded_it(marketer: Client) -> None:
    address = upload(marketer)["Location"]
    stranger = sign_in("admin")
    assert stranger.get(address).status_code == 404
    assert marketer.get(address).status_code == 200
    assert marketer.get("/imports/new/..%2f..%2fsecrets/").status_code == 404


def test_the_token_of_the_form_is_checked(marketer: Client) -> None:
    before = uploads()
    strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    strict.cookies = marketer.cookies
    assert upload(strict).status_code == 403
    assert uploads() == before


def test_an_import_can_be_stopped_once(marketer: Client) -> None:
    source = store.create_source(name="Files", kind="server")
    record = store.create_import(
        content=PEOPLE, file_name="p.csv", connector="customers", source_id=source.source_id
    )
    address = f"/imports/{record.import_id}/"
    assert "Stop this import?" in text_of(marketer.get(address))
    marketer.post(f"{address}cancel/")
    assert store.get_import(import_id=record.import_id).state == "cancelled"
    assert marketer.get(f"{address}cancel/").status_code == 405
    assert "Stopped" in text_of(marketer.get(address))


@pytest.mark.parametrize(("role", "looks"), [("viewer", 403), ("agent", 403), ("analyst", 200)])
def test_who_may_not_import_cannot(db: str, role: str, looks: int) -> None:
    client = sign_in(role)
    assert client.get("/imports/").status_code == looks
    assert upload(client).status_code == 403
    assert client.post("/imports/1/cancel/").status_code == 403

"""`amity journey` as somebody at a terminal sees it."""

import json

import pytest

from amity.infra import database


@pytest.fixture
def template_id(db):
    with database.transaction() as connection:
        content = connection.execute(
            "INSERT INTO broadcast_content (class, subject, source, html, text)"
            " VALUES ('marketing', 'Still yours', '-', '-', '-') RETURNING id"
        ).fetchone()[0]
        return connection.execute(
            "INSERT INTO broadcast_template (name, content_id) VALUES ('Reminder', %s)"
            " RETURNING id",
            [content],
        ).fetchone()[0]


def test_a_journey_is_made_shown_paused_and_archived(amity, template_id, tmp_path):
    code, out, _ = amity("journey", "list")
    assert (code, "no journeys yet" in out) == (0, True)
    made = json.loads(
        amity(
            "journey", "create", "Cart", "--abandoned-cart", str(template_id), "--live", "--json"
        )[1]
    )
    assert (made["state"], made["problems"]) == ("live", [])
    file = tmp_path / "drawing.json"
    file.write_text(json.dumps(made["definition"]))
    assert "draft" in amity("journey", "create", "Twin", "--definition", str(file))[1]
    code, out, _ = amity("journey", "show", "cart")
    assert code == 0
    assert "sends “Reminder”" in out
    assert "ordered?" in out
    report = json.loads(amity("journey", "show", str(made["journey_id"]), "--json")[1])
    assert report["journey"]["name"] == "Cart"
    assert json.loads(amity("journey", "state", "Cart", "paused", "--json")[1])["state"] == "paused"
    assert amity("journey", "state", "Twin", "archived")[0] == 0
    listed = json.loads(amity("journey", "list", "--json")[1])
    assert [each["journey"]["name"] for each in listed] == ["Cart"]
    assert "Twin" in amity("journey", "list", "--archived")[1]


def test_what_is_wrong_is_said(amity, template_id):
    code, _, err = amity("journey", "show", "Nothing")
    assert (code, "no journey named" in err) == (1, True)
    assert amity("journey", "create", "X")[0] == 2
    code, _, err = amity("journey", "create", "X", "--definition", "{")
    assert (code, "not a JSON object" in err) == (1, True)
    code, out, _ = amity("journey", "create", "X", "--abandoned-cart", "999")
    assert (code, "template no. 999, which is gone" in out) == (0, True)
    code, _, err = amity("journey", "state", "X", "live")
    assert (code, "cannot go live" in err) == (1, True)

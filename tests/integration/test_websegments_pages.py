"""The segments' pages and the builder, through Django's client, on a real database."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.broadcast import api_journeys
from amity.store import api as store

NOW = datetime.now(UTC)
FRENCH = {
    "node": "all",
    "of": [{"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}],
}


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


@pytest.fixture
def marketer(db: str) -> Client:
    source = store.create_source(name="Shop", kind="server")
    store.append_events(source_id=source.source_id, events=list(_history()), now=NOW)
    settle()
    return sign_in("marketer")


def _history() -> Iterator[bytes]:
    for n in range(6):
        who = {"userId": f"u{n}", "messageId": f"i{n}"}
        traits = {"name": f"=Person {n}", "country": "FR" if n < 4 else "DE", "age": 20 + n}
        yield json.dumps(who | {"type": "identify", "traits": traits}).encode()
    for n in range(3):
        at = (NOW - timedelta(days=10 * n + 1)).isoformat()
        order = {"order_id": f"o{n}", "total": 10.5, "coupon": "SPRING"}
        event = {"userId": f"u{n}", "messageId": f"o{n}", "timestamp": at, "properties": order}
        yield json.dumps(event | {"type": "track", "event": "Order Completed"}).encode()


def settle() -> None:
    while store.fold_batch(limit=2000).events:
        pass
    for _ in range(50):
        if not analysis.follow_batch(now=datetime.now(UTC)).events:
            return


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def fields_of(page) -> dict[str, str]:
    """Read the builder's form back as a browser would send it."""
    found: dict[str, str] = {}
    text = page if isinstance(page, str) else page.content.decode()
    for tag in re.findall(r"<input[^>]*>", text):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and "radio" not in tag and "checkbox" not in tag:
            found[html.unescape(name[1])] = html.unescape(value[1]) if value else ""
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        options = re.findall(r'<option value="([^"]*)"( selected)?', inner)
        chosen = [value for value, on in options if on] or [options[0][0]]
        found[html.unescape(name)] = html.unescape(chosen[0])
    for name, inner in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', text, re.S
    ):
        found[html.unescape(name)] = html.unescape(inner)
    return found


def test_an_empty_list_offers_rules_to_start_from(marketer: Client) -> None:
    page = text_of(marketer.get("/segments/"))
    assert "No segment yet" in page
    assert "Lapsed but valuable" in page


@pytest.mark.parametrize(
    "key", ["recent-buyers", "quiet-buyers", "lapsed-valuable", "viewed-not-bought"]
)
def test_every_start_is_complete_and_previewed(marketer: Client, key: str) -> None:
    page = marketer.get("/segments/new/", {"start": key})
    assert page.status_code == 200
    assert "Not complete yet" not in text_of(page)
    assert "of 6 customers" in text_of(page)


def test_a_segment_is_built_by_buttons_previewed_and_made(marketer: Client) -> None:
    fields = fields_of(marketer.get("/segments/new/"))
    htmx = {"HX-Request": "true"}
    tree = marketer.post("/segments/tree/", fields | {"do": "add:r:check"}, headers=htmx)
    assert tree["HX-Trigger-After-Settle"] == "rule-changed"
    assert "Name the trait." in text_of(tree)
    fields |= fields_of(tree)
    fields["r.of.0.name"] = "country"
    fields["r.of.0.v.value"] = "FR"
    looked = text_of(marketer.post("/segments/preview/", fields))
    assert "<b>4</b>" in looked
    assert "of 6 customers, 66.7 %" in looked
    assert "country is “FR”" in looked
    assert "=Person" in looked

    fields["name"] = "French"
    made = marketer.post("/segments/new/", fields)
    segment = analysis.find_segment(name="French")
    assert segment
    assert made["Location"] == f"/segments/{segment.segment_id}/"
    assert segment.rule == FRENCH
    assert segment.created_by == "marketer-person"
    settle()
    page = text_of(marketer.get(made["Location"]))
    assert page.count("=Person") >= 4
    assert "live" in page


def test_what_is_wrong_stands_beside_its_condition_and_nothing_is_lost(marketer: Client) -> None:
    fields = {
        "name": "Spenders",
        "description": "why",
        "r.node": "group",
        "r.mode": "all",
        "r.of.0.node": "check",
        "r.of.0.field": "profile.revenue",
        "r.of.0.op": "gte",
        "r.of.0.v.value": "lots",
        "r.of.1.node": "did",
        "r.of.1.event": "",
        "r.of.1.times": "between",
        "r.of.1.count": "5",
        "r.of.1.most": "2",
        "r.of.1.window": "days",
        "r.of.1.days": "30",
    }
    page = marketer.post("/segments/new/", fields)
    text = text_of(page)
    assert page.status_code == 422
    again = fields_of(page)
    for name, value in fields.items():
        assert again[name] == value, name
    assert re.search(r'id="e-r-of-0"[^>]*> ?Type a number', text)
    assert re.search(r'id="e-r-of-1"[^>]*> ?Name the event', text)
    fields |= {"r.of.0.v.value": "100", "r.of.1.event": "Order Completed"}
    text = text_of(marketer.post("/segments/new/", fields))
    assert re.search(r'id="e-r-of-1"[^>]*> ?`at_least` is above `at_most`', html.unescape(text))
    assert analysis.list_segments() == []


def test_the_json_leads_to_the_form_and_back(marketer: Client) -> None:
    rule = {
        "node": "any",
        "of": [
            {
                "node": "did",
                "event": "Order Completed",
                "where": [{"property": "coupon", "is": {"op": "in", "values": ["SPRING", "X"]}}],
                "at_least": 1,
                "within_days": 15,
            },
            {"node": "not", "of": {"node": "consent", "purpose": "marketing.email"}},
        ],
    }
    answer = marketer.post(
        "/segments/from-written/", {"written": json.dumps(rule)}, headers={"HX-Request": "true"}
    )
    text = answer.content.decode()
    assert "HX-Retarget" not in answer
    assert "SPRING\nX" in text
    fields = fields_of(text)
    made = marketer.post("/segments/new/", fields | {"name": "From JSON", "written_before": ""})
    assert made.status_code == 302
    segment = analysis.find_segment(name="From JSON")
    assert segment
    rule["of"][0]["within_days"] = 15.0
    assert segment.rule == rule


def test_wrong_json_says_where_and_leaves_the_form(marketer: Client) -> None:
    wrong = json.dumps({"node": "all", "of": [{"node": "check", "field": "trait.x", "is": {}}]})
    answer = marketer.post(
        "/segments/from-written/", {"written": wrong}, headers={"HX-Request": "true"}
    )
    assert answer["HX-Retarget"] == "#written-error"
    assert "of[0].is" in text_of(answer)
    broken = marketer.post("/segments/from-written/", {"written": "{"})
    assert "This is not JSON" in text_of(broken)
    fields = fields_of(marketer.get("/segments/new/", {"start": "recent-buyers"}))
    kept = marketer.post("/segments/new/", fields | {"name": "X", "written": "{ mine"})
    assert kept.status_code == 422
    assert fields_of(kept)["written"] == "{ mine"
    assert fields_of(kept)["r.of.0.event"] == "Order Completed"


def test_a_rule_can_be_typed(marketer: Client) -> None:
    typed = 'country is FR and did "Product Viewed" at least 3 times in 30 days where name is Bread'
    answer = marketer.post(
        "/segments/from-written/", {"written": typed}, headers={"HX-Request": "true"}
    )
    fields = fields_of(answer.content.decode())
    assert fields["r.of.1.event"] == "Product Viewed"
    page = fields_of(marketer.get("/segments/new/", {"start": "recent-buyers"}))
    assert page["written"].startswith('did "Order Completed"')
    made = marketer.post("/segments/new/", page | {"name": "Typed", "written": typed})
    assert made.status_code == 302
    segment = analysis.find_segment(name="Typed")
    assert segment
    shown = text_of(marketer.get(f"/segments/{segment.segment_id}/"))
    assert segment.text in html.unescape(shown)
    assert analysis.read_rule(written=segment.text) == segment.rule
    wrong = marketer.post(
        "/segments/from-written/", {"written": "country was FR"}, headers={"HX-Request": "true"}
    )
    assert "character 9 (“was FR”): expected a test" in text_of(wrong)


def test_json_edited_without_scripts_wins_over_the_form(marketer: Client) -> None:
    fields = fields_of(marketer.get("/segments/new/", {"start": "recent-buyers"}))
    fields |= {"name": "By hand", "written": json.dumps(FRENCH)}
    assert marketer.post("/segments/new/", fields).status_code == 302
    segment = analysis.find_segment(name="By hand")
    assert segment
    assert segment.rule == FRENCH


def test_operators_fit_their_field_and_types_are_guessed(marketer: Client) -> None:
    fields = {"r.node": "group", "r.mode": "all", "r.of.0.node": "check", "r.of.0.op": "contains"}
    fields |= {"r.of.0.field": "profile.last_order_at", "do": "fit:r.of.0"}
    tree = marketer.post("/segments/tree/", fields, headers={"HX-Request": "true"})
    assert fields_of(tree)["r.of.0.op"] == "within_last"
    fields |= {"r.of.0.field": "trait", "r.of.0.name": "age", "r.of.0.op": "eq"}
    drawn = marketer.post("/segments/test/", fields | {"path": "r.of.0", "guess": "1"})
    assert fields_of(drawn)["r.of.0.as"] == "number"
    assert marketer.post("/segments/test/", fields | {"path": "r.of.7"}).status_code == 404


def test_values_and_properties_are_suggested(marketer: Client) -> None:
    values = marketer.get("/segments/suggest/values/", {"path": "p", "p.name": "country"})
    assert 'value="FR"' in text_of(values)
    asked = {"path": "p", "p.event": "Order Completed"}
    assert "coupon" in text_of(marketer.get("/segments/suggest/properties/", asked))
    new = text_of(marketer.get("/segments/new/"))
    assert '<option value="Order Completed">3 times' in new
    assert '<option value="country">6 customers' in new


def test_a_rule_about_nothing_known_warns_and_finds_nobody(marketer: Client) -> None:
    fields = {"r.node": "group", "r.mode": "all", "r.of.0.node": "check", "r.of.0.field": "trait"}
    fields |= {"r.of.0.name": "nonesuch", "r.of.0.op": "eq", "r.of.0.v.value": "x"}
    page = text_of(marketer.post("/segments/preview/", fields))
    assert "nobody has the trait “nonesuch”" in page.lower() or "nonesuch" in page
    assert "<b>0</b>" in page


def make(name: str = "French", rule: dict | None = None):
    made = analysis.create_segment(name=name, rule=rule or FRENCH, by="test", now=NOW)
    settle()
    return made


def test_members_come_by_pages_and_leave_visibly(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amity.web.segments import views

    monkeypatch.setattr(views, "_PAGE", 3)
    segment = make()
    first = text_of(marketer.get(f"/segments/{segment.segment_id}/"))
    cursor = re.search(r"\?cursor=([^\"#]+)#", first)
    assert cursor
    second = text_of(marketer.get(f"/segments/{segment.segment_id}/", {"cursor": cursor[1]}))
    assert "Next 3" not in second
    # The first page looks again by itself; the others stand still.
    again = html.unescape(re.search(r'id="members" hx-get="([^"]+)"', first)[1])
    assert 'id="members" hx-get' not in second
    assert marketer.get(again).status_code == 204
    source = store.find_source(name="Shop")
    assert source
    moved = b'{"type":"identify","userId":"u0","messageId":"moved","traits":{"country":"BE"}}'
    store.append_events(source_id=source.source_id, events=[moved], now=datetime.now(UTC))
    settle()
    live = text_of(marketer.get(f"/segments/{segment.segment_id}/live/"))
    assert "<b>3</b>" in live
    assert "=Person 0" in live[live.index("Left lately") :]
    assert "=Person 0" not in text_of(marketer.get(again))


def test_archived_then_brought_back(marketer: Client) -> None:
    segment = make()
    user = make("Users", {"node": "in_segment", "segment_id": segment.segment_id})
    address = f"/segments/{segment.segment_id}"
    assert "Another segment asks for it: Users" in text_of(marketer.get(f"{address}/"))
    marketer.post(f"{address}/archive/")
    assert analysis.get_segment(segment_id=segment.segment_id).state == "live"
    marketer.post(f"/segments/{user.segment_id}/archive/")
    marketer.post(f"{address}/archive/")
    settle()
    assert analysis.get_segment(segment_id=segment.segment_id).state == "archived"
    assert "French" in text_of(marketer.get("/segments/", {"show": "archived"}))
    assert "Bring back" in text_of(marketer.get(f"{address}/"))
    marketer.post(f"{address}/restore/")
    settle()
    back = analysis.get_segment(segment_id=segment.segment_id)
    assert (back.state, back.members) == ("live", 4)


def test_edit_and_duplicate_begin_with_the_rule(marketer: Client) -> None:
    segment = make()
    edit = fields_of(marketer.get(f"/segments/{segment.segment_id}/edit/"))
    assert edit["r.of.0.v.value"] == "FR"
    edit["r.of.0.v.value"] = "DE"
    marketer.post(f"/segments/{segment.segment_id}/edit/", edit)
    settle()
    changed = analysis.get_segment(segment_id=segment.segment_id)
    assert (changed.version, changed.members) == (2, 2)
    copy = fields_of(marketer.get("/segments/new/", {"from": segment.segment_id}))
    assert copy["name"] == "French (copy)"
    assert copy["r.of.0.v.value"] == "DE"


def test_conditions_known_by_their_shape_are_said_with_names_and_changed_in_fields(
    marketer: Client,
) -> None:
    winter = api_journeys.create_journey(
        name="Winter",
        definition={
            "entry": {"event": "Product Added"},
            "start": "pause",
            "nodes": {"pause": {"kind": "wait", "days": 1}},
        },
        by="t",
        now=NOW,
    )
    rule = {
        "node": "all",
        "of": [
            {"node": "did", "event": "Order Completed", "during": {"unit": "month"}},
            {"node": "message", "what": "opened", "journey_id": winter.journey_id},
        ],
    }
    segment = make("This month", rule)
    assert segment.words.endswith("opened a message of journey “Winter”")
    page = marketer.get(f"/segments/{segment.segment_id}/edit/")
    assert "Opened a message of journey “Winter”" in text_of(page)
    edit = fields_of(page)
    assert (edit["r.of.0.window"], edit["r.of.0.unit"]) == ("this", "month")
    assert edit["r.of.1.f.journey_id"] == str(winter.journey_id)
    edit |= {"r.of.0.unit": "quarter", "r.of.0.zone": "Mars/Base", "r.of.1.f.what": "clicked"}
    wrong = marketer.post(f"/segments/{segment.segment_id}/edit/", edit)
    assert wrong.status_code == 422
    assert "is not a time zone such as Europe/Paris" in text_of(wrong)
    edit["r.of.0.zone"] = "Europe/Paris"
    marketer.post(f"/segments/{segment.segment_id}/edit/", edit)
    changed = analysis.get_segment(segment_id=segment.segment_id)
    assert changed.rule["of"][0]["during"] == {"unit": "quarter", "zone": "Europe/Paris"}
    assert changed.rule["of"][1]["what"] == "clicked"


def test_the_export_holds_everyone_and_is_guarded(marketer: Client) -> None:
    segment = make()
    refused = marketer.get(f"/segments/{segment.segment_id}/members.csv")
    assert refused.status_code == 302  # asks for the password first
    session = marketer.session
    session["confirmed_at"] = datetime.now(UTC).isoformat()
    session.save()
    answer = marketer.get(f"/segments/{segment.segment_id}/members.csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["name"] for row in rows} == {f"'=Person {n}" for n in range(4)}
    assert all(row["in_segment_since"] for row in rows)


@pytest.mark.parametrize("role", ["viewer", "agent"])
def test_who_may_only_look_cannot_write(db: str, role: str) -> None:
    segment = analysis.create_segment(name="S", rule=FRENCH, by="t", now=NOW)
    client = sign_in(role)
    assert client.get("/segments/").status_code == 200
    page = client.get(f"/segments/{segment.segment_id}/")
    assert page.status_code == 200
    assert "Archive" not in text_of(page)
    for address in ("new/", "tree/", "preview/", "from-written/", "test/"):
        assert client.post(f"/segments/{address}", {"json": "{}"}).status_code == 403
    for address in ("edit", "archive", "restore"):
        assert client.post(f"/segments/{segment.segment_id}/{address}/").status_code == 403
    assert client.get(f"/segments/{segment.segment_id}/members.csv").status_code == 403


def test_hostile_words_are_text(marketer: Client) -> None:
    nasty = "</textarea><script>alert(1)</script>'\""
    rule = {"node": "check", "field": f"trait.{nasty}", "is": {"op": "eq", "value": nasty}}
    segment = make(nasty[:90], rule)
    for address in ("", f"{segment.segment_id}/", f"{segment.segment_id}/edit/"):
        page = marketer.get(f"/segments/{address}")
        assert page.status_code == 200
        assert "<script>alert" not in text_of(page)

"""The pages of Reach through Django's client: templates, campaigns, journeys."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns, api_journeys
from amity.broadcast.contracts import Campaign, CampaignPlan, Template
from amity.store import api as store

NOW = datetime.now(UTC)
EVERYBODY = {
    "node": "all",
    "of": [{"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}],
}
SOURCE = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ customer.first_name }}, "
    '<a href="{{ links.unsubscribe }}">stop</a> {{ brand.postal_address }}'
    "</mj-text></mj-column></mj-section></mj-body></mjml>"
)


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", password="x" * 12, role=role))
    return client


def confirm(client: Client) -> None:
    assert client.post("/sign-in/confirm/", {"password": "x" * 12}).status_code == 302


@pytest.fixture
def marketer(db: str) -> Client:
    source = store.create_source(name="Shop", kind="server")
    store.append_events(source_id=source.source_id, events=list(_history()), now=NOW)
    while store.fold_batch(limit=2000).events:
        pass
    client = sign_in("marketer")
    confirm(client)
    return client


def _history() -> Iterator[bytes]:
    for n in range(6):
        who = {"userId": f"u{n}", "messageId": f"i{n}", "type": "identify"}
        traits = {"name": f"=Ann{n} Bee", "country": "FR"}
        if n != 5:
            traits["email"] = f"ann{n}@example.com"
        yield json.dumps(who | {"traits": traits}).encode()
    for n in (0, 1, 2, 5):
        event = {
            "type": "track",
            "event": "Segment Consent Preference Updated",
            "userId": f"u{n}",
            "messageId": f"c{n}",
            "context": {"consent": {"categoryPreferences": {"marketing.email": True}}},
        }
        yield json.dumps(event).encode()


def make_template(name: str = "News") -> Template:
    return broadcast.create_template(
        name=name, subject="Hi {{ customer.first_name }}", source=SOURCE, by="x", now=NOW
    )


@pytest.fixture
def campaign(marketer: Client) -> Campaign:
    segment = analysis.create_segment(name="French", rule=EVERYBODY, by="x", now=NOW)
    for _ in range(50):
        if not analysis.follow_batch(now=datetime.now(UTC)).events:
            break
    plan = CampaignPlan(
        name="Autumn",
        segment_id=segment.segment_id,
        template_id=make_template().template_id,
        holdout_rate=0,
    )
    return api_campaigns.create_campaign(plan=plan, by="x", now=NOW)


def text_of(page) -> str:
    text = re.sub(r"<[^>]+>", " ", page.content.decode())
    return re.sub(r"\s+", " ", text)


def toasts(client: Client, page) -> str:
    """What the page after a redirect says."""
    assert page.status_code == 302, page.content[:500]
    found = re.findall(
        r'class="toast [^"]*"><span>([^<]*)', client.get(page["Location"]).content.decode()
    )
    return " ".join(found)


def test_a_template_is_written_shown_and_saved(marketer: Client) -> None:
    page = marketer.get("/templates/new/?start=letter")
    assert 'name="source"' in page.content.decode()
    assert "customer.first_name" in text_of(page)
    fields = {"name": "News", "message_class": "marketing", "subject": "Hi", "source": SOURCE}
    panel = marketer.post("/templates/preview/", fields | {"who": "ann1"})
    assert "ann1@example.com" in text_of(panel)
    assert "Hello =Ann1" in text_of(panel)
    saved = marketer.post("/templates/new/", fields)
    assert "News is saved" in toasts(marketer, saved)
    assert [one.name for one in broadcast.list_templates()] == ["News"]
    assert "News" in text_of(marketer.get("/templates/"))


def test_a_template_with_a_mistake_keeps_what_was_typed(marketer: Client) -> None:
    wrong = SOURCE.replace("Hello", "{% if %} Hello")
    page = marketer.post("/templates/new/", {"name": "Mine", "subject": "Hi", "source": wrong})
    assert page.status_code == 422
    assert 'value="Mine"' in page.content.decode()
    assert "{% if %} Hello" in page.content.decode()
    assert 'role="alert"' in page.content.decode()
    assert broadcast.list_templates() == []


def test_mail_is_shown_only_in_a_sandbox(marketer: Client) -> None:
    evil = SOURCE.replace("Hello", "<script>alert(1)</script>Hello")
    made = broadcast.create_template(name="Evil", subject="Hi", source=evil, by="x", now=NOW)
    for page in (
        marketer.get(f"/templates/{made.template_id}/body/"),
        marketer.post("/templates/preview/body/", {"subject": "Hi", "source": evil}),
    ):
        policy = page["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox;")
        assert "allow-scripts" not in policy
        assert "default-src 'none'" in policy
        assert page["X-Frame-Options"] == "SAMEORIGIN"
        assert '<base target="_blank">' in page.content.decode()
    editor = marketer.get(f"/templates/{made.template_id}/").content.decode()
    assert "<script>alert(1)" not in editor
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in editor


def test_a_campaign_is_estimated_while_it_is_planned(marketer: Client, campaign: Campaign) -> None:
    query = f"segment_id={campaign.segment_id}&holdout=50&purpose=marketing.email"
    piece = text_of(marketer.get(f"/campaigns/estimate/?{query}"))
    assert "3 of 6 members can be reached" in piece
    assert "The customer has not agreed to this purpose. 2" in piece
    assert "The customer has no address for this channel. 1" in piece
    assert "Choose a segment" in text_of(marketer.get("/campaigns/estimate/"))


def test_a_plan_that_cannot_be_carried_out_keeps_what_was_typed(marketer: Client) -> None:
    page = marketer.post("/campaigns/new/", {"name": "Spring", "holdout": "a tenth"})
    assert page.status_code == 422
    assert 'value="Spring"' in page.content.decode()
    assert "Choose a segment: whom the message is for." in text_of(page)
    assert api_campaigns.list_campaigns().items == []


def test_a_campaign_is_previewed_for_a_member_only(marketer: Client, campaign: Campaign) -> None:
    page = marketer.get(f"/campaigns/{campaign.campaign_id}/?who=ann2")
    assert "Hi =Ann2" in text_of(page)
    assert "ann2@example.com" in text_of(page)
    asked = {"headers": {"HX-Request": "true"}}
    piece = marketer.get(f"/campaigns/{campaign.campaign_id}/preview/?who=nobody", **asked)
    assert "No member with an address matches “nobody”" in text_of(piece)


def test_a_launch_needs_the_number_and_the_password(campaign: Campaign) -> None:
    address = f"/campaigns/{campaign.campaign_id}/launch/"
    client = sign_in("admin")
    answer = client.post(address, {"confirm": "3", "expected": "3"})
    assert answer["Location"].startswith("/sign-in/confirm/")
    confirm(client)
    said = toasts(client, client.post(address, {"confirm": "4", "expected": "3"}))
    assert "the number typed was not how many" in said
    said = toasts(client, client.post(address, {"confirm": "90", "expected": "90"}))
    assert "3 would get it by now, not 90" in said
    assert api_campaigns.get_campaign(campaign_id=campaign.campaign_id).state == "draft"
    said = toasts(client, client.post(address, {"confirm": "3", "expected": "3", "when": "now"}))
    assert "Autumn has begun" in said


def test_a_time_is_read_in_the_readers_zone(marketer: Client, campaign: Campaign) -> None:
    marketer.cookies["tz"] = "Asia/Tokyo"
    at = (NOW + timedelta(days=2)).replace(hour=3, minute=15, second=0, microsecond=0)
    typed = (at + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    fields = {"confirm": "3", "expected": "3", "when": "at", "at": typed}
    marketer.post(f"/campaigns/{campaign.campaign_id}/launch/", fields)
    held = api_campaigns.get_campaign(campaign_id=campaign.campaign_id)
    assert (held.state, held.scheduled_at) == ("scheduled", at)
    said = toasts(
        marketer,
        marketer.post(f"/campaigns/{campaign.campaign_id}/launch/", fields | {"at": "soon"}),
    )
    assert "Say on which day and at what time" in said


@pytest.fixture
def running(marketer: Client, campaign: Campaign) -> Campaign:
    api_campaigns.launch_campaign(campaign_id=campaign.campaign_id, by="x", now=datetime.now(UTC))
    while api_campaigns.run_campaigns(now=datetime.now(UTC)):
        pass
    return api_campaigns.get_campaign(campaign_id=campaign.campaign_id)


def test_a_campaign_under_way_is_watched_paused_and_stopped(
    marketer: Client, running: Campaign
) -> None:
    home = f"/campaigns/{running.campaign_id}"
    assert running.state == "sending"
    page = marketer.get(f"{home}/")
    assert "0 of 3 settled" in text_of(page)
    assert "3 of 3 messages have not left yet" in text_of(page)
    piece = marketer.get(f"{home}/progress/?was=sending")
    assert "HX-Refresh" not in piece.headers
    assert 'id="unsent"' in piece.content.decode()
    assert "paused" in toasts(marketer, marketer.post(f"{home}/pause/"))
    assert marketer.get(f"{home}/progress/?was=sending")["HX-Refresh"] == "true"
    assert "goes on" in toasts(marketer, marketer.post(f"{home}/resume/"))
    assert "stopped" in toasts(marketer, marketer.post(f"{home}/stop/"))
    page = text_of(marketer.get(f"{home}/"))
    assert "3 of 3 settled" in page
    assert "3 cancelled" in page
    said = toasts(marketer, marketer.post(f"{home}/resume/"))
    assert "is stopped, so it cannot be resumed" in said


def test_the_report_says_every_figure_with_its_meaning(marketer: Client, running: Campaign) -> None:
    page = marketer.get(f"/campaigns/{running.campaign_id}/")
    report = api_campaigns.report_campaign(campaign_id=running.campaign_id, now=datetime.now(UTC))
    text = text_of(page)
    assert report.verdict in text.replace("&#x27;", "'")
    for key in ("targeted", "sent", "suppressed", "failed", "unknown", "pending", "cancelled"):
        assert report.definitions[key] in text.replace("&#x27;", "'")
    assert "The customer has no address for this channel." in text
    assert "In neither group 3" in text


def test_a_copy_is_a_draft_and_an_archive_leaves_the_list(
    marketer: Client, campaign: Campaign
) -> None:
    answer = marketer.post(f"/campaigns/{campaign.campaign_id}/copy/")
    assert answer["Location"].endswith("/edit/")
    assert "Autumn (copy)" in text_of(marketer.get("/campaigns/"))
    marketer.post(f"/campaigns/{campaign.campaign_id}/archive/")
    page = text_of(marketer.get("/campaigns/"))
    assert "French · News" in page
    assert len(api_campaigns.list_campaigns().items) == 1
    assert "Autumn" in text_of(marketer.get("/campaigns/?state=archived"))


def test_a_journey_begins_with_the_ready_one_and_goes_live(marketer: Client) -> None:
    assert "Start from “Abandoned cart”" in text_of(marketer.get("/journeys/"))
    wrong = marketer.post("/journeys/new/", {"name": "Carts", "template_id": ""})
    assert wrong.status_code == 422
    assert 'value="Carts"' in wrong.content.decode()
    template = make_template()
    made = marketer.post("/journeys/new/", {"name": "Carts", "template_id": template.template_id})
    assert "Carts is a draft" in toasts(marketer, made)
    home = made["Location"]
    page = marketer.get(home)
    assert page.content.decode().count("<foreignObject") == 6  # the entry, three steps, two ends
    assert "Sends “News”" in text_of(page)
    assert "is live" in toasts(marketer, marketer.post(f"{home}state/", {"state": "live"}))
    assert "Product Added" in text_of(marketer.get(f"{home}flow/"))
    assert "is paused" in toasts(marketer, marketer.post(f"{home}state/", {"state": "paused"}))
    said = toasts(marketer, marketer.post(f"{home}state/", {"state": "sideways"}))
    assert "live, paused or archived" in said
    assert "archived" in toasts(marketer, marketer.post(f"{home}state/", {"state": "archived"}))
    assert api_journeys.list_journeys() == []


def test_a_definition_with_a_mistake_keeps_what_was_typed(marketer: Client) -> None:
    definition = api_journeys.abandoned_cart(template_id=make_template().template_id)
    journey = api_journeys.create_journey(name="Carts", definition=definition, by="x", now=NOW)
    home = f"/journeys/{journey.journey_id}/edit/"
    page = marketer.post(home, {"name": "Carts", "definition": '{"start": nonsense'})
    assert page.status_code == 422
    assert "This is not JSON" in text_of(page)
    assert "nonsense" in page.content.decode()
    typed = json.dumps(definition | {"start": "nowhere"})
    piece = marketer.post("/journeys/check/", {"definition": typed})
    assert "nowhere" in text_of(piece)
    changed = json.dumps(definition | {"reentry_days": 30})
    said = toasts(marketer, marketer.post(home, {"name": "Carts", "definition": changed}))
    assert "version 2" in said


def test_who_may_only_look_sees_no_button(campaign: Campaign) -> None:
    viewer = sign_in("viewer")
    page = viewer.get(f"/campaigns/{campaign.campaign_id}/").content.decode()
    for word in ("Launch", "Archive", ">Edit<", "Send the test"):
        assert word not in page
    assert viewer.post(f"/campaigns/{campaign.campaign_id}/stop/").status_code == 403
    assert viewer.get("/mailbox/").status_code == 403


def test_the_banner_says_whether_messages_leave_and_changes_it(marketer: Client) -> None:
    page = marketer.get("/campaigns/")
    assert "Nothing leaves from here yet." in text_of(page)
    assert "An admin can change that here." in text_of(page)
    assert marketer.post("/sending/arm/", {"confirm": "send"}).status_code == 403
    admin = sign_in("admin")
    back = {"next": "/journeys/"}
    said = toasts(admin, admin.post("/sending/arm/", back | {"confirm": "yes"}))
    assert "Nothing leaves" in said
    assert not broadcast.sending_state(now=NOW).is_armed
    answer = admin.post("/sending/arm/", back | {"confirm": "send"})
    assert answer["Location"] == "/journeys/"
    assert broadcast.sending_state(now=NOW).is_armed
    assert "Messages go to the local mailbox" in text_of(admin.get("/templates/"))
    elsewhere = admin.post("/sending/stop/", {"next": "https://elsewhere.example/"})
    assert elsewhere["Location"] == "/messages/"
    assert "All sending is stopped." in text_of(marketer.get("/campaigns/"))
    admin.post("/sending/resume/", back)
    assert not broadcast.sending_state(now=NOW).is_stopped


def test_the_palette_finds_what_reaches_people(marketer: Client, campaign: Campaign) -> None:
    found = text_of(marketer.get("/find/?q=aut"))
    assert "Autumn campaign, draft" in found
    assert "News template" in text_of(marketer.get("/find/?q=new"))

"""The connectors' screens: the catalogue, secrets of sources, mailboxes, enrichments."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.infra import config
from amity.store import api as store
from amity.store import api_fetching, api_outbound


def sign_in(role: str = "admin") -> Client:
    from amity.web.staff.models import Staff

    Staff.objects.create_user(f"{role}-one", password="seven kettles", role=role)
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": f"{role}-one", "password": "seven kettles"})
    return client


def page(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, address
    return answer.content.decode()


@pytest.fixture(scope="module")
def admin(module_db: str) -> Client:
    return sign_in()


def test_the_catalogue_names_all_there_is_and_is_searched(admin: Client) -> None:
    shown = page(admin, "/connectors/")
    for kind in store.list_dialects():
        assert kind.title in shown
    for each in store.list_connectors():
        assert each.title in shown
    for words in ("Databases", "Mailboxes", "Enrichment over HTTP", "Webhooks to others"):
        assert words in shown
    found = page(admin, "/connectors/", q="shopify")
    assert "Shopify" in found
    assert "WooCommerce" not in found
    assert "WooCommerce" not in page(admin, "/connectors/", show="file")
    assert "Nothing is called that here" in page(admin, "/connectors/", q="no such thing")


def test_each_says_how_it_is_set_up_ready_to_paste(admin: Client) -> None:
    from amity.web.connectors.entries import list_entries

    source = store.create_source(name="paste here", kind="server")
    public = store.create_source(name="in the page", kind="browser")
    for entry in list_entries():
        shown = page(admin, f"/connectors/{entry.kind}/{entry.name}/", source=str(source.source_id))
        assert entry.title in shown, entry
    hook = page(admin, "/connectors/webhook/shopify/", source=str(source.source_id))
    assert f"/hooks/shopify/{source.write_key}" in hook
    assert "none yet: all is refused" in hook
    assert "in the page" not in hook, "webhooks are for server sources"
    client = page(admin, "/connectors/client/segment/", source=str(public.source_id))
    assert public.write_key in client
    assert admin.get("/connectors/client/nothing/").status_code == 404
    reader = sign_in("marketer")
    shown = page(reader, "/connectors/webhook/shopify/", source=str(source.source_id))
    assert source.write_key not in shown
    assert "/hooks/shopify/WRITE_KEY" in shown


def test_what_is_in_use_is_told(admin: Client) -> None:
    source = store.create_source(name="uses", kind="server")
    store.set_source_secret(
        source_id=source.source_id, dialect="stripe", secret="a long secret", by="ada"
    )
    library = {"library": {"name": "posthog-python", "version": "7"}}
    event = {"type": "track", "event": "X", "userId": "u", "messageId": "m", "context": library}
    store.append_events(
        source_id=source.source_id,
        events=[msgspec.json.encode(event), b"not json"],
        now=datetime.now(UTC),
    )
    used = page(admin, "/connectors/", show="used")
    assert "PostHog" in used
    assert "Stripe" in used
    assert "Snowplow" not in used


def test_an_export_is_made_changed_tried_and_run_on_its_page(admin: Client) -> None:
    rule = {"node": "check", "field": "profile.email", "is": {"op": "exists"}}
    made = analysis.create_segment(name="Known", rule=rule, by="t", now=datetime.now(UTC))
    given = {"name": "Nightly", "segment": str(made.segment_id), "destination": "database"}
    given |= {"address": "sqlite:///screen.db", "table": "people", "columns": "email"}
    given |= {"purpose": "sharing", "every_hours": "36"}
    shown = admin.post("/exports/new/", given, follow=True).content.decode()
    assert "Nightly is on its way" in shown
    [one] = api_outbound.list_exports()
    address = f"/exports/{one.export_id}/"
    tried = admin.post(f"{address}try/", follow=True).content.decode()
    assert "It can be reached" in tried
    form = page(admin, f"{address}edit/")
    assert "screen.db" not in form, "an address is a secret"
    assert '<option value="36" selected>' in form
    wrong = admin.post(f"{address}edit/", given | {"address": "", "table": "a b"})
    assert wrong.status_code == 422
    changed = given | {"address": "", "columns": "email\nname", "name": "Weekly"}
    assert (
        "Weekly is changed" in admin.post(f"{address}edit/", changed, follow=True).content.decode()
    )
    assert api_outbound.get_export(export_id=one.export_id).columns == [
        "profile_id",
        "email",
        "name",
    ]
    admin.post(f"{address}run/")
    waiting = page(admin, address)
    assert 'hx-trigger="every 2s"' in waiting, "a run under way shows how far it is by itself"
    analysis.run_exports(now=datetime.now(UTC))
    assert 'hx-trigger="every 2s"' not in page(admin, address)
    piece = admin.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in piece
    admin.post(f"{address}delete/")
    assert api_outbound.list_exports() == []


def test_a_secret_is_set_replaced_and_forgotten_on_the_sources_page(admin: Client) -> None:
    source = store.create_source(name="shop", kind="server")
    address = f"/sources/{source.source_id}/"

    def post(**given: str) -> str:
        answer = admin.post(f"{address}secret/", {"dialect": "shopify"} | given, follow=True)
        return answer.content.decode()

    assert "refused without a secret" in page(admin, address)
    shown = post(secret="the first secret")
    assert "holds within a second" in shown
    assert "the first secret" not in shown
    assert "8 to 500 characters" in post(secret="short")
    assert "is good until" in post(secret="another secret")
    made = post(do="make", dialect="calls")
    assert "whsec_" in made
    assert "whsec_" not in page(admin, address), "it is shown once"
    assert "Forgotten" in post(do="forget")
    left = store.list_source_secrets(source_id=source.source_id)
    assert [each.dialect for each in left] == ["calls"]


def test_a_mailbox_that_lets_nobody_in_is_not_added(admin: Client) -> None:
    given = {"name": "Care", "host": "127.0.0.1", "port": "1", "username": "care@brand.example"}
    with config.override(egress_allow=""):
        answer = admin.post("/connectors/mailboxes/", given | {"password": "a secret"})
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "AMITY_EGRESS_ALLOW" in shown
    assert "a secret" not in shown
    assert 'value="care@brand.example"' in shown, "what was typed stays"
    assert api_fetching.list_mailboxes() == []


def test_an_enrichment_is_added_paused_and_forgotten(admin: Client) -> None:
    given: dict[str, Any] = {
        "name": "Panel",
        "url": "http://127.0.0.1:9/people?hash={value}",
        "key": "email_sha256",
        "purpose": "sharing",
        "lawful_basis": "consent",
        "mapping": "company_size = company.size\nlikes = tags",
        "secret": "Bearer key-1",
        "header": "Authorization",
    }
    address = "/connectors/enrichments/"
    with config.override(egress_allow="127.0.0.0/8"):
        wrong = admin.post(address, given | {"mapping": "company size"})
        assert wrong.status_code == 422
        assert "trait = place" in wrong.content.decode()
        shown = admin.post(address, given, follow=True).content.decode()
    assert "company_size, likes" in shown
    assert "key-1" not in shown
    [one] = api_fetching.list_enrichments()
    change = f"{address}{one.enrichment_id}/"
    with config.override(egress_allow="127.0.0.0/8"):
        tried = admin.post(change, {"do": "test"}, follow=True).content.decode()
    assert "Asked about nobody real, " in tried
    assert "nobody is asked" in admin.post(change, {"do": "pause"}, follow=True).content.decode()
    ask = {"do": "ask", "profile_id": "999999"}
    assert "no profile" in admin.post(change, ask, follow=True).content.decode().lower()
    admin.post(change, {"do": "delete"})
    assert api_fetching.list_enrichments() == []


def test_who_may_not_change_cannot(admin: Client) -> None:
    analyst = sign_in("analyst")
    assert "Add a mailbox" not in page(analyst, "/connectors/mailboxes/")
    for address in ("mailboxes/", "mailboxes/1/", "enrichments/", "enrichments/1/"):
        assert analyst.post(f"/connectors/{address}", {"do": "delete"}).status_code == 403
    assert sign_in("viewer").get("/connectors/").status_code == 403

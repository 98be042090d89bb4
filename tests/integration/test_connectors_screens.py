"""The connectors' screens: the catalogue, secrets of sources, mailboxes, enrichments."""

from typing import Any

import pytest
from django.test import Client

from amity.infra import config
from amity.store import api as store


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
    assert store.list_mailboxes() == []


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
    [one] = store.list_enrichments()
    change = f"{address}{one.enrichment_id}/"
    assert "nobody is asked" in admin.post(change, {"do": "pause"}, follow=True).content.decode()
    ask = {"do": "ask", "profile_id": "999999"}
    assert "no profile" in admin.post(change, ask, follow=True).content.decode().lower()
    admin.post(change, {"do": "delete"})
    assert store.list_enrichments() == []


def test_who_may_not_change_cannot(admin: Client) -> None:
    analyst = sign_in("analyst")
    assert "Add a mailbox" not in page(analyst, "/connectors/mailboxes/")
    for address in ("mailboxes/", "mailboxes/1/", "enrichments/", "enrichments/1/"):
        assert analyst.post(f"/connectors/{address}", {"do": "delete"}).status_code == 403
    assert sign_in("viewer").get("/connectors/").status_code == 403

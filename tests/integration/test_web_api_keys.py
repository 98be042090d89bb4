"""API keys: shown once, kept as hashes, scoped, ending, revocable."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from amity.kernel.errors import Invalid, NotFound

NOW = datetime.now(UTC)


def test_a_key_is_found_by_its_text_and_allows_its_scopes(db: str) -> None:
    from amity.web.staff import api_keys, models

    text = api_keys.create_api_key(name="Till", scopes=["profiles:read"], by="ada")
    row = models.ApiKey.objects.get()
    assert text not in str(row.__dict__)
    assert text.startswith(row.prefix)
    found = api_keys.find_api_key(text=text, now=NOW)
    assert found is not None
    assert found.allows("profiles:read")
    assert not found.allows("profiles:write")
    assert api_keys.find_api_key(text=text + "x", now=NOW) is None
    assert api_keys.list_api_keys()[0].last_used_at == NOW


def test_a_key_ends_when_it_expires_or_is_revoked(db: str) -> None:
    from amity.web.staff import api_keys

    text = api_keys.create_api_key(
        name="k", scopes=["*"], by="ada", expires_at=NOW + timedelta(days=1)
    )
    assert api_keys.find_api_key(text=text, now=NOW + timedelta(hours=23)) is not None
    assert api_keys.find_api_key(text=text, now=NOW + timedelta(days=1)) is None
    key_id = api_keys.list_api_keys()[0].key_id
    api_keys.revoke_api_key(key_id=key_id, now=NOW)
    api_keys.revoke_api_key(key_id=key_id, now=NOW + timedelta(hours=1))
    assert api_keys.list_api_keys()[0].revoked_at == NOW
    assert api_keys.find_api_key(text=text, now=NOW) is None
    with pytest.raises(NotFound):
        api_keys.revoke_api_key(key_id=key_id + 1, now=NOW)


def test_a_key_without_name_or_known_scopes_is_refused(db: str) -> None:
    from amity.web.staff import api_keys

    poor = [("k", []), ("k", ["profiles:delete"]), ("  ", ["*"]), ("n" * 101, ["*"])]
    for name, scopes in poor:
        with pytest.raises(Invalid):
            api_keys.create_api_key(name=name, scopes=scopes, by="ada")
    assert api_keys.list_api_keys() == []


def test_the_screen_shows_a_key_once_and_revokes_it(db: str) -> None:
    from amity.web.staff import api_keys
    from amity.web.staff.models import Staff

    Staff.objects.create_user("ada", password="x" * 12, role="admin")
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": "ada", "password": "x" * 12})
    page = client.post(
        "/settings/keys/", {"name": "Nightly", "scopes": ["segments:read"], "days": "30"}
    ).content.decode()
    text = page.split('id="new-key">')[1].split("<")[0]
    assert api_keys.find_api_key(text=text, now=datetime.now(UTC)) is not None
    assert text not in client.get("/settings/keys/").content.decode()
    key_id = api_keys.list_api_keys()[0].key_id
    client.post(f"/settings/keys/{key_id}/revoke/")
    assert api_keys.find_api_key(text=text, now=datetime.now(UTC)) is None
    missing = client.post("/settings/keys/", {"name": "No scope", "days": "30"})
    assert "Choose at least one." in missing.content.decode()

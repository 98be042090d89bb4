"""Every address × every role: allowed or refused as declared, and a refusal changes nothing."""

import hashlib
from collections.abc import Iterator

from django.test import Client

ROLES = ("viewer", "agent", "analyst", "marketer", "admin")
SAMPLES = {
    "int": "1",
    "str": "x",
    "path": "x",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "slug": "x",
}


def addresses() -> Iterator[tuple[str, object]]:
    """Every address of ours with its view; the admin has its own door, tested below."""
    from amity.site.urls import urlpatterns

    for pattern in urlpatterns:
        if str(pattern.pattern).startswith("admin/"):
            continue
        route = str(pattern.pattern)
        for name, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            sample = SAMPLES["str" if kind == "string" else kind]
            route = route.replace(f"<{kind if kind != 'string' else 'str'}:{name}>", sample)
            route = route.replace(f"<{name}>", sample)
        if "(?P" in route:
            continue  # the control API, which is opened by keys and has its own matrix
        yield "/" + route, pattern.callback


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-one", password="x" * 12, role=role))
    return client


def digest() -> str:
    """A fingerprint of every table's every row, sessions apart."""
    from amity.infra.database import transaction

    found = hashlib.sha256()
    with transaction("owner") as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND relname <> 'django_session' ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            row = connection.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
                f'FROM "{table}" t'
            ).fetchone()
            found.update(f"{table} {row[0]}".encode())
    return found.hexdigest()


def test_every_view_declares_who_may_see_it(db: str) -> None:
    from amity.web.staff.permissions import CAPABILITIES

    known = set().union(*CAPABILITIES.values()) | {None}
    undeclared = [
        address
        for address, view in addresses()
        if getattr(view, "capability", "missing") not in known
    ]
    assert undeclared == []


def test_each_role_gets_in_where_it_should_and_nowhere_else(db: str) -> None:
    clients = {role: sign_in(role) for role in ROLES}
    before = digest()
    wrong = {role: mismatches(role, client) for role, client in clients.items()}
    assert wrong == {role: [] for role in ROLES}
    assert digest() == before


def mismatches(role: str, client: Client) -> list[tuple[str, object]]:
    from amity.web.staff.permissions import can

    client.raise_request_exception = False
    wrong: list[tuple[str, object]] = []
    for address, view in addresses():
        capability = view.capability
        if capability is None:
            continue
        if not can(role, capability):
            answers = {client.get(address).status_code, client.post(address).status_code}
            if 403 not in answers or not answers <= {403, 405}:
                wrong.append((address, answers))
        else:
            answer = client.get(address).status_code
            if answer == 403 or answer >= 500:
                wrong.append((address, answer))
    return wrong


def test_who_is_not_signed_in_is_sent_to_the_door_and_changes_nothing(db: str) -> None:
    client = Client(SERVER_NAME="localhost")
    before = digest()
    for address, view in addresses():
        if view.capability is None:
            continue
        answers = [client.get(address), client.post(address)]
        answers = [answer for answer in answers if answer.status_code != 405]
        assert answers, address
        for answer in answers:
            assert answer.status_code == 302, address
            assert answer["Location"].startswith("/sign-in/?next="), address
    piece = client.get("/customers/", headers={"HX-Request": "true"})
    assert piece.status_code == 401
    assert piece["HX-Redirect"].startswith("/sign-in/")
    assert digest() == before


def test_the_admin_is_for_admins_and_shows_no_hashes(db: str) -> None:
    from amity.web.staff.api_keys import create_api_key
    from amity.web.staff.models import ApiKey

    create_api_key(name="till", scopes=["*"], by="x")
    key = ApiKey.objects.get()
    one = f"/admin/staff/apikey/{key.pk}/change/"
    for role in ROLES:
        client = sign_in(role)
        for path in ("/admin/", "/admin/staff/staff/", "/admin/staff/apikey/", one):
            answer = client.get(path)
            assert (answer.status_code == 200) == (role == "admin"), (role, path)
            assert b"key_hash" not in answer.content
            assert bytes(key.key_hash).hex().encode() not in answer.content


def test_what_is_grave_asks_for_the_password_again(db: str) -> None:
    from amity.web.staff.models import ApiKey

    client = sign_in("admin")  # without the mark of having just proved who it is
    answer = client.get("/settings/keys/")
    assert answer.status_code == 302
    assert answer["Location"] == "/sign-in/confirm/?next=/settings/keys/"
    client.post("/settings/keys/", {"name": "k", "scopes": ["*"], "days": "30"})
    assert not ApiKey.objects.exists()
    client.post("/sign-in/confirm/", {"password": "wrong", "next": "/settings/keys/"})
    assert client.get("/settings/keys/").status_code == 302
    answer = client.post("/sign-in/confirm/", {"password": "x" * 12, "next": "/settings/keys/"})
    assert answer["Location"] == "/settings/keys/"
    assert client.get("/settings/keys/").status_code == 200

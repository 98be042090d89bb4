"""Signing in: one-time links, passwords, limits, and when sessions end."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

PASSWORD = "seven green kettles"


def browser(**kwargs) -> Client:
    return Client(SERVER_NAME="localhost", **kwargs)


def person(name: str = "ada", role: str = "viewer", password: str = PASSWORD):
    from amity.web.staff.models import Staff

    return Staff.objects.create_user(name, password=password, role=role)


def enter(name: str = "ada", password: str = PASSWORD) -> Client:
    client = browser()
    answer = client.post("/sign-in/", {"username": name, "password": password})
    assert answer.status_code == 302, answer.content
    return client


def is_in(client: Client) -> bool:
    return client.get("/about/").status_code == 200


def test_a_fresh_installation_has_no_accounts_and_no_way_in(db: str) -> None:
    from amity.web.staff.models import Staff

    assert not Staff.objects.exists()
    for name, password in (("admin", "admin"), ("admin", ""), ("root", "password")):
        answer = browser().post("/sign-in/", {"username": name, "password": password})
        assert answer.status_code in (200, 422)


def test_the_first_link_makes_an_admin_who_is_asked_for_a_password(db: str) -> None:
    from amity.web.staff.models import Staff
    from amity.web.staff.sign_in import create_sign_in_link

    link = create_sign_in_link(username="admin", now=datetime.now(UTC))
    client = browser()
    assert b"Sign in" in client.get(link).content
    answer = client.post(link)
    assert answer["Location"] == "/settings/password/"
    assert Staff.objects.get().role == "admin"
    assert not Staff.objects.get().has_usable_password()
    assert b"have no password yet" in client.get("/about/").content
    for poor in ("short", "password123", "1234567890"):
        assert client.post("/settings/password/", {"password": poor}).status_code == 200
        assert not Staff.objects.get().has_usable_password()
    assert client.post("/settings/password/", {"password": PASSWORD}).status_code == 302
    assert is_in(client)
    assert Staff.objects.get().password.startswith("argon2$argon2id$")
    assert is_in(enter("admin"))


def test_looking_at_a_link_spends_nothing_and_it_works_once(db: str) -> None:
    from amity.web.staff.models import SignInLink
    from amity.web.staff.sign_in import create_sign_in_link

    link = create_sign_in_link(username="admin", now=datetime.now(UTC))
    scanner = browser()
    for _ in range(3):
        assert scanner.get(link).status_code == 200
        assert scanner.head(link).status_code == 200
    assert SignInLink.objects.get().used_at is None
    assert not is_in(scanner)
    first, second = browser(), browser()
    first.post(link)
    second.post(link)
    assert is_in(first)
    assert not is_in(second)
    assert second.get(link).status_code == 410


def test_a_link_is_kept_as_a_hash_and_ends(db: str) -> None:
    from amity.web.staff.models import SignInLink
    from amity.web.staff.sign_in import create_sign_in_link, use_link

    link = create_sign_in_link(
        username="admin", now=datetime.now(UTC), lifetime=timedelta(minutes=15)
    )
    token = link.rstrip("/").rsplit("/", 1)[1]
    assert len(token) >= 43  # 256 bits
    assert token.encode() not in bytes(SignInLink.objects.get().token_hash)
    assert use_link(token=token, now=datetime.now(UTC) + timedelta(minutes=15)) is None
    assert use_link(token=token[:-1], now=datetime.now(UTC)) is None
    assert use_link(token=token, now=datetime.now(UTC) + timedelta(minutes=14)) is not None


def test_only_known_and_active_people_get_links(db: str) -> None:
    from amity.kernel.errors import Invalid
    from amity.web.staff.sign_in import create_sign_in_link

    ada = person(role="admin")
    with pytest.raises(Invalid):
        create_sign_in_link(username="nobody", now=datetime.now(UTC))
    link = create_sign_in_link(username="ada", now=datetime.now(UTC))
    ada.is_active = False
    ada.save()
    assert browser().post(link).status_code == 410
    with pytest.raises(Invalid):
        create_sign_in_link(username="ada", now=datetime.now(UTC))


def test_wrong_words_say_the_same_whoever_is_meant(db: str) -> None:
    person()
    known = browser().post("/sign-in/", {"username": "ada", "password": "wrong"})
    unknown = browser().post("/sign-in/", {"username": "eve", "password": "wrong"})
    assert known.status_code == unknown.status_code == 422
    assert b"do not go together" in known.content
    assert b"do not go together" in unknown.content


def test_too_many_tries_are_stopped_even_with_the_right_words(db: str) -> None:
    person()
    client = browser()
    for _ in range(5):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    answer = client.post("/sign-in/", {"username": "ADA ", "password": PASSWORD})
    assert answer.status_code == 429
    assert not is_in(client)
    elsewhere = Client(SERVER_NAME="localhost", REMOTE_ADDR="192.0.2.7")
    answer = elsewhere.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302  # her own address is not shut out by a stranger's


def test_one_address_may_not_try_many_names(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amity.web.staff.sign_in._PER_ADDRESS", 4)
    for index in range(4):
        browser().post("/sign-in/", {"username": f"name{index}", "password": "wrong"})
    answer = browser().post("/sign-in/", {"username": "another", "password": "wrong"})
    assert answer.status_code == 429


def test_tries_are_forgotten_after_a_while(db: str) -> None:
    from amity.web.staff.models import SignInAttempt

    person()
    for _ in range(5):
        browser().post("/sign-in/", {"username": "ada", "password": "wrong"})
    SignInAttempt.objects.update(at=datetime.now(UTC) - timedelta(minutes=16))
    enter()


def test_a_change_of_password_role_or_standing_ends_every_session(db: str) -> None:
    for change in ("password", "role", "is_active"):
        ada = person(change)
        one, other = enter(change), enter(change)
        assert is_in(one)
        assert is_in(other)
        if change == "password":
            ada.set_password("another long phrase")
        elif change == "role":
            ada.role = "agent"
        else:
            ada.is_active = False
        ada.save()
        assert not is_in(one)
        assert not is_in(other)


def test_setting_ones_own_password_keeps_this_session_and_ends_the_others(db: str) -> None:
    person()
    one, other = enter(), enter()
    answer = one.post("/settings/password/", {"password": "another long phrase"})
    assert answer.status_code == 302
    assert is_in(one)
    assert not is_in(other)


def test_signing_in_gives_a_session_of_its_own(db: str) -> None:
    person()
    client = browser()
    client.get("/sign-in/")
    client.session["planted"] = "by somebody else"
    from django.conf import settings

    client.cookies[settings.SESSION_COOKIE_NAME] = "planted-session-key"
    client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie.value != "planted-session-key"
    assert "planted" not in client.session
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_signing_out_takes_a_post(db: str) -> None:
    person()
    client = enter()
    assert client.get("/sign-out/").status_code == 405
    assert is_in(client)
    client.post("/sign-out/")
    assert not is_in(client)


def test_signing_in_never_leads_to_another_site(db: str) -> None:
    person()
    words = {"username": "ada", "password": PASSWORD}
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"):
        answer = browser().post("/sign-in/", words | {"next": wanted})
        assert answer["Location"] == "/", wanted


def test_forms_from_elsewhere_are_refused(db: str) -> None:
    person()
    strict = browser(enforce_csrf_checks=True)
    answer = strict.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert b"too old to send" in answer.content


def test_people_are_added_changed_and_the_last_admin_stays(db: str) -> None:
    from amity.web.staff.models import Staff

    person("boss", role="admin")
    client = enter("boss")
    page = client.post("/settings/people/", {"username": "eve", "name": "Eve", "role": "agent"})
    assert b"/sign-in/link/" in page.content
    eve, boss = Staff.objects.get(username="eve"), Staff.objects.get(username="boss")
    client.post(f"/settings/people/{eve.pk}/", {"role": "analyst"})
    assert Staff.objects.get(pk=eve.pk).role == "analyst"
    client.post(f"/settings/people/{eve.pk}/", {"role": "emperor"})
    assert Staff.objects.get(pk=eve.pk).role == "analyst"
    client.post(f"/settings/people/{boss.pk}/", {"role": "viewer"})
    client.post(f"/settings/people/{boss.pk}/", {"active": "no"})
    assert Staff.objects.get(pk=boss.pk).role == "admin"
    assert Staff.objects.get(pk=boss.pk).is_active
    client.post(f"/settings/people/{eve.pk}/", {"active": "no"})
    assert not Staff.objects.get(pk=eve.pk).is_active


def test_cookies_are_bound_to_the_host_behind_https(db: str) -> None:
    import subprocess
    import sys

    from amity.infra.config import environment

    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from amity.site import settings as s;"
            "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_NAME,"
            "s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0, s.SECURE_PROXY_SSL_HEADER[1])",
        ],
        env=environment() | {"AMITY_HTTPS": "true", "AMITY_WEB_PORT": "8000"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [
        "__Host-amity_8000",
        "True",
        "__Host-csrf_8000",
        "True",
        "True",
        "https",
    ]

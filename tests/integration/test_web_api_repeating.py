"""Asking the control API again with the same Idempotency-Key does nothing twice (card T7)."""

import json
import threading

import pytest
from django.db import connections
from django.test import Client

from amity.infra.database import transaction
from amity.store import api as store


@pytest.fixture
def key(db):
    from amity.web.staff import api_keys

    return api_keys.create_api_key(name="test", scopes=("*",), by="test")


def post(key, name, *, once="abc", path="/sources"):
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": once}
    return Client(SERVER_NAME="localhost", headers=headers).post(
        f"/api/v1{path}", json.dumps({"name": name, "kind": "server"}), "application/json"
    )


def names():
    return sorted(source.name for source in store.list_sources() if source.name.startswith("Shop"))


def test_the_same_again_is_answered_as_before(key):
    first, again = post(key, "Shop"), post(key, "Shop")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert first[name] == again[name]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert names() == ["Shop"]


def test_another_request_with_the_key_is_refused(key):
    post(key, "Shop")
    other = post(key, "Shop 2")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert names() == ["Shop"]
    assert post(key, "Shop 2", once="another").status_code == 201


def test_two_api_keys_do_not_share_theirs(key):
    from amity.web.staff import api_keys

    other = api_keys.create_api_key(name="test", scopes=("*",), by="test")
    assert post(key, "Shop").json() != post(other, "Shop 2").json()
    assert names() == ["Shop", "Shop 2"]


def test_while_it_is_being_answered_it_is_409(key, monkeypatch):
    from amity.web.api import repeating

    began, go_on = threading.Event(), threading.Event()
    sound = repeating._headers

    def slow(response):
        began.set()
        go_on.wait(60)
        return sound(response)

    monkeypatch.setattr(repeating, "_headers", slow)
    answers = []

    def ask():
        answers.append(post(key, "Shop"))
        connections.close_all()  # those of this thread

    thread = threading.Thread(target=ask)
    thread.start()
    assert began.wait(60)
    meanwhile = post(key, "Shop")
    go_on.set()
    thread.join()
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "in_progress")
    assert meanwhile["Retry-After"] == "1"
    assert post(key, "Shop").content == answers[0].content
    assert names() == ["Shop"]


def test_who_dies_between_the_effect_and_the_answer_has_done_neither(key, monkeypatch):
    from amity.web.api import repeating

    def die(response):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(repeating, "_headers", die)
        assert post(key, "Shop").status_code == 500
    assert names() == []
    first, again = post(key, "Shop"), post(key, "Shop")
    assert first.status_code == 201
    assert first.content == again.content
    assert names() == ["Shop"]


def test_a_refusal_is_not_kept_and_a_wrong_key_is_refused(key):
    assert post(key, "", once="k").status_code == 422
    assert post(key, "Shop", once="k").status_code == 201
    for wrong in ("", "x" * 256):
        assert post(key, "Shop 3", once=wrong).json()["code"] == "bad_idempotency_key"
    assert names() == ["Shop"]


def test_an_answer_is_kept_for_a_day(key):
    post(key, "Shop")
    with transaction() as connection:
        connection.execute("UPDATE staff_reply SET replied_at = now() - interval '25 hours'")
    assert post(key, "Shop 2").status_code == 201
    with transaction() as connection:
        assert connection.execute("SELECT count(*) FROM staff_reply").fetchone() == (1,)

"""Who may stop long work: who asked for it, and who may change things where it belongs."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from django.test import Client

from amity.analysis import api_work
from amity.analysis.contracts_work import Work
from amity.analysis.logic.working import doing, queue
from amity.cli.main import root
from amity.infra import database
from amity.kernel.errors import Conflict, Denied, NotFound

NOW = datetime.now(UTC)


def ask_for_groups(by):
    return queue.want(queue.Wanted(kind="groups", parameters={}, title="Groups"), by=by, now=NOW)


def person(name, role):
    from amity.web.staff.models import Staff

    made = Client(SERVER_NAME="localhost")
    made.force_login(Staff.objects.create_user(name, role=role))
    return made


def holder(name, *scopes):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(name=name, scopes=scopes, by="t")
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(
    ("asked", "by", "may_all", "may"),
    [
        ("ann", "ann", False, True),
        ("ann", "bob", False, False),
        ("ann", "bob", True, True),
        ("", "bob", False, False),
        # Nobody is who asked for what nobody asked for.
        ("", "", False, False),
    ],
)
def test_ones_own_or_with_the_right_to_change(asked, by, may_all, may):
    assert api_work.may_stop(Work(wanted_by=asked), by=by, may_all=may_all) is may


def test_what_another_asked_for_goes_on(db):
    work_id = ask_for_groups("ann")
    with pytest.raises(Denied, match="ann asked for it"):
        api_work.stop_work(work_id=work_id, by="bob")
    assert queue.find("groups", {}).wanted_at is not None
    api_work.stop_work(work_id=work_id, by="ann")
    assert queue.find("groups", {}).wanted_at is None
    with pytest.raises(NotFound):
        api_work.stop_work(work_id=work_id + 1, by="ann", may_all=True)


def test_the_page_has_the_button_for_whom_it_works(db):
    work_id = ask_for_groups("ann")
    ann, bob = person("ann", "viewer"), person("bob", "viewer")
    cem = person("cem", "analyst")
    live, stop = f"/segments/work/{work_id}/", f"/segments/work/{work_id}/stop/"
    assert b"stop-groups" not in bob.get(live).content
    assert bob.post(stop).status_code == 403
    assert queue.find("groups", {}).wanted_at is not None
    assert b"stop-groups" in cem.get(live).content
    assert b"stop-groups" in ann.get(live).content
    ann.post(stop)
    assert queue.find("groups", {}).error == "ann stopped it before there was an answer"
    ask_for_groups("ann")
    assert queue.find("groups", {}).error == ""
    cem.post(stop)
    assert queue.find("groups", {}).error == "cem stopped it before there was an answer"


def test_a_key_stops_its_own_and_with_the_scope_to_write_anybodys(db):
    work_id = ask_for_groups("key mine")
    where = f"/api/v1/work/{work_id}/stop"
    other = holder("other", "segments:read", "reports:read")
    refused = other.post(where, "{}", content_type="application/json")
    assert refused.status_code == 403
    assert json.loads(refused.content)["code"] == "not_yours"
    # Reports may be changed with this one, segments not.
    wrong = holder("wrong", "segments:read", "reports:read", "reports:write")
    assert wrong.post(where, "{}", content_type="application/json").status_code == 403
    assert queue.find("groups", {}).wanted_at is not None
    mine = holder("mine", "segments:read", "reports:read")
    assert mine.post(where, "{}", content_type="application/json").status_code == 204
    ask_for_groups("ann")
    writer = holder("writer", "segments:read", "segments:write", "reports:read")
    assert writer.post(where, "{}", content_type="application/json").status_code == 204
    [told] = json.loads(writer.get("/api/v1/work").content)["items"]
    assert told["error"] == "key writer stopped it before there was an answer"


def test_at_the_machine_itself_anything_is_stopped(db):
    work_id = ask_for_groups("ann")
    done = CliRunner().invoke(root, ["work", "stop", str(work_id)])
    assert done.output == "It stops.\n"
    assert (
        "nothing new: command line stopped it" in CliRunner().invoke(root, ["work", "list"]).output
    )


def test_who_does_it_and_who_waits_hear_who_stopped_it_first(db):
    work_id = ask_for_groups("ann")
    queue.take(["groups"], now=NOW)
    is_at_it, heard = threading.Event(), []

    def act(work):
        is_at_it.set()
        for step in range(10_000):
            work.tell(step, 10_000, "counting")

    def do():
        with pytest.raises(Conflict) as refused:
            doing.perform(work_id, act)
        heard.append(refused.value.message)

    worker = threading.Thread(target=do)
    worker.start()
    is_at_it.wait()
    queue.cancel(work_id, by="bob")
    queue.cancel(work_id, by="cem")
    worker.join()
    assert heard == ["bob stopped it before there was an answer"]
    assert queue.find("groups", {}).error == heard[0]


def test_what_computes_between_two_queries_keeps_its_connection(db):
    work_id = ask_for_groups("ann")
    assert queue.take(["groups"], now=NOW, work_id=work_id)
    with doing.Watched(work_id) as watched, database.transaction() as connection:
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        with watched.over(connection):
            time.sleep(0.5)
            assert connection.execute("SELECT 1").fetchone() == (1,)

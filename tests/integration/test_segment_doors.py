"""Every tool about segments through the command line, the control API and its page."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from django.test import Client
from tests.fixtures.segment_town import country_is, define, is_in, settle, settle_in, write_profiles

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.cli.main import root
from amity.infra.database import transaction
from amity.testing.installation import wait_for
from amity.testing.working import work_off

HTMX = {"HX-Request": "true"}


def run(*arguments, fails=False):
    done = CliRunner().invoke(root, arguments)
    assert (done.exit_code != 0) == fails, f"{done.output} {done.exception!r}"
    return done.output


@pytest.fixture
def town(db):
    settle_in({"country": land} for land in ["FR", "FR", "FR", "DE", "DE", "IT"])
    french = define("French", country_is("FR"))
    define("Not French", {"node": "not", "of": is_in(french)})
    settle()
    return french


@pytest.fixture
def ask(db):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(
        name="test", scopes=("segments:read", "segments:write", "reports:read"), by="t"
    )
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(path, body=None, *, status=200):
        path = f"/api/v1{path}"
        answer = (
            client.get(path)
            if body is None
            else client.post(path, json.dumps(body), "application/json")
        )
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    return ask


@pytest.fixture
def page(db):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("marketer-person", role="marketer"))
    return client


def text(answer, status=200):
    assert answer.status_code == status, answer.content
    return " ".join(answer.content.decode().split())


def test_versions(town, ask, page):
    analysis.update_segment(
        segment_id=town, rule=country_is("DE"), by="bob", now=analysis_now(town)
    )
    assert "country is “FR” → country is “DE”" in run("segment", "versions", "French")
    found = ask(f"/segments/{town}/versions")["items"]
    assert [(each["number"], each["changed_by"]) for each in found] == [(2, "bob"), (1, "t")]
    shown = text(page.get(f"/segments/{town}/versions/"))
    assert "<del>country is “FR”</del>" in shown
    assert "Go back to 1" in shown

    asked = text(page.get(f"/segments/{town}/versions/1/restore/"))
    assert "Go back to version 1?" in asked
    for said in ("country is “DE”", "country is “FR”", "What saving this would do", "Enter"):
        assert said in asked, said
    assert analysis.get_segment(segment_id=town).rule == country_is("DE")
    assert page.get(f"/segments/{town}/versions/99/restore/").status_code == 404

    answer = page.post(f"/segments/{town}/versions/1/restore/")
    assert answer["Location"] == f"/segments/{town}/versions/"
    assert analysis.get_segment(segment_id=town).rule == country_is("FR")
    run("segment", "restore", "French", "2")
    assert ask(f"/segments/{town}/versions/1/restore", {})["rule"] == country_is("FR")
    ask(f"/segments/{town}/versions/99/restore", {}, status=404)
    hows = [each["how"] for each in json.loads(run("segment", "versions", "French", "--json"))]
    assert hows == ["restored", "restored", "restored", "changed", "made"]


def analysis_now(segment_id):
    return analysis.get_segment(segment_id=segment_id).updated_at


def test_impact_and_uses(town, ask, page):
    rule = country_is("DE")
    told = run("segment", "impact", "French", "--rule", json.dumps(rule))
    assert "Not French" in told
    found = ask(f"/segments/{town}/impact", {"rule": rule})
    assert found["impact"]["changed"]["entering"] == 2
    assert found["impact"]["changed"]["leaving"] == 3
    assert [each["name"] for each in found["impact"]["dependants"]] == ["Not French"]
    assert found["uses"] == []
    assert ask(f"/segments/{town}/uses")["items"][0]["kind"] == "segment"
    assert "asks for it in its rule" in run("segment", "uses", "French")
    assert "asks for it in its rule" in text(page.get(f"/segments/{town}/"))

    form = {
        "segment": town,
        "r.node": "group",
        "r.mode": "all",
        "r.of.0.node": "check",
        "r.of.0.field": "trait",
        "r.of.0.name": "country",
        "r.of.0.op": "eq",
        "r.of.0.v.value": "DE",
    }
    shown = text(page.post("/segments/preview/", form))
    assert "What saving this would do" in shown
    assert "<dt>Enter</dt><dd>2</dd><dt>Leave</dt><dd>3</dd>" in shown
    assert "Segments that ask for it" in shown
    shown = text(page.get(f"/segments/{town}/edit/"))
    assert "The rule stands as it is saved." in shown
    assert "What saving this would do" not in text(page.get("/segments/new/"))


def test_overlap(town, ask, page):
    german = define("German", country_is("DE"))
    everyone = define("Everyone", {"node": "all", "of": []})
    settle()
    told = run("segment", "overlap", "French", "German", "Everyone")
    assert "Of 6 customers in any of them, 5 are in more than one and 0 in all 3." in told
    found = ask("/segments/overlap", {"segment_ids": [town, german, everyone]})
    cells = {tuple(each["segment_ids"]): each["customers"] for each in found["cells"]}
    assert cells == {(town, everyone): 3, (german, everyone): 2, (everyone,): 1}
    ask("/segments/overlap", {"segment_ids": [town, town]}, status=422)
    ask("/segments/overlap", {"segment_ids": [town, 999]}, status=404)

    shown = text(page.get(f"/segments/overlap/?s={town}&s={german}&s={everyone}"))
    assert "French and Everyone" in shown
    assert f"?in={town}&amp;in={everyone}&amp;out={german}" in shown
    behind = f"?in={everyone}&out={town}&out={german}"
    people = text(page.get(f"/segments/overlap/members/{behind}"))
    assert people.count('class="whole"') == 1
    assert "not in French or German" in people
    draft = text(page.get(f"/segments/new/{behind}"))
    assert "is in segment “Everyone” and" in draft
    assert "<b>1</b>" in draft
    answer = page.get(f"/segments/overlap/?s={town}&s={german}&as=csv")
    assert answer.content.decode().splitlines() == [
        "French,German,customers",
        "yes,no,3",
        "no,yes,2",
    ]
    assert "choose 2 to 5" in text(
        page.get("/segments/overlap/?" + "&".join(f"s={n}" for n in range(1, 8)))
    ).replace("Choose", "choose")
    assert page.get("/segments/overlap/members/").status_code == 200


def test_movement(town, ask, page):
    told = run("segment", "movement", "French")
    assert "It grew by 3, from 0 to 3: 3 came who were not in it before, 0 went." in told
    found = ask(f"/segments/{town}/movement")
    assert (found["before"], found["after"], found["entered"]) == (0, 3, 3)
    ask(
        f"/segments/{town}/movement?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        status=422,
    )
    shown = text(page.get(f"/segments/{town}/moves/"))
    assert "It was made on" in shown
    assert "<dt>Entered</dt><dd>+3</dd>" in shown
    answer = page.get(f"/segments/{town}/moves/?as=csv").content.decode()
    assert answer.splitlines()[1].endswith(",3,0")
    wrong = text(page.get(f"/segments/{town}/moves/?since=2026-01-02&until=2026-01-01"))
    assert "The second moment comes after the first" in wrong
    assert "Coming and going" in text(page.get(f"/segments/{town}/moves/?since=x&until=9999-12-31"))


def test_who_was_in_it_then_and_why(town, ask, page):
    now = datetime.now(UTC)
    at = (now + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    then = ask(f"/segments/{town}/members?at={at}")["items"]
    assert len(then) == 3
    assert ask(f"/segments/{town}/members?at=2020-01-01T00:00:00Z")["items"] == []
    ask(f"/segments/{town}/members?at=2020-01-01T00:00:00", status=422)
    why = ask(f"/segments/{town}/members/{then[0]['profile_id']}/why?at={at}")
    assert (why["why"]["holds"], why["rule_version"]) == (True, 1)
    today = now.date().isoformat()
    shown = text(page.get(f"/segments/{town}/past/?on={today}"))
    assert shown.count("still in it") == 3
    assert "Nobody that day" in text(page.get(f"/segments/{town}/past/?on=2020-01-01"))
    assert "still in it" in text(page.get(f"/segments/{town}/past/?on=soon"))
    address = f"/segments/{town}/past/{then[0]['profile_id']}/"
    assert "In it since" in text(page.get(f"{address}?on={today}"))
    assert 'role="alert"' in text(page.get(f"/segments/{town}/past/999999/?on={today}"))
    session = page.session
    session["confirmed_at"] = now.isoformat()
    session.save()
    answer = page.get(f"/segments/{town}/members.csv?on=2020-01-01")
    assert b"".join(answer.streaming_content).decode().count("\n") == 1
    answer = page.get(f"/segments/{town}/members.csv?on={today}")
    assert b"".join(answer.streaming_content).decode().count("\n") == 4


def test_what_sets_it_apart(db, ask, page):
    settle_in(
        {"plan": "pro" if n % 2 else "free", "city": "Lyon" if n % 2 else "Köln"} for n in range(80)
    )
    plan = {"node": "check", "field": "trait.plan", "is": {"op": "eq", "value": "pro"}}
    pro = define("Pro", plan)
    free = define("Free", {"node": "not", "of": is_in(pro)})
    settle()
    address = f"/segments/{pro}/apart/"
    assert "Not compared yet" in text(page.get(address))
    assert page.post(f"{address}find/", {"against": free})["Location"].endswith(f"?against={free}")
    waiting = text(page.get(f"{address}?against={free}"))
    assert "What sets Pro apart from Free" in waiting
    assert "for marketer-person" in waiting
    work_off(now=datetime.now(UTC))
    shown = text(page.get(f"{address}?against={free}"))
    assert "They differ from Free most in this: city is “" in shown
    assert '<span class="tag">by its rule</span>' in shown
    lines = page.get(f"{address}?against={free}&as=csv").content.decode().splitlines()
    assert lines[1].startswith("city is “")
    assert "Not compared yet" in text(page.get(address))
    assert "city is “Lyon”" in run("segment", "apart", "Pro")
    found = ask(f"/segments/{pro}/differences", {"against_id": free})
    assert found["differences"][0]["name"] == "city"
    nobody = define("Nobody", country_is("XX"))
    settle()
    page.post(f"/segments/{nobody}/apart/find/")
    work_off(now=datetime.now(UTC))
    assert "fewer than 30" in text(page.get(f"/segments/{nobody}/apart/"))
    assert "fewer than 30" in ask(f"/segments/{nobody}/differences", {}, status=422)["detail"]


def test_what_takes_long_is_seen_by_all_and_stopped_in_the_middle_of_a_query(db, ask, page):
    settle_in({"plan": "pro" if n % 2 else "free"} for n in range(80))
    plan = {"node": "check", "field": "trait.plan", "is": {"op": "eq", "value": "pro"}}
    pro = define("Pro", plan)
    settle()
    now = datetime.now(UTC)
    before = api_segment_tools.refresh_differences(segment_id=pro, now=now)
    page.post(f"/segments/{pro}/apart/find/")
    assert "waits for its turn" in run("work", "list")
    with transaction("owner") as connection:
        connection.execute("LOCK analysis_membership IN ACCESS EXCLUSIVE MODE")
        worker = threading.Thread(target=work_off, kwargs={"now": now})
        worker.start()
        wait_for(lambda: ask("/work")["items"][0]["steps"])
        # Who asks again waits for the same.
        page.post(f"/segments/{pro}/apart/find/")
        [work] = ask("/work")["items"]
        assert (work["title"], work["wanted_by"]) == (
            "What sets Pro apart from everybody else",
            "marketer-person",
        )
        assert work["doing"] == "drawing whom to look at"
        live = text(page.get(f"/segments/work/{work['work_id']}/", headers=HTMX))
        assert "Step 1 of 6: drawing whom to look at." in live
        assert "step 1 of 6" in run("work", "list")
        stop = {"next": f"/segments/{pro}/apart/"}
        where = f"/segments/work/{work['work_id']}/stop/"
        assert page.post(where, stop)["Location"] == stop["next"]
        worker.join(60)
        assert not worker.is_alive()
    shown = text(page.get(f"/segments/{pro}/apart/"))
    assert "Nothing new: marketer-person stopped it before there was an answer." in shown
    assert "Try again" in shown
    assert api_segment_tools.find_differences(segment_id=pro) == before
    ask(f"/work/{work['work_id']}/stop", {}, status=204)
    ask("/work/999/stop", {}, status=404)
    assert "nothing new: marketer-person stopped it" in run("work", "list")
    page.post(f"/segments/{pro}/apart/find/")
    assert work_off(now=now) == 1
    assert run("work", "list").strip() == "Nothing is under way."
    assert page.get(f"/segments/work/{work['work_id']}/")["HX-Refresh"] == "true"


def test_tidying_up(town, ask, page):
    define("French too", country_is("FR"))
    settle()
    assert "Not looked yet" in text(page.get("/segments/review/"))
    page.post("/segments/review/refresh/", {"days": "1"})
    shown = text(page.get("/segments/review/"))
    assert "Their rules say the same" in shown
    assert "None is empty for 1 day." in shown
    page.post("/segments/review/refresh/", {"days": "x"})
    assert "Days are a whole number." in text(page.get("/segments/review/"))
    assert "the same rule as French" in run("segment", "review")
    found = ask("/segments/review", {"empty_days": 3})
    assert found["review"]["doubled"][0]["names"] == ["French", "French too"]
    assert town not in found["unused"]
    assert len(found["unused"]) == 2


def test_groups_and_rfm(db, ask, page):
    address = "/segments/automatic/"
    page.post(f"{address}groups/")
    page.post(f"{address}groups/save/")
    page.post(f"{address}rfm/")
    work_off(now=datetime.now(UTC))
    shown = text(page.get(address))
    assert "groups need at least 200" in shown
    assert "Nobody has an RFM score yet" in shown
    write_profiles(70)
    with transaction("owner") as connection:
        connection.execute(
            "INSERT INTO analysis_score (profile_id, name, value, label, model_run_id)"
            " SELECT id, 'rfm', 9, '5-4-3 Champion', 1 FROM store_profile"
        )
    page.post(f"{address}groups/")
    work_off(now=datetime.now(UTC))
    page.post(f"{address}rfm/")
    shown = text(page.get(address))
    assert "The customers fall into 3 groups" in shown
    assert "Make 3 segments of them" in shown
    page.post(f"{address}groups/save/")
    work_off(now=datetime.now(UTC))
    page.post(f"{address}rfm/save/", {"word": "Champion"})
    shown = text(page.get(address))
    assert '<span class="quiet small">is a segment</span>' in shown
    assert shown.count("in the segment</a>") == 3
    settle()
    sizes = {each.name: each.members for each in analysis.list_segments()}
    assert sizes.pop("RFM: Champion") == 210
    assert list(sizes.values()) == [70, 70, 70]
    one = next(each for each in analysis.list_segments() if each.name.startswith("Group"))
    found = ask(f"/segments/{one.segment_id}/differences", {})["differences"]
    assert found
    assert "cluster" not in {each["name"] for each in found}, "numbers of groups have no mean"
    assert "Champion" in run("segment", "rfm")
    assert len(ask("/segments/rfm-cells", {})["cells"]) == 1
    assert len(ask("/segments/clusters/save", {})["items"]) == 3
    assert len(page.get(f"{address}?as=csv").content.decode().splitlines()) == 1 + 3 * 7


def test_lookalikes(db, ask, page):
    write_profiles(110)
    pro = define(
        "Pro", {"node": "check", "field": "trait.plan", "is": {"op": "eq", "value": "pro"}}
    )
    settle()
    address = f"/segments/{pro}/alike/"
    assert "Not learnt yet" in text(page.get(address))
    page.post(f"{address}find/")
    work_off(now=datetime.now(UTC))
    shown = text(page.get(address))
    assert "Left out, as the rule asks for it: plan." in shown
    assert "nearly without fault" in shown
    assert page.get(f"{address}?as=csv").status_code == 200
    page.post(f"{address}save/", {"size": "x"})
    assert "A size is 1 to 100,000." in text(page.get(address))
    page.post(f"{address}save/", {"size": "12"})
    assert "The segment of the 12 most like those in Pro" in text(page.get(address))
    work_off(now=datetime.now(UTC))
    settle()
    assert "It is there: <a" in text(page.get(address))
    found = analysis.find_segment(name="Like Pro")
    assert found.members == 12
    assert "AUC" in run("segment", "alike", "Pro", "--seed", "1")
    assert ask(f"/segments/{pro}/lookalikes/save", {"size": 7})["segment_id"] == found.segment_id


def test_every_condition_can_be_built(town, page):
    tree = {"r.node": "group", "r.mode": "all"}
    shown = text(page.post("/segments/tree/", tree | {"do": "add:r:bucket"}, headers=HTMX))
    assert 'name="r.of.0.f.salt"' in shown
    assert "Is in the first 10 % of the draw “spring”" in shown
    assert 'value="add:r:sequence"' in shown
    held = '{"node": "bucket", "salt": "spring", "to": 10}'
    form = tree | {"r.of.0.node": "coded", "r.of.0.json": held, "r.of.0.json_before": held}
    everybody = text(page.post("/segments/preview/", form | {"r.of.0.f.to": "100"}))
    assert "<b>6</b>" in everybody
    wrong = text(page.post("/segments/tree/", form | {"r.of.0.f.to": "x", "do": "look"}))
    assert 'value="x"' in wrong
    assert "Expected `float`" in wrong

"""Double opt-in in a whole Amity: the form, the message in the mailbox, the link, the consent."""

import email
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from email import policy

import pytest

from amity.infra import config, tokens
from amity.store import api as store
from amity.testing.chaos import connect
from amity.testing.installation import wait_for
from amity.testing.template import begin_with

EVE = "eve@shop.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory, template):
    made = begin_with(template, tmp_path_factory.mktemp("signup") / "one")
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest.fixture(scope="module")
def write_key(home):
    return home.amity_json("source", "create", "Site", "--kind", "browser")["write_key"]


def ask(home, path, body=None, kind="application/json", method=None, **headers):
    request = urllib.request.Request(f"{home.edge}{path}", data=body, method=method)
    for name, value in {"Content-Type": kind, **headers}.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def ask_from_elsewhere(home, body):
    """Ask from an address of its own, so that what is too much for it is not for other tests."""
    where = urllib.parse.urlsplit(home.edge)
    connection = http.client.HTTPConnection(
        where.hostname, where.port, timeout=60, source_address=("127.0.0.2", 0)
    )
    with closing(connection):
        connection.request("POST", "/v1/subscribe", body, {"Content-Type": "application/json"})
        return connection.getresponse().status


def rows(home, query, *values):
    with connect(home) as connection:
        return connection.execute(query, values).fetchall()


def ledger(home, address=EVE):
    query = (
        "SELECT c.status, c.method, c.notice, a.properties FROM store_consent c"
        " JOIN store_identifier i ON i.profile_id = c.origin_id AND i.value = %s"
        " JOIN store_activity a ON a.event_id = c.event_id ORDER BY c.record_id"
    )
    return rows(home, query, address)


def mail_to(home, address):
    found = wait_for(
        lambda: rows(home, "SELECT raw FROM broadcast_mailbox WHERE recipient = %s", address),
        what="the message",
    )
    return email.message_from_bytes(bytes(found[-1][0]), policy=policy.default)


def test_an_address_is_asked_by_mail_and_gives_its_consent_by_the_button(home, write_key, chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    wait_for(lambda: ask(home, "/subscribe")[0] == 200, what="the form")
    page.goto(f"{home.edge}/subscribe")
    page.get_by_label("E-mail address").fill(EVE)
    page.get_by_label("Name").fill("Eve Adams")
    page.get_by_role("button", name="Sign up").click()
    assert "look into your inbox" in page.inner_text("main")
    mail = mail_to(home, EVE)
    assert mail["Subject"] == "Please confirm your address"
    text = mail.get_body(("plain",)).get_content()
    assert "Eve" not in re.sub(r"http\S+", "", text), "of a link's letters some say anything"
    [link] = re.findall(r"http://\S+/s/[\w.-]+", text)
    assert re.search(r"/u/[\w.-]+", text)
    path = link.removeprefix(home.edge)
    # A scanner follows the link, some with a browser that runs scripts, and nothing changes.
    for method in ("GET", "HEAD", "OPTIONS"):
        assert ask(home, path, method=method)[0] in {200, 204}
    page.goto(link)
    page.wait_for_load_state("networkidle")
    assert [row[0] for row in ledger(home)] == ["pending"]
    page.get_by_role("button", name="Yes, it was me").click()
    assert "confirmed" in page.inner_text("main")
    given = wait_for(lambda: [row for row in ledger(home) if row[0] == "given"], what="the yes")
    [[_, method, notice, evidence]] = given
    assert (method, notice, evidence["browser"]) == ("DOI", "marketing.email@1", "Chrome")
    assert len(evidence["network"]) == 32
    assert evidence["send_id"] in mail["Message-ID"]
    [[said]] = rows(home, "SELECT consents FROM store_profile WHERE email = %s", EVE)
    assert said["marketing.email"]["status"] == "granted"
    page.close()


def test_the_answer_is_the_same_whoever_asks_for_whom_and_programs_are_let_be(home, write_key):
    form = {"writeKey": write_key, "email": "bob@shop.example", "purposes": "marketing.email"}
    answers = [
        ask(home, "/v1/subscribe", json.dumps({**form, "email": address}).encode())
        for address in ("bob@shop.example", "dan@shop.example", "bob@shop.example")
    ]
    encoded = urllib.parse.urlencode(form).encode()
    kind = "application/x-www-form-urlencoded"
    answers.append(ask(home, "/v1/subscribe", encoded, kind, Origin="https://shop.example"))
    assert {(status, body) for status, body, _ in answers} == {(200, answers[0][1])}
    assert {headers["Access-Control-Allow-Origin"] for _, _, headers in answers} == {"*"}
    trapped = {**form, "email": "robot@shop.example", "website": "http://evil"}
    assert ask(home, "/v1/subscribe", json.dumps(trapped).encode())[:2] == answers[0][:2]
    assert ask(home, "/v1/subscribe", b"{}")[0] == 401
    assert ask(home, "/v1/subscribe", json.dumps({**form, "email": "no"}).encode())[0] == 400
    assert ask(home, "/v1/subscribe", b"x" * 9000, kind)[0] == 413
    assert ask(home, "/v1/subscribe", method="OPTIONS")[0] == 204
    mail_to(home, "bob@shop.example")
    mail_to(home, "dan@shop.example")
    query = "SELECT count(*) FROM broadcast_mailbox WHERE recipient = 'bob@shop.example'"
    assert rows(home, query) == [(1,)]
    statuses = [ask_from_elsewhere(home, json.dumps(form)) for _ in range(25)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    assert not rows(home, "SELECT 1 FROM store_identifier WHERE value LIKE 'robot%%'")


def test_her_page_pauses_keeps_her_choices_and_says_that_her_browser_is_heard(home, chromium):
    server = home.amity_json("source", "create", "Shop", "--kind", "server")["write_key"]
    told = {"userId": "zoe", "traits": {"email": "zoe@shop.example"}}
    home.collect("identify", told, server)
    said = {"categoryPreferences": {"marketing.email": True}}
    name = "Segment Consent Preference Updated"
    home.collect("track", {"userId": "zoe", "event": name, "properties": said}, server)
    refused = {"categoryPreferences": {"sharing": False}, "method": "GPC"}
    home.collect("track", {"userId": "zoe", "event": name, "properties": refused}, server)
    [[zoe]] = wait_for(
        lambda: rows(
            home,
            "SELECT id FROM store_profile WHERE user_id = 'zoe' AND consents ? 'sharing'",
        ),
        what="the customer",
    )
    with config.override(data=home.environment["AMITY_DATA"]):
        key = store.contact_key(channel="email", address="zoe@shop.example")
        token = tokens.sign("preferences", [zoe, "email", key, "marketing.email", ""])
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{home.edge}/p/{token}")
    assert "by Global Privacy Control, not to share" in page.inner_text("main")
    page.get_by_role("button", name="30 days").click()
    assert "We are silent until" in page.inner_text("main")
    assert page.locator("input[name='marketing.email']").is_checked()
    page.get_by_role("button", name="End the pause now").click()
    assert "The pause is over" in page.inner_text("main")
    wait_for(lambda: len(ledger(home, "zoe@shop.example")) == 2, what="the ledger")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my receipt").click()
    receipt = json.loads(download.value.path().read_text())
    assert {one["purpose"] for one in receipt["records"]} == {"marketing.email", "sharing"}
    page.locator("input[name='marketing.email']").uncheck()
    page.get_by_role("button", name="Save").click()
    taken = wait_for(
        lambda: [row for row in ledger(home, "zoe@shop.example") if row[1] == "preferences"],
        what="the no in the ledger",
    )
    assert (taken[0][0], taken[0][3]["browser"]) == ("withdrawn", "Chrome")
    page.close()

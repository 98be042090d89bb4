"""What a customer asks for herself: from her preference page, through her mail, to the copy."""

import io
import re
import time
import zipfile
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from tests.acceptance.test_links_http import ask, fold, make_person, point_token, post

from amity.broadcast import api as broadcast
from amity.infra import tokens
from amity.store import api as store
from amity.store import api_requests as requests
from amity.store.contracts_requests import RequestFilter
from amity.testing.edge import running_edge
from amity.testing.mailing import sender_running, sending_to_sink
from amity.web.requests import copying


@pytest.fixture
def ann(db):
    return make_person(store.create_source(name="Shop", kind="server").source_id)


def now():
    return datetime.now(UTC)


def follow():
    fold()
    while broadcast.follow_batch(now=now()).events:
        pass


def open_requests():
    filters = RequestFilter()
    return requests.list_requests(filters=filters, now=now()).items


def mailed(sink, count):
    """Return the link of the latest message once there are so many."""
    until = time.monotonic() + 60
    while len(sink.accepted) < count and time.monotonic() < until:
        time.sleep(0.02)
    assert len(sink.accepted) == count
    mail = message_from_bytes(sink.accepted[-1][2], policy=policy.default)
    text = mail.get_body(("plain",)).get_content()
    return mail["To"], re.search(r"http\S+/r/\S+", text)[0].rstrip(".>)")


def test_she_asks_confirms_by_mail_and_takes_her_copy(ann):
    with running_edge() as edge, sending_to_sink(now=now()) as sink:
        with sender_running(clock=now):
            page = f"{edge.url}/p/{point_token('preferences', ann, days=1)}"
            assert "Your data" in ask(page)[2].decode()
            ask(f"{page}?action=ask_data&kind=access")
            assert open_requests() == [], "a GET asks for nothing"
            said = post(page, action="ask_data", kind="access")[2]
            assert post(page, action="ask_data", kind="access")[2] == said, "the same each time"
            assert post(page, action="ask_data", kind="rubbish")[2] == said
            [asked] = open_requests()
            assert (asked.state, asked.came_by, asked.verified_by) == (
                *("verifying", "preference_page", ""),
            )
            follow()
            to, link = mailed(sink, 1)
            assert to == store.get_profile(profile_id=ann).email
            link = edge.url + link[link.index("/r/") :]
            assert "Was it you?" in ask(link)[2].decode()
            assert open_requests()[0].state == "verifying", "a GET confirms nothing"
            assert "when it is ready" in post(link, action="confirm")[2].decode()
            assert open_requests()[0].verified_by == "mail_link"
            assert copying.make_copies(now=now()) == 1
            follow()
            _, ready = mailed(sink, 2)
            ready = edge.url + ready[ready.index("/r/") :]
        assert "Take the copy" in ask(ready)[2].decode()
        status, headers, body = post(ready, action="copy")
        assert (status, headers["content-type"]) == (200, "application/zip")
        assert headers["cache-control"] == "no-store"
        assert "index.html" in zipfile.ZipFile(io.BytesIO(body)).namelist()
        assert requests.get_request(request_id=asked.request_id).request.state == "done"
        for _ in range(2):
            assert post(ready, action="copy")[0] == 200
        assert post(ready, action="copy")[0] == 410, "it can be taken three times"
        forged = ready[:-3] + "abc"
        assert post(forged, action="copy")[0] == 404
        late = tokens.sign(
            "request", [ann, "k", asked.request_id, ""], expires_at=now() - timedelta(seconds=1)
        )
        assert ask(f"{edge.url}/r/{late}")[0] == 404
        other = tokens.sign("preferences", [ann, "k", asked.request_id, ""])
        assert ask(f"{edge.url}/r/{other}")[0] == 404, "a link for one thing is void for another"


def test_what_she_confirms_holds_at_once_or_waits_for_staff(ann):
    with running_edge() as edge:
        page = f"{edge.url}/p/{point_token('preferences', ann, days=1)}"

        def confirm(kind):
            post(page, action="ask_data", kind=kind, wish="please")
            [asked] = [each for each in open_requests() if each.kind == kind]
            other = tokens.sign("request", [999_999, "k", asked.request_id, ""])
            assert ask(f"{edge.url}/r/{other}")[0] == 410, "another's link is void"
            assert post(f"{edge.url}/r/{other}", action="confirm")[0] == 410
            link = tokens.sign("request", [ann, "k", asked.request_id, ""])
            answer = post(f"{edge.url}/r/{link}", action="confirm")[2].decode()
            fold()
            reason = store.may_use(profile_ids=[ann], purpose="marketing.email", now=now())[ann]
            return answer, reason, requests.get_request(request_id=asked.request_id).request.state

        answer, reason, state = confirm("erasure")
        assert (reason, state) == ("", "in_progress")
        assert "delete it and answer you by" in answer
        assert store.get_profile(profile_id=ann).email
        answer, reason, state = confirm("objection")
        assert (reason, state) == ("objected", "done")
        answer, reason, state = confirm("restriction")
        assert (reason, state) == ("restricted", "done")
        assert "From now on" in answer

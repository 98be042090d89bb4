"""Whatever a customer is called, a mail program reads back the same subject, text and HTML."""

import email
import email.policy
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.broadcast.logic.liquid.values import RenderFailed
from amity.broadcast.logic.mail import headers
from amity.broadcast.logic.templates import making
from amity.infra.config import override

NASTY = st.one_of(
    st.text(max_size=80),
    st.text("a =?_.\t\r\n\x00\x85\u2028é漢😀\u202e\u0301", max_size=120),
    st.lists(
        st.sampled_from(
            [
                *("=?utf-8?q?", "?=", "=0D=0A", "Bcc: x@y", "\r\n", "\n.\n", "=\n", "--=_", "<b>"),
                *(
                    "&amp;",
                    "{{ a }}",
                    "{% raw %}",
                    "From ",
                    " ",
                    "  ",
                    "é" * 40,
                    "x" * 90,
                    "\ud800",
                ),
            ]
        ),
        max_size=6,
    ).map("".join),
)
SEND = UUID(int=7)
LINES = ("\r\n", "\r")


def _lines(text):
    for end in LINES:
        text = text.replace(end, "\n")
    return text


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    with override(data=tmp_path_factory.mktemp("mail")) as changed:
        content = making.Content(
            content_id=1,
            message_class="marketing",
            subject="Hi {{ name }}",
            preheader="",
            html="<p>Hi {{ name }}</p>",
            text="Hi {{ name }}.",
        )
        yield making.get_maker(content, changed)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(NASTY)
def test_a_mail_program_reads_what_was_meant(maker, name):
    who = making.Recipient(
        send_id=SEND,
        profile_id=1,
        address="ann@example.com",
        address_key="k",
        data={"name": name},
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    try:
        made = maker.make(who)
    except RenderFailed:
        raise AssertionError("no name is a reason not to write") from None
    whole = made.head + made.body
    assert b"\r" not in whole.replace(b"\r\n", b"")
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    found = email.message_from_bytes(whole, policy=email.policy.default)
    assert list(found.keys()).count("Subject") == 1
    assert found["bcc"] is None
    assert str(found["subject"]) == made.subject
    parts = {part.get_content_type(): part.get_content() for part in found.iter_parts()}
    replaced = {"\ud800": "?"}
    html = made.html.translate(str.maketrans(replaced))
    text = made.text.translate(str.maketrans(replaced))
    assert _lines(parts["text/html"]) == _lines(html)
    assert _lines(parts["text/plain"]) == _lines(text)


@settings(max_examples=200, deadline=None)
@given(NASTY)
def test_a_cleaned_value_stays_clean(value):
    cleaned = headers.clean(value)
    assert headers.clean(cleaned) == cleaned
    line = b"Subject: " + headers.encode_text(cleaned) + b"\r\n\r\n"
    assert max(map(len, line.split(b"\r\n"))) <= 78
    read = email.message_from_bytes(line, policy=email.policy.default)
    assert str(read["subject"]) == cleaned

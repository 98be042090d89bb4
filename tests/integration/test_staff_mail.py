"""The door for mail to staff: once for a key, through the gate, and not while nothing may leave."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from amity.broadcast import api, api_staff
from amity.broadcast.contracts_staff import Attachment, StaffAddress, StaffLetter
from amity.broadcast.logic.sending import gate, staff_mail
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, Unavailable
from amity.testing.mailing import sending_to_sink

NOW = datetime.now(UTC)


def letter(key="report:1:monday", address="ann@shop.example", **more):
    values = {"subject": "Wöchentlich", "text": "Hello.\nÄ", "html": "<p>Hello.</p>"} | more
    recipient = StaffAddress(staff_id=1, address=address)
    return StaffLetter(key=key, recipient=recipient, **values)


@pytest.fixture
def sink(db):
    with sending_to_sink(now=NOW) as running:
        yield running


def test_a_message_leaves_once_for_its_key_with_its_file(sink):
    file = Attachment(name="figures.csv", kind="text/csv", content=b"a,b\r\n1,2\r\n")
    sent = api_staff.send_staff_mail(letter=letter(attachments=(file,)), now=NOW)
    assert (sent.state, sent.staff_id) == ("sent", 1)
    assert api_staff.send_staff_mail(letter=letter(), now=NOW) == sent
    [(_, recipient, content)] = sink.accepted
    assert recipient == "ann@shop.example"
    read = message_from_bytes(content, policy=default)
    assert read["Subject"] == "Wöchentlich"
    assert read["Auto-Submitted"] == "auto-generated"
    assert "DKIM-Signature" in read
    body, attached = read.iter_parts()
    assert body.get_body(("plain",)).get_content().splitlines() == ["Hello.", "Ä"]
    assert attached.get_filename() == "figures.csv"
    assert attached.get_content() == "a,b\r\n1,2\r\n"
    assert [one.key for one in api_staff.list_staff_mail(begins="report:1:")] == ["report:1:monday"]
    assert api_staff.list_staff_mail(begins="report_1") == []


def test_what_was_put_off_is_tried_again_and_what_was_refused_or_is_in_doubt_is_not(sink):
    sink.modes = {"defer_rcpt": 1.0}
    assert api_staff.send_staff_mail(letter=letter("a"), now=NOW).state == "deferred"
    sink.modes = {"drop_after": 1.0}
    assert api_staff.send_staff_mail(letter=letter("a"), now=NOW).state == "unknown"
    sink.modes = {"refuse_rcpt": 1.0}
    refused = api_staff.send_staff_mail(letter=letter("b"), now=NOW)
    assert (refused.state, refused.wire_at) == ("refused", None)
    assert "5.1.1" in refused.reply
    sink.modes = {"accept": 1.0}
    for key, state in (("a", "unknown"), ("b", "refused")):
        assert api_staff.send_staff_mail(letter=letter(key), now=NOW).state == state
    assert len(sink.accepted) == 1  # the one that was in doubt had arrived


class Killed(Exception):
    """What a test raises where a process would end."""


def test_whoever_ends_between_the_gate_and_the_dot_leaves_a_message_that_is_never_sent_again(
    sink, monkeypatch
):
    enter = gate.enter_staff

    def die(*given, **named):
        assert enter(*given, **named) is not None
        raise Killed

    monkeypatch.setattr(gate, "enter_staff", die)
    with pytest.raises(Killed):
        api_staff.send_staff_mail(letter=letter("c"), now=NOW)
    monkeypatch.setattr(gate, "enter_staff", enter)
    assert api_staff.send_staff_mail(letter=letter("c"), now=NOW).state == "wire"
    later = api_staff.send_staff_mail(letter=letter("c"), now=NOW + timedelta(hours=1))
    assert later.state == "unknown"
    assert sink.accepted == []


def test_nothing_leaves_while_sending_is_stopped_or_no_server_is_configured(db):
    with pytest.raises(Unavailable, match="no mail server is configured"):
        api_staff.send_staff_mail(letter=letter(), now=NOW)
    with sending_to_sink(now=NOW) as sink:
        api.stop_sending(by="ann", now=NOW)
        with pytest.raises(Conflict, match="stopped by hand"):
            api_staff.send_staff_mail(letter=letter(), now=NOW)
        assert gate.enter_staff(letter(), mail_id=staff_mail.uuid4(), now=NOW) is None
        assert sink.accepted == []
    with transaction() as connection:
        count = connection.execute("SELECT count(*) FROM broadcast_staff_mail").fetchone()
    assert count == (0,)


def test_no_header_and_no_other_recipient_comes_of_what_was_typed(sink):
    for wrong in ("a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example", "ann"):
        with pytest.raises(Invalid):
            api_staff.send_staff_mail(letter=letter(address=wrong), now=NOW)
    api_staff.send_staff_mail(letter=letter(subject="A\r\nBcc: b@x.example"), now=NOW)
    [(_, _, content)] = sink.accepted
    assert message_from_bytes(content, policy=default)["Bcc"] is None

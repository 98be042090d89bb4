"""SMTP replies, the wire form of messages, relays, and the circuit breaker: all pure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amity.broadcast.logic.mail.circuit import Circuit
from amity.broadcast.logic.mail.smtp import Patience, prepare
from amity.broadcast.logic.mail.smtp_relay import parse_relay
from amity.broadcast.logic.mail.smtp_replies import BadReply, ReplyReader, judge_bounce
from amity.kernel.errors import Invalid


def read(data):
    return ReplyReader().feed(data)


def test_replies_of_one_and_many_lines_with_enhanced_codes():
    one, many = read(b"250 2.1.5 ok\r\n550-5.7.26 This mail\r\n550 5.7.26 has no proof\r\n")
    assert (one.code, one.enhanced, one.said) == (250, "2.1.5", "2.1.5")
    assert (many.code, many.enhanced) == (550, "5.7.26")
    assert many.text == "550 5.7.26 This mail 5.7.26 has no proof"
    assert read(b"451\r\n")[0].said == "451"
    assert read(b"550 2.1.1 odd\r\n")[0].said == "550", "another class says nothing"
    assert read(b"550 5.1.100x\r\n")[0].said == "550"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_replies_may_come_in_any_pieces(sizes):
    data = b"220 hi\r\n250-a\r\n250-b\r\n250 c\r\n354 go\r\n"
    reader, found, place = ReplyReader(), [], 0
    for size in [*sizes, len(data)]:
        found += reader.feed(data[place : place + size])
        place += size
    assert [reply.code for reply in found] == [220, 250, 354]
    assert found[1].lines == ["a", "b", "c"]


@pytest.mark.parametrize(
    "data", [b"hello\r\n", b"999 x\r\n", b"25\r\n", b"2" * 5000, b"250-x\r\n" * 300, b"250x y\r\n"]
)
def test_what_is_no_reply_is_refused(data):
    with pytest.raises(BadReply):
        read(data)


def test_replies_are_cleaned_of_control_characters():
    assert read(b"550 a\x1b[31mb\x00\r\n")[0].text == "550 a [31mb"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("5.1.1", "hard"), ("5.1.10", "hard"), ("5.2.1", "hard"), ("5.4.1", "hard"),
        ("5.2.2", "full"), ("4.2.2", "full"), ("552", "full"),
        ("5.7.1", "policy"), ("5.7.26", "sender_policy"), ("5.7.515", "sender_policy"),
        ("5.3.0", ""), ("550", ""), ("5.6.0", ""), ("4.7.0", "policy"),
    ],
)  # fmt: skip
def test_bounces_by_the_codes_of_the_safety_rules(said, verdict):
    assert judge_bounce(said) == verdict


def unstuff(wire):
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in wire.split(b"\r\n"))


@given(st.lists(st.sampled_from([b".", b"..", b"\r\n", b"a", b"\n", b"\r", b"x.\r\n."])))
def test_on_the_wire_there_is_no_bare_break_and_no_early_end(pieces):
    content = b"".join(pieces)
    wire = prepare(content)
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    assert wire.endswith(b"\r\n")
    if content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        plain = unstuff(wire)
        assert plain in {content, content + b"\r\n"}


def test_little_patience_is_for_replies_and_a_connection_has_two_seconds_at_least():
    assert Patience().times(2) == Patience(
        connect=60, greeting=600, command=600, data=240, block=360, final=1200
    )
    little = Patience().times(0.003)
    assert (little.connect, little.greeting) == (2, pytest.approx(0.9))


def test_relays_are_read_and_a_password_never_goes_in_clear():
    relay = parse_relay("smtp+starttls://me%40x:p%2Fw@mail.example:2525?patience=2&greeting=a.b")
    assert (relay.host, relay.port, relay.security) == ("mail.example", 2525, "starttls")
    assert (relay.user, relay.password, relay.patience, relay.greeting) == ("me@x", "p/w", 2, "a.b")
    assert parse_relay("smtps://h").port == 465
    assert parse_relay("smtp://me:pw@127.0.0.1:25").user == "me"
    for wrong in (
        "smtp://me:secret@mail.example", "http://h", "smtp://", "smtp://h:x", "smtp://h?what=1",
        "smtp://h?patience=0", "mail.example:25",
    ):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            parse_relay(wrong)
        assert "secret" not in refusal.value.message


def test_the_circuit_opens_asks_one_at_a_time_and_closes():
    circuit = Circuit(random.Random(1), failures=3)
    assert circuit.room(0, 10) == 10
    for _ in range(3):
        assert circuit.enter(0)
        circuit.fail(0)
    assert circuit.is_open
    assert circuit.room(0.1, 10) == 0
    assert not circuit.enter(0.1)
    assert circuit.room(0.6, 10) == 1
    assert circuit.enter(0.6)
    assert not circuit.enter(0.6), "one asks, the others wait"
    circuit.fail(0.6)
    assert circuit.room(1.2, 10) == 0, "the distance grows"
    assert circuit.enter(2)
    circuit.succeed()
    assert circuit.room(2, 10) == 10


def test_an_hour_of_silence_is_some_seventy_questions():
    circuit, now, asked = Circuit(random.Random(2)), 0.0, 0
    while now < 3600:
        if circuit.enter(now):
            asked += 1
            circuit.fail(now)
        now += 0.2
    assert 60 < asked < 100

"""Messages as receivers read them: headers nobody can add to, signatures that verify."""

import email
import email.policy
import re
import threading
from datetime import UTC, datetime
from uuid import UUID

import dkim as dkimpy
import msgspec
import pytest

from amity.broadcast.logic.liquid.values import RenderFailed
from amity.broadcast.logic.mail import dkim, headers
from amity.broadcast.logic.mail.links import bounce_address, read_bounce_address
from amity.broadcast.logic.templates import making
from amity.infra import tokens
from amity.infra.config import override
from amity.personalization.contracts import DecidedItem, Decision

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEND = UUID("0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")
HTML = (
    '<html><body><p>Hi {{ customer.first_name }}</p><a href="https://s.example/?a=1&amp;b=2">Go</a>'
    '{% for o in offers %}<a href="{{ o.action_url }}">{{ o.headline }}</a>{% endfor %}'
    '<a href="mailto:help@s.example">Help</a><a href="{{ links.unsubscribe }}">Bye</a>'
    "</body></html>"
)
EVIL = [
    "=?utf-8?q?a=0D=0ABcc:_evil@x?=",
    "=?utf-8?b?YQ0KQmNjOiBldmlsQHg=?=",
    "a\r\nBcc: evil@x",
    "a\nBcc: evil@x",
    "a\rBcc: evil@x",
    "a\r\n\r\n<script>alert(1)</script>",
    "a\x00\x0b\x0c\x85\u2028\u2029Bcc: evil@x",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0D=3D0ABcc:_evil@x=3F=3D?=",
    "=?utf-7?q?+AA0-+AAo-Bcc:_evil@x?=",
    "=?unknown-charset?q?a=0D=0ABcc:_evil@x?=",
    "=?utf-8*en?Q?a=0ABcc:_evil@x?=",
    "=?utf-8?q?a?=\r\n =?utf-8?q?=0D=0ABcc:_evil@x?=",
]


@pytest.fixture
def configured(tmp_path):
    with override(data=tmp_path, public_url="https://u.shop.example") as changed:
        yield changed


def make(configured, *, subject="Hi {{ customer.first_name }}", html=HTML, text="Hi", **values):
    message_class = values.pop("message_class", "marketing")
    content = making.Content(
        content_id=1,
        message_class=message_class,
        subject=subject,
        preheader="Look, {{ customer.first_name }}",
        html=html,
        text=text,
    )
    name = values.pop("name", "Ann")
    who = {
        "send_id": SEND,
        "profile_id": 7,
        "address": "ann@example.com",
        "address_key": "k" * 43,
        "purpose": "marketing.email",
        "stream": "c12",
        "data": {"customer": {"first_name": name}},
        "now": NOW,
    }
    return making.get_maker(content, configured).make(making.Recipient(**who | values))


def read(made):
    return email.message_from_bytes(made.head + made.body, policy=email.policy.default)


def verify(made, configured):
    key = dkim.cached_key(configured.data, configured.dkim_selector)
    record = dkim.public_record(key).encode()
    return dkimpy.verify(made.head + made.body, dnsfunc=lambda name, timeout=5: record)


@pytest.mark.parametrize("name", EVIL)
def test_a_name_cannot_add_a_header(configured, name):
    made = make(configured, name=name)
    plain = read(make(configured))
    found = read(made)
    assert found.keys() == plain.keys()
    assert found["bcc"] is None
    assert found["subject"] == made.subject
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", made.subject)
    # Not even once somebody decodes the subject again and writes it anew.
    again = email.message_from_bytes(found.as_bytes(), policy=email.policy.default)
    assert again["bcc"] is None
    assert again["subject"] == found["subject"]
    assert verify(made, configured)


def test_the_head_is_what_bulk_mail_needs(configured):
    made = make(configured)
    found = read(made)
    assert [name.lower() for name in found.keys()] == [  # noqa: SIM118  # twice the same shows
        *("dkim-signature", "from", "to", "subject", "date", "message-id", "mime-version"),
        *("content-type", "list-unsubscribe", "list-unsubscribe-post", "list-id"),
        *("feedback-id", "x-send-id"),
    ]
    assert found["from"] == "The shop <news@shop.example>"
    assert found["to"] == "ann@example.com"
    assert found["message-id"] == f"<{SEND}@shop.example>"
    assert found["date"].datetime == NOW
    assert found["list-unsubscribe"].startswith("<https://u.shop.example/u/v1.")
    assert found["list-unsubscribe"].count("https:") == 1
    assert found["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    fields = found["feedback-id"].split(":")
    assert len(fields) == 4
    assert 5 <= len(fields[3]) <= 15
    assert found["x-send-id"] == str(SEND)
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    signature = found["dkim-signature"].replace(" ", "")
    assert "a=rsa-sha256;c=relaxed/relaxed;d=shop.example;s=amity1" in signature
    for name in ("From:From:", ":List-Unsubscribe:", ":List-Unsubscribe-Post:", ":Feedback-ID"):
        assert name in signature
    assert "l=" not in signature.partition("bh=")[0].replace("rel", "")


def test_a_transactional_message_is_no_list_and_says_it_is_automatic(configured):
    found = read(make(configured, message_class="transactional"))
    assert found["list-unsubscribe"] is None
    assert found["auto-submitted"] == "auto-generated"


def test_an_address_that_is_read_is_offered_beside_the_link(tmp_path):
    with override(data=tmp_path, mail_unsubscribe="leave@shop.example") as changed:
        found = read(make(changed))
        assert f"<mailto:leave@shop.example?subject=unsubscribe%20{SEND}>" in found[
            "list-unsubscribe"
        ].replace("\r\n", "")


def test_lines_are_short_and_end_in_crlf(configured):
    text = "x" * 5000 + "\r\n.\r\n..\r\nFrom here\n\tTab  two \n" + "é" * 3000 + "\rend"
    made = make(configured, text=text, subject="ä" * 300, html=HTML + "<p>" + "y" * 9000)
    whole = made.head + made.body
    assert b"\r" not in whole.replace(b"\r\n", b"")
    assert b"\n" not in whole.replace(b"\r\n", b"")
    assert max(len(line) for line in whole.split(b"\r\n")) <= 998
    assert all(line != b"." for line in whole.split(b"\r\n"))
    assert whole.endswith(b"\r\n")
    assert verify(made, configured)
    found = read(made)
    assert found["subject"] == "ä" * 300
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    assert found.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == wanted


def test_a_changed_message_does_not_verify(configured):
    made = make(configured)
    assert verify(made, configured)
    for old, new in (
        (b"Subject: Hi Ann", b"Subject: Hi Bob"),
        (b"One-Click", b"Two-Click"),
        (b"\r\nHi\r\n", b"\r\nHo\r\n"),
        (b"From: The shop", b"From: Eve <e@x.example>\r\nFrom: The shop"),
        (b"To: ann", b"Reply-To: eve@x.example\r\nTo: ann"),
    ):
        changed = msgspec.structs.replace(
            made, head=made.head.replace(old, new), body=made.body.replace(old, new)
        )
        assert changed != made
        assert not verify(changed, configured), old


def test_only_who_agreed_is_followed(configured):
    plain = make(configured).html
    assert 'href="https://s.example/?a=1&amp;b=2"' in plain
    assert "/c/v1." not in plain
    assert "/o/v1." not in plain
    followed = make(configured, is_tracked=True).html
    token = re.search(r'href="https://u\.shop\.example/c/([^"]+)"', followed)[1]
    assert tokens.read("click", token, now=NOW) == [
        *(7, SEND.hex, 1, "https://s.example/?a=1&b=2", "", "")
    ]
    pixel = re.search(r'src="https://u\.shop\.example/o/([^"]+)\.gif"', followed)[1]
    assert tokens.read("open", pixel, now=NOW) == [7, SEND.hex]
    assert 'href="mailto:help@s.example"' in followed
    unsubscribe = re.search(r'href="https://u\.shop\.example/u/([^"]+)"', followed)[1]
    assert tokens.read("unsubscribe", unsubscribe, now=NOW) == [
        *(7, "email", "k" * 43, "marketing.email", SEND.hex)
    ]


def test_a_shop_at_our_own_address_is_followed_but_never_the_link_to_unsubscribe(configured):
    ours = "https://u.shop.example"
    html = f'<a href="{ours}/shop?offer=tea">Tea</a><a href="{{{{ links.unsubscribe }}}}">Bye</a>'
    first, second = re.findall(r'href="([^"]+)"', make(configured, is_tracked=True, html=html).html)
    said = tokens.read("click", first.removeprefix(f"{ours}/c/"), now=NOW)
    assert said[3] == f"{ours}/shop?offer=tea"
    assert second.startswith(f"{ours}/u/v1.")


def test_a_link_to_an_offer_says_which_decision_chose_it(configured):
    decision = Decision(
        decision_id=UUID(int=5),
        decided_at=NOW,
        placement="mail",
        kind="offers",
        profile_id=7,
        channel="email",
        policy="thompson",
        fallback="",
        snapshot_id=1,
        seed=1,
        items=[
            DecidedItem(
                rank=rank,
                item=item,
                propensity=0.5,
                score=0.1,
                reason="",
                content={"headline": item, "action_url": "https://s.example/same"},
            )
            for rank, item in enumerate(("tea", "coffee"), 1)
        ],
        verdicts=[],
    )
    html = HTML + '<a href="https://s.example/same">{{ offer.headline }}</a>'
    found = make(configured, is_tracked=True, decision=decision, html=html).html
    said = [
        tokens.read("click", token, now=NOW)
        for token in re.findall(r'href="https://u\.shop\.example/c/([^"]+)"', found)
    ]
    assert [(one[4], one[5]) for one in said] == [
        *(("", ""), (UUID(int=5).hex, "tea"), (UUID(int=5).hex, "coffee")),
        # Outside of the loop the first offer of that address is meant.
        (UUID(int=5).hex, "tea"),
    ]


def test_an_address_too_long_to_sign_leads_there_by_itself(configured):
    html = '<a href="https://s.example/{{ customer.long }}">x</a>'
    data = {"customer": {"first_name": "A", "long": "a" * 4000}}
    assert "/aaaa" in make(configured, is_tracked=True, html=html, data=data).html


@pytest.mark.parametrize(
    "address",
    [
        *("", "ann", "ann@", "@example.com", "a b@example.com", "ann@example.com\r\nBcc: x@y"),
        *("ann@example.com, eve@example.com", "<ann@example.com>", "ann@exa mple.com", "a@b@c.de"),
        *("ann@-example.com", "ann..b@example.com", ".a@example.com", "an\x00n@example.com"),
        *("ann@example.com>", "älan@example.com", "ann@" + "a" * 250 + ".com", "ann@ex..com"),
    ],
)
def test_what_is_no_address_is_not_written_to(configured, address):
    with pytest.raises(RenderFailed):
        make(configured, address=address)


def test_a_domain_in_any_script_is_written_to(configured):
    assert read(make(configured, address="ann@bücher.example"))["to"] == "ann@xn--bcher-kva.example"


def test_what_fails_for_one_person_fails_for_her_only(configured):
    subject = "{{ 10 | divided_by: customer.first_name }}"
    with pytest.raises(RenderFailed):
        make(configured, subject=subject, name=0)
    assert make(configured, subject=subject, name=5).subject == "2"
    with pytest.raises(RenderFailed, match="subject is empty"):
        make(configured, subject="{{ customer.first_name }}", name="\r\n")


def test_a_bounce_names_its_message_and_cannot_be_made_up(configured):
    address = bounce_address(SEND, "bounces.shop.example")
    assert len(address.partition("@")[0]) <= 64
    assert read_bounce_address(address.upper()) == SEND
    flipped = ("a" if address[30] != "a" else "b").join((address[:30], address[31:]))
    for wrong in (flipped, "b+@x", "ann@x", "b+" + "a" * 52 + "@x", "b+" + "!" * 52 + "@x"):
        assert read_bounce_address(wrong) is None
    tokens.rotate_key()
    assert read_bounce_address(address) == SEND
    assert make(configured).envelope_from != address


def test_a_signer_makes_the_tokens_that_sign_makes(configured):
    for _ in range(2):
        made = tokens.signer("click")([1, "é"], 99)
        assert made == tokens.sign("click", [1, "é"], expires_at=datetime.fromtimestamp(99, UTC))
        tokens.rotate_key()


def test_the_key_is_made_once_and_is_the_owners_only(tmp_path):
    keys = []
    load = lambda: keys.append(dkim.load_key(tmp_path, "s1"))  # noqa: E731
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({dkim.public_record(key) for key in keys}) == 1
    path = tmp_path / "dkim" / "s1.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["s1.pem"]


def test_names_before_addresses_are_encoded_when_they_must_be():
    assert headers.encode_phrase("The shop") == b"The shop"
    assert headers.encode_phrase("Müller, Söhne").startswith(b"=?utf-8?b?")
    assert headers.encode_phrase('A "quoted" <name>').startswith(b"=?utf-8?b?")

"""Putting a message together and signing it: ours beside email.message and dkimpy.

Run with `python -m bench mail_make`. The message has 8.5 kB: headers, a text part and the HTML of
`mail_render`. Two tables: the MIME message without a signature, and the signature (RSA-2048,
relaxed/relaxed) on the finished message, where `RSA alone` is nothing but the private key's
operation. Both MIME messages parse back to the same text, and dkimpy accepts every signature of
ours. Goals: MIME at least 15 times email.message; the signature at least 15 times dkimpy and 0.7 of
RSA alone. The last lines say what whole messages cost, and what a second thread brings.
"""

import email
import email.policy
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from uuid import UUID

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from amity.broadcast.logic.mail import dkim, headers, mime
from amity.broadcast.logic.templates import making
from amity.infra.config import override
from bench.harness import Goal, Rounds, interleave, show, summary
from bench.mail_render import LIQUID, people, plain
from bench.rules import add_peers, turns

COUNT = 20
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "Hello,\n\nhere is what is new this week, picked for you.\n\n" + "".join(
    f"Linen shirt {n}: light & airy, for long summer evenings, €{n}9.90\n"
    f"https://shop.example/p/{n}?utm_source=mail&utm_medium=news\n\n"
    for n in range(12)
)
HEADERS = [
    (b"From", b"The shop <news@shop.example>"),
    (b"To", b"ann@example.com"),
    (b"Subject", headers.encode_text("Grüße, Ann: here is what is new")),
    (b"Date", headers.encode_date(NOW)),
    (b"Message-ID", b"<0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee@shop.example>"),
    (b"MIME-Version", b"1.0"),
    (b"Content-Type", b'multipart/alternative; boundary="=_b"'),
    (b"List-Unsubscribe", b"<https://u.shop.example/u/" + b"a" * 150 + b">"),
    (b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click"),
]


def ours(html: str) -> bytes:
    lines = [
        (name, headers.encode_text("Grüße, Ann: here is what is new") if name == b"Subject" else x)
        for name, x in HEADERS
    ]
    head = b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"
    return head + mime.build_body(TEXT, html, b"=_b")


def stdlib(html: str) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    for name, value in HEADERS:
        if name == b"Subject":
            message["Subject"] = "Grüße, Ann: here is what is new"
        elif name not in (b"MIME-Version", b"Content-Type"):
            message[name.decode()] = value.decode()
    message.set_content(TEXT, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def parts(raw: bytes) -> dict[str, str]:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    read = {part.get_content_type(): part.get_content() for part in found.iter_parts()}
    return {name: text.replace("\r\n", "\n").rstrip("\n") for name, text in read.items()} | {
        "subject": str(found["subject"])
    }


def measure_mime(html: str, rounds: int, seconds: float) -> tuple[Rounds, list[Goal]]:
    assert parts(ours(html)) == parts(stdlib(html)), "the messages differ"
    contenders: dict[str, Callable[[], object]] = {
        "amity": lambda: [ours(html) for _ in range(COUNT)],
        "email.message": lambda: [stdlib(html) for _ in range(COUNT)],
    }
    measured = interleave(
        {name: turns(call, COUNT, seconds) for name, call in contenders.items()}, rounds
    )
    ratio = measured.ratio("amity", "email.message", lambda s: s.rate)["median"]
    goals = [Goal("MIME: amity / email.message", ratio, 15.0)]
    show(f"a MIME message of {len(ours(html)) / 1000:.1f} kB", measured, goals)
    return measured, goals


def measure_signing(html: str, rounds: int, seconds: float) -> tuple[Rounds, list[Goal]]:
    import dkim as dkimpy

    with tempfile.TemporaryDirectory() as folder, override(data=folder) as changed:
        key = dkim.load_key(changed.data, "s1")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    record = dkim.public_record(key).encode()
    signer = dkim.Signer(key, "shop.example", "s1")
    body = mime.build_body(TEXT, html, b"=_b")
    whole = b"".join(b"%b: %b\r\n" % line for line in HEADERS) + b"\r\n" + body
    names = [name for name in dkim.SIGNED if name in dict(HEADERS)]

    def amity() -> bytes:
        return b"DKIM-Signature: " + signer.sign(HEADERS, body, 1_772_323_200)[0] + b"\r\n" + whole

    def theirs() -> bytes:
        return dkimpy.sign(whole, b"s1", b"shop.example", pem, include_headers=names) + whole

    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    for made in (amity(), theirs()):
        assert dkimpy.verify(made, dnsfunc=lambda name, timeout=5: record), "does not verify"
    contenders: dict[str, Callable[[], object]] = {
        "amity": lambda: [amity() for _ in range(COUNT)],
        "dkimpy": lambda: [theirs() for _ in range(2)],
        "RSA alone": lambda: [key.sign(b"x" * 32, scheme, digest) for _ in range(COUNT)],
    }
    counts = {"amity": COUNT, "dkimpy": 2, "RSA alone": COUNT}
    measured = interleave(
        {name: turns(call, counts[name], seconds) for name, call in contenders.items()}, rounds
    )
    goals = [
        Goal(f"DKIM: amity / {peer}", measured.ratio("amity", peer, lambda s: s.rate)["median"], x)
        for peer, x in (("dkimpy", 15.0), ("RSA alone", 0.7))
    ]
    show("a signature on it", measured, goals)
    return measured, goals


def whole_messages() -> dict[str, float]:
    """Return how many whole messages a second one thread makes, and two at once."""
    with tempfile.TemporaryDirectory() as folder, override(data=folder) as changed:
        content = making.Content(
            content_id=1,
            message_class="marketing",
            subject="Grüße, {{ customer.first_name }}",
            preheader="",
            html=LIQUID,
            text=TEXT,
        )
        maker = making.get_maker(content, changed)
    crowd = [
        making.Recipient(
            send_id=UUID(int=number),
            profile_id=number,
            address="ann@example.com",
            address_key="k" * 43,
            purpose="marketing.email",
            is_tracked=True,
            data=person,
            now=NOW,
        )
        for number, person in enumerate(people(400))
    ]

    def make(some: list[making.Recipient]) -> None:
        for who in some:
            maker.make(who)

    make(crowd[:20])
    began = time.perf_counter()
    make(crowd)
    one = len(crowd) / (time.perf_counter() - began)
    threads = [threading.Thread(target=make, args=(crowd[n::2],)) for n in range(2)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"one thread": one, "two threads": len(crowd) / (time.perf_counter() - began)}


def run(rounds: int, seconds: float = 0.3) -> dict:
    add_peers()
    html = plain(people(1))()[0]
    mime_rounds, mime_goals = measure_mime(html, rounds, seconds)
    signing_rounds, signing_goals = measure_signing(html, rounds, seconds)
    whole = whole_messages()
    for name, rate in whole.items():
        print(
            f"  whole messages (filled in, links and body signed), {name:<14} {rate:9,.0f} a second"
        )
    mime_summary = summary("mime", mime_rounds, mime_goals)
    signing = summary("dkim", signing_rounds, signing_goals)
    goals = [*mime_summary["goals"], *signing["goals"]]  # type: ignore[misc]
    return {
        "workload": "mail_make",
        "mime": mime_summary,
        "dkim": signing,
        "whole": whole,
        "goals": goals,
    }

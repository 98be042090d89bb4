"""Everything a sender can get wrong, at a live installation: refused or kept, and nobody harmed."""

import gzip
import json
import logging
import random
import socket
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amity.testing.chaos import (
    Caller,
    Nemesis,
    connect,
    find_faults,
    read_books,
    sending,
    wait_until_folded,
)
from amity.testing.edge import basic
from amity.testing.installation import wait_for

REPEATS = 5
MOST_GROWTH_BYTES = 64 * 2**20
GZIP = {"Content-Encoding": "gzip"}
UNHURRIED_SECONDS = 20.0


def track(message_id, **more):
    event = {"type": "track", "event": "Bought", "userId": "u1", "messageId": message_id, **more}
    return json.dumps(event).encode()


def batch(*events):
    return b'{"batch":[' + b",".join(events) + b"]}"


def pack(body):
    return gzip.compress(body, mtime=0)


# A hundred compressed members, so that a bound on each of them is not enough.
BOMB = pack(b"[" * 2**20) * 100


# Name: body, headers, status, code. What is answered 400 for its content is kept in quarantine.
WRONG = {
    "empty": (b"", {}, 400, "not_json"),
    "blank": (b" \r\n\t ", {}, 400, "not_json"),
    "NUL": (b"\0" * 1000, {}, 400, "not_json"),
    "not UTF-8": (b'{"batch":[{"\xff\xfe', {}, 400, "not_json"),
    "UTF-16": ('{"batch":[]}'.encode("utf-16"), {}, 400, "not_json"),
    "cut off": (batch(track("x"))[:-5], {}, 400, "not_json"),
    "form": (b"type=track&event=Bought", {}, 400, "not_json"),
    "no batch": (b"{}", {}, 400, "no_batch"),
    "batch a number": (b'{"batch":5}', {}, 400, "not_json"),
    "deep list": (b"[" * 100_000 + b"]" * 100_000, {}, 400, "not_json"),
    "deep object": (b'{"a":' * 100_000, {}, 400, "not_json"),
    "deep batch": (b'{"batch":' * 50_000 + b"1" + b"}" * 50_000, {}, 400, "not_json"),
    "too large": (b"x" * 600_000, {}, 413, "too_large"),
    "far too large": (b"x" * 5_000_000, {}, 413, "too_large"),
    "bomb": (BOMB, GZIP, 413, "too_large"),
    "bomb, not announced": (BOMB, {}, 413, "too_large"),
    "bomb in a bomb": (pack(BOMB), GZIP, 400, "not_json"),
    "gzip cut off": (pack(batch(track("x")))[:-9], GZIP, 400, "bad_gzip"),
    "gzip broken": (pack(b"{}")[:8] + b"\xff" * 99, GZIP, 400, "bad_gzip"),
    "no gzip": (batch(track("x")), GZIP, 400, "bad_gzip"),
    "deflate": (zlib.compress(b"{}"), {"Content-Encoding": "deflate"}, 415, "bad_encoding"),
    "brotli": (b"\x8b\x03\x80{}\x03", {"Content-Encoding": "br"}, 415, "bad_encoding"),
    "5,001 events": (batch(*[b"{}"] * 5_001), {}, 413, "too_many_events"),
}
KEPT = {name for name, (*_, code) in WRONG.items() if code in {"not_json", "no_batch"}}


@pytest.fixture
def caller(installation, source):
    made = Caller(installation.edge_port, source["write_key"])
    wait_for(lambda: made.post(batch()).status == 200, what="the collector")
    yield made
    made.close()


def wait_until_counted(installation, source, expected):
    """Refusals are counted within a second or two."""

    def counted():
        with connect(installation) as connection:
            books = read_books(connection, source["source_id"])
        return (len(books.logged), books.quarantined, books.refused) == expected and books

    return wait_for(counted, what=f"the counts {expected}")


def test_wrong_bodies_are_refused_and_kept_and_cost_no_memory(
    installation, source, caller, tmp_path, rounds
):
    other = installation.amity_json("source", "create", f"Good {source['name']}")
    worker = Nemesis(installation, random.Random(0)).find("edge worker")
    with sending(other["write_key"], tmp_path, port=installation.edge_port, senders=1) as good:
        wait_for(lambda: good[0].answers[200] > 20, what="the collector to be warm")
        before = start_measuring(worker)
        with ThreadPoolExecutor(4) as pool:
            jobs = [(name, n) for n in range(REPEATS * rounds) for name in WRONG]
            answers = list(pool.map(lambda job: throw(installation, source, job[0]), jobs))
        grown = peak(worker) - before
    told = Counter((name, answer.status, answer.content.get("code")) for name, answer in answers)
    wanted = {(name, status, code): REPEATS * rounds for name, (*_, status, code) in WRONG.items()}
    assert told == wanted
    assert grown < MOST_GROWTH_BYTES
    assert all(answer.seconds < UNHURRIED_SECONDS for _, answer in answers)
    kept = len(KEPT) * REPEATS * rounds
    wait_until_counted(installation, source, (0, kept, len(jobs) - kept))
    with connect(installation) as connection:
        rows = connection.execute(
            "SELECT raw, seen FROM store_quarantine WHERE source_id = %s", [source["source_id"]]
        ).fetchall()
        wait_until_folded(connection, other["source_id"])
        books = read_books(connection, other["source_id"])
    inflated = {"bomb in a bomb": BOMB}
    assert sorted(rows) == sorted(
        (inflated.get(name, WRONG[name][0]), REPEATS * rounds) for name in KEPT
    )
    assert good[0].wrong == []
    assert set(good[0].answers) == {200}
    assert find_faults(good[0].acknowledged(), books) == []
    logging.getLogger(__name__).info(
        "%d wrong bodies, %d good batches beside them (slowest %.2f s), %.1f MB grown at the peak",
        *(len(jobs), good[0].answers[200], good[0].slowest, grown / 2**20),
    )


def throw(installation, source, name):
    body, headers, *_ = WRONG[name]
    thrower = Caller(installation.edge_port, source["write_key"])
    try:
        return name, thrower.post(body, **headers)
    finally:
        thrower.close()


def start_measuring(pid):
    """Forget the peak of a process's memory so far; return what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return read_memory(pid, "VmRSS")


def peak(pid):
    return read_memory(pid, "VmHWM")


def read_memory(pid, name):
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        if line.startswith(f"{name}:")
    )
    return int(line.split()[1]) * 1024


def test_bodies_that_never_end_are_given_up(installation, source, caller):
    """Of each kind one; the collector waits ten seconds for a body, and for a head."""
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(source['write_key'])}\r\n"
    unfinished = {
        "nothing of the body": (head + "Content-Length: 500\r\n\r\n", b"408"),
        "half a body": (head + 'Content-Length: 500\r\n\r\n{"batch":[', b"408"),
        "half a chunk": (head + "Transfer-Encoding: chunked\r\n\r\n50\r\n{", b"408"),
        "no last chunk": (head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"408"),
        "half a head": (head, b""),
        "unknown key": ("POST /v1/batch HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", b"40"),
    }
    broken = {
        "chunk of no number": head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        "chunk of a huge number": head + "Transfer-Encoding: chunked\r\n\r\n" + "f" * 17 + "\r\n{}",
        "no length": head + "Content-Length: some\r\n\r\n{}",
        "length below nought": head + "Content-Length: -1\r\n\r\n{}",
        "two lengths": head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "a long head": head + "X: " + "x" * 1_000_000 + "\r\n\r\n",
    }
    port = installation.edge_port
    with ThreadPoolExecutor(len(unfinished)) as pool:
        slow = {name: pool.submit(speak, port, text) for name, (text, _) in unfinished.items()}
        for name, text in broken.items():
            answer = speak(port, text)
            assert answer == b"" or answer[:10] == b"HTTP/1.1 4", (name, answer[:200])
        taken = [caller.post(batch(track(f"beside-{n}"))) for n in range(50)]
        answers = {name: job.result() for name, job in slow.items()}
    assert {answer.status for answer in taken} == {200}
    for name, (_, status) in unfinished.items():
        assert answers[name][:9] in {b"HTTP/1.1 ", b""}, name
        assert answers[name][9:12].startswith(status), (name, answers[name][:200])
    with connect(installation) as connection:
        assert len(read_books(connection, source["source_id"]).logged) == 50


def speak(port, text):
    """Say something and return all that is answered until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=UNHURRIED_SECONDS * 2) as line:
        pieces = []
        try:
            line.sendall(text.encode())
            line.settimeout(UNHURRIED_SECONDS)
            while piece := line.recv(65536):
                pieces.append(piece)
                if b"\r\n\r\n" in piece:
                    break
        except ConnectionError:
            pass
        return b"".join(pieces)


def test_unknown_keys_are_refused_however_many(installation, source, caller):
    strange = ["", "-", "\0", "é", "x" * 5000, "' OR 1=1 --", source["write_key"][:-1]]
    strange += [f"key-{number}" for number in range(200)]
    for key in strange:
        stranger = Caller(installation.edge_port, key)
        answer = stranger.post(batch(track("x")))
        stranger.close()
        assert answer.status == 401, key
        assert answer.content["code"] in {"missing_write_key", "unknown_write_key"}
    assert caller.post(batch(track("known"))).content["accepted"] == 1
    with connect(installation) as connection:
        assert read_books(connection, source["source_id"]).logged == ["known"]


def test_the_largest_batch_an_sdk_may_send_is_taken_whole(installation, source, caller):
    events = [track(f"m{number}", event="E") for number in range(2_500)]
    answer = caller.post(batch(*events))
    assert (answer.status, answer.content["accepted"]) == (200, 2_500)
    assert caller.post(batch(*events)).content["duplicate"] == 2_500
    with connect(installation) as connection:
        wait_until_folded(connection, source["source_id"])
        books = read_books(connection, source["source_id"])
    assert find_faults([f"m{number}" for number in range(2_500)], books) == []
    assert (len(books.logged), books.duplicate) == (2_500, 2_500)


def test_clocks_that_are_years_off_are_put_right(installation, source, caller):
    """What a device says counts only as the time between doing and sending."""
    year, minute = timedelta(days=365), timedelta(minutes=1)
    now = datetime.now(UTC)
    ago = {  # message id: (device's time of doing, of sending) and what it must come to
        "ahead": ((now + 3 * year, None), timedelta()),
        "ahead, sent a minute later": ((now + 3 * year, now + 3 * year + minute), minute),
        "behind, sent a minute later": ((now - 5 * year, now - 5 * year + minute), minute),
        "sent before it was done": ((now + year, now), timedelta()),
        "ahead, kept for a year": ((now + 2 * year, now + 3 * year), year),
        "no time at all": ((None, None), timedelta()),
        "only sent": ((None, now - 9 * year), timedelta()),
    }
    for message_id, ((done, sent), _) in ago.items():
        times = {"timestamp": done, "sentAt": sent}
        more = {name: at.isoformat() for name, at in times.items() if at}
        assert caller.post(batch(track(message_id, **more))).content["accepted"] == 1
    long_ago = track("behind", timestamp=(now - 2 * year).isoformat())
    assert caller.post(batch(long_ago)).content["accepted"] == 1
    late = json.loads(batch(track("sent with the batch", timestamp=(now - year).isoformat())))
    late["sentAt"] = (now - year + minute).isoformat()
    assert caller.post(json.dumps(late).encode()).content["accepted"] == 1
    with connect(installation) as connection:
        wait_until_folded(connection, source["source_id"])
        found = connection.execute(
            "SELECT l.message_id, a.occurred_at, a.received_at FROM store_activity a"
            " JOIN store_event_log l ON l.id = a.event_id WHERE a.source_id = %s",
            [source["source_id"]],
        ).fetchall()
    times = {message_id: (occurred, received) for message_id, occurred, received in found}
    for message_id, (_, before) in {**ago, "sent with the batch": ((), minute)}.items():
        occurred, received = times.pop(message_id)
        assert received - occurred == before, message_id
        assert abs(received - now) < timedelta(minutes=5)
    assert times.pop("behind")[0] == now - 2 * year
    assert times == {}

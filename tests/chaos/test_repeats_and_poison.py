"""What comes more than once is there once (T7); what is bad harms nothing good beside it (T12).

One collector takes all of it, behind a proxy that can take the database away.
"""

import importlib.util
import random
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from amity.infra.database import transaction
from amity.store import api as store
from amity.store import api_retention as keeping
from amity.testing.chaos import Caller, find_faults, read_books
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.edge import running_edge, wait_until_ready
from amity.testing.proxy import fault_proxy

REPEATED = chaos_number("REPEATED", 400)
POISONED = chaos_number("POISONED", 400)
SEED = 20261123
CONNECTIONS = 8
PATIENCE_SECONDS = 60.0
DAYS = 90
AWAY_SECONDS = 5.0 if POISONED > 400 else 1.0
LARGEST_IN_A_BATCH = 32_768
# What has no matching brackets cannot be told from its neighbours inside a batch.
ALONE = {"empty", "cut off", "garbage", "byte order mark"}
pytestmark = pytest.mark.timeout(360 + (REPEATED + POISONED) // 50)

_spec = importlib.util.spec_from_file_location(
    "collect_poison", Path(__file__).parents[1] / "fixtures" / "collect_poison.py"
)
corpus = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(corpus)


@pytest.fixture(scope="module")
def collector(module_db):
    # Nothing is folded here and some of it is said to be a day old: nobody is to wait for that.
    patient = {"max_lag_seconds": 10 * 86_400}
    with fault_proxy() as (proxy, url), running_edge(database_url=url, **patient) as edge:
        yield edge, proxy


@pytest.fixture
def source(collector, request):
    return store.create_source(name=request.node.name, kind="server")


def event(message_id, **more):
    user = f"u{zlib.crc32(message_id.encode()) % 50}"
    body = {"type": "track", "event": "Bought", "userId": user, "messageId": message_id}
    return msgspec.json.encode(body | more)


def batch(events):
    return b'{"batch":[' + b",".join(events) + b"]}"


def deliver(collector, source, bodies):
    """Send bodies over several connections at once, each until it is taken; the answers."""
    callers = [Caller(collector[0].port, source.write_key) for _ in range(CONNECTIONS)]

    def send_all(lane):
        return [send(callers[lane], body) for body in bodies[lane::CONNECTIONS]]

    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return [answer for lane in pool.map(send_all, range(CONNECTIONS)) for answer in lane]
    finally:
        for caller in callers:
            caller.close()


def send(caller, body):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = caller.post(body)
        if answer.status not in {0, 429}:
            return answer
        time.sleep(0.05)
    raise TimeoutError("a batch was never taken")


def cut_up(events, rng):
    """Put events into batches of different sizes."""
    bodies = []
    while events:
        size = rng.randint(1, 60)
        bodies.append(batch(events[:size]))
        events = events[size:]
    return bodies


def books_of(source):
    with transaction() as connection:
        return read_books(connection, source.source_id)


def fold_all():
    while store.fold_batch().events:
        pass


def quarantined(source):
    with transaction() as connection:
        return connection.execute(
            "SELECT raw, reason, seen FROM store_quarantine WHERE source_id = %s",
            [source.source_id],
        ).fetchall()


def test_what_comes_up_to_five_times_in_any_order_is_there_once(collector, source):
    rng, now = random.Random(SEED), datetime.now(UTC)
    ids = [f"r-{number}" for number in range(REPEATED)]
    # A third came on some day of the last ninety, and has been kept in mind since.
    early = rng.sample(ids, REPEATED // 3)
    for day in range(1, DAYS):
        then = now - timedelta(days=DAYS - day)
        some = early[day::DAYS]
        store.append_events(source_id=source.source_id, events=[event(e) for e in some], now=then)
    sweeps = keeping.index_sweeps(keeping.list_sweeps())
    keeping.run_retention(sweeps, key="events.ids", by="t", now=now)
    known = len(books_of(source).logged)
    assert known > len(early) / 2
    copies = [each for each in ids for _ in range(rng.randint(1, 5))]
    rng.shuffle(copies)
    began = time.monotonic()
    # Each is written anew, as an SDK does that sends it again.
    events = [event(each, sentAt=(now + timedelta(seconds=n)).isoformat())
              for n, each in enumerate(copies)]  # fmt: skip
    answers = deliver(collector, source, cut_up(events, rng))
    seconds = time.monotonic() - began
    assert {answer.status for answer in answers} == {200}
    fold_all()
    books = books_of(source)
    assert find_faults(ids, books) == []
    assert sorted(books.logged) == sorted(ids)
    assert books.duplicate == len(copies) + known - REPEATED
    assert sum(a.content["accepted"] for a in answers) == REPEATED - known
    assert books.quarantined == 0
    record(
        Finding(
            card="T7",
            what=f"events sent one to five times, shuffled over {CONNECTIONS} connections, "
            f"a third of them first {DAYS} days to a day ago",
            seed=SEED,
            seconds=seconds,
            acknowledged=REPEATED,
            lost=len(set(ids) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            more={"copies": f"{len(copies) + known} sent, {books.duplicate} told as repeated"},
        )
    )


def test_one_id_of_two_sources_is_two_events_and_with_other_content_is_put_aside(collector, source):
    other = store.create_source(name=f"other of {source.name}", kind="server")
    ids = [f"same-{number}" for number in range(60)]
    first = batch([event(each) for each in ids])
    for each in (source, other):
        assert [a.content["accepted"] for a in deliver(collector, each, [first])] == [60]
    changed = [event(each, event="Sold") for each in ids]
    (answer,) = deliver(collector, source, [batch(changed)])
    assert (answer.content["accepted"], answer.content["quarantined"]) == (0, 60)
    assert {error["code"] for error in answer.content["errors"]} == {"id_conflict"}
    assert sorted(raw for raw, *_ in quarantined(source)) == sorted(changed)
    for each in (source, other):
        assert sorted(books_of(each).logged) == sorted(ids)


def test_the_same_batch_from_eight_at_once_is_taken_once(collector, source):
    for number in range(10):
        body = batch([event(f"{number}-{each}") for each in range(40)])
        answers = deliver(collector, source, [body] * CONNECTIONS)
        assert sum(answer.content["accepted"] for answer in answers) == 40
        assert sum(answer.content["duplicate"] for answer in answers) == 40 * (CONNECTIONS - 1)
    assert len(books_of(source).logged) == len(set(books_of(source).logged)) == 400


def make_poison(rng):
    """Bad events without end: those that are known, and good ones with something broken."""
    known = [
        (raw, reason)
        for name, (raw, reason) in corpus.POISON.items()
        if name not in ALONE and len(raw) <= LARGEST_IN_A_BATCH
    ]
    number = 0
    while True:
        rng.shuffle(known)
        for raw, reason in known:
            yield raw, reason
        number += 1
        whole = {"type": "track", "event": "Bought", "userId": "u1", "messageId": f"p-{number}"}
        broken = [
            (whole | {"type": rng.choice(["", "Track", "buy", "pagé"])}, "unknown_type"),
            (whole | {"userId": [number]}, "wrong_type"),
            (whole | {"userId": "x" * rng.randint(256, 5000)}, "bad_identifier"),
            (whole | {"timestamp": f"{rng.randint(10_000, 99_999)}-01-01"}, "bad_timestamp"),
            (whole | {"properties": [number]}, "wrong_type"),
        ]
        for content, reason in broken:
            yield msgspec.json.encode(content), reason


def mix(rng, share, poison, name):
    """Return bodies of ten events, so many tenths of them bad; with the good ids and the bad."""
    bodies, good, bad = [], [], []
    while len(bad) < POISONED // 2:
        of_these = [next(poison) for _ in range(share)]
        ids = [f"{name}-{len(bodies)}-{number}" for number in range(10 - share)]
        events = [raw for raw, _ in of_these] + [event(each) for each in ids]
        rng.shuffle(events)
        bodies.append(batch(events))
        good += ids
        bad += of_these
    return bodies, good, bad


@pytest.mark.parametrize("share", [1, 9], ids=["one in ten", "nine in ten"])
def test_poison_among_good_events_costs_none_of_them(collector, source, share):
    rng = random.Random(SEED + share)
    bodies, good, bad = mix(rng, share, make_poison(rng), f"s{share}")
    began = time.monotonic()
    answers = deliver(collector, source, bodies)
    seconds = time.monotonic() - began
    assert {answer.status for answer in answers} == {200}, "no bad event is the sender's 5xx"
    assert sum(answer.content["accepted"] for answer in answers) == len(good)
    assert sum(answer.content["quarantined"] for answer in answers) == len(bad)
    fold_all()
    books = books_of(source)
    assert find_faults(good, books) == []
    assert sorted(books.logged) == sorted(good)
    kept = {raw: (reason, seen) for raw, reason, seen in quarantined(source)}
    times = Counter(raw for raw, _ in bad)
    assert kept == {raw: (reason, times[raw]) for raw, reason in bad}, "all of it, as it came"
    assert books.quarantined == len(bad)
    record(
        Finding(
            card="T12",
            what=f"good events with {share} of ten poisoned",
            seed=SEED + share,
            seconds=seconds,
            acknowledged=len(good),
            lost=len(set(good) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            more={"poison": f"{len(bad)} put aside as they came, with the reason; no answer 5xx"},
        )
    )


def test_a_database_that_is_away_for_a_while_puts_nothing_good_aside(collector, source):
    """A fault of ours is not the event's: what is refused meanwhile is taken afterwards."""
    edge, proxy = collector
    rng = random.Random(SEED)
    bodies, good, bad = mix(rng, 2, make_poison(rng), "away")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(deliver, collector, source, bodies)
        proxy.go_down()
        time.sleep(AWAY_SECONDS)
        proxy.come_back()
        answers = job.result()
    wait_until_ready(edge)
    assert {answer.status for answer in answers} == {200}
    fold_all()
    assert find_faults(good, books_of(source)) == []
    assert {raw for raw, *_ in quarantined(source)} == {raw for raw, _ in bad}

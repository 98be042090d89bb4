"""The network between Amity's processes, their database and whom they tell fails (T5).

A proxy of our own stands in between: late, drop by drop, silent, half open, torn in the middle,
connections in another order. Nothing acknowledged is lost or doubled, nobody waits past their
time, and it comes back by itself.
"""

import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from amity.infra import config, database
from amity.infra.database import transaction
from amity.store import api as store
from amity.store import api_outbound
from amity.store.contracts_outbound import OutboundPlan
from amity.testing.chaos import find_faults, read_books, sending, wait_until_folded
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.edge import running_edge, wait_until_ready
from amity.testing.installation import wait_for
from amity.testing.proxy import WEATHERS, fault_port, fault_proxy
from amity.testing.webhook_receiver import receiving

SECONDS = float(chaos_number("WEATHER_SECONDS", 1))
ROUNDS = chaos_number("WEATHERS", 1)
# Senders are answered after 8 s at the latest; the rest is a busy machine.
LONGEST_ANSWER_SECONDS = 30.0
BACK_SECONDS = 30.0
BAD_WEATHERS = [weather for weather in WEATHERS if weather != "fair"]
PAUSE_SECONDS = 0.02
pytestmark = pytest.mark.timeout(360 + 15 * ROUNDS * len(BAD_WEATHERS) * (1 + int(SECONDS)))


@contextlib.contextmanager
def running_worker(url):
    """A worker that reaches the database through the proxy too."""
    environment = config.environment() | {"AMITY_DATABASE_URL": url, "AMITY_WAREHOUSE": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "amity.cli", "worker"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        assert process.poll() is None, "the worker ended"
    finally:
        process.kill()
        process.wait()


def taken_after(senders, moment):
    return all(sender.taken_at and sender.taken_at[-1][0] > moment for sender in senders)


def endure(proxy, weather, senders):
    """Let one weather reign for a while; return after how long each sender was served again."""
    struck = proxy.struck
    proxy.weather = weather
    if weather == "shuffled":
        proxy.go_down()
        proxy.come_back()
    time.sleep(SECONDS)
    wait_for(lambda: proxy.struck > struck, what=f"something to meet the weather {weather}")
    proxy.weather = "fair"
    over = time.monotonic()
    wait_for(lambda: taken_after(senders, over), what=f"events to be taken after {weather}")
    return time.monotonic() - over


def test_no_weather_between_amity_and_its_database_loses_or_doubles(db, tmp_path):
    source = store.create_source(name="shop", kind="server")
    back = []
    began = time.monotonic()
    with (
        fault_proxy() as (proxy, url),
        running_worker(url),
        running_edge(database_url=url) as edge,
        psycopg.connect(database.conninfo("app"), autocommit=True) as direct,
    ):
        with sending(
            source.write_key, tmp_path, port=edge.port, senders=3, pause_seconds=PAUSE_SECONDS
        ) as senders:
            wait_for(lambda: taken_after(senders, 0), what="the first batches")
            for _ in range(ROUNDS):
                back += [endure(proxy, weather, senders) for weather in BAD_WEATHERS]
        wait_until_ready(edge)
        wait_until_folded(direct, source.source_id)
        books = read_books(direct, source.source_id)
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    answers = sum((sender.answers for sender in senders), Counter())
    assert answers[429], "no sender noticed anything, so this proves nothing"
    assert set(answers) == {200, 429}
    assert find_faults(acknowledged, books) == []
    assert books.quarantined == 0
    slowest = max(sender.slowest for sender in senders)
    assert slowest < LONGEST_ANSWER_SECONDS
    assert max(back) < BACK_SECONDS
    record(
        Finding(
            card="T5",
            what=f"the network to the database {', '.join(BAD_WEATHERS)}",
            seconds=time.monotonic() - began,
            cuts=len(back),
            acknowledged=len(acknowledged),
            lost=len(set(acknowledged) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            recovered_seconds=back,
            more={"answers": f"{answers[200]} taken, {answers[429]} refused with 429, the slowest "
                  f"after {slowest:.1f} s"},
        )
    )  # fmt: skip


def test_no_weather_on_the_way_to_whom_we_tell_loses_a_word(db):
    """A webhook may come twice when its answer was lost, under one number; it is never lost."""
    with (
        receiving() as receiver,
        fault_port(receiver.server_port) as (proxy, port),
        config.override(egress_allow="127.0.0.0/8"),
    ):
        source_id = store.create_source(name="shop", kind="server").source_id
        plan = OutboundPlan(name="to", url=f"http://127.0.0.1:{port}/ok", events=["Sold"])
        made = api_outbound.create_endpoint(plan=plan, by="test")
        deliverer = api_outbound.Deliverer(rng=random.Random(1))
        told = []
        try:
            for weather in BAD_WEATHERS:
                proxy.weather = weather
                told += tell(source_id, weather)
                turn_for(deliverer, 0.4)
            proxy.weather = "fair"
            wait_for(lambda: is_delivered(deliverer), what="all to be told")
        finally:
            deliverer.close()
        page = api_outbound.list_deliveries(endpoint_id=made.endpoint.endpoint_id)
    wanted = {each.message_id for each in page.items}
    assert len(wanted) == len(told)
    assert set(receiver.ids("/")) == wanted, "each is heard of, under its one number"


def tell(source_id, name):
    now = datetime.now(UTC)
    ids = [f"{name}-{number}" for number in range(5)]
    events = [
        msgspec.json.encode({"type": "track", "event": "Sold", "userId": "u1", "messageId": each})
        for each in ids
    ]
    store.append_events(source_id=source_id, events=events, now=now)
    while store.fold_batch().events or api_outbound.queue_deliveries(now=now):
        pass
    return ids


def turn_for(deliverer, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        deliverer.turn(now=datetime.now(UTC))
        time.sleep(0.02)


def is_delivered(deliverer):
    with transaction() as connection:
        connection.execute("UPDATE store_delivery SET next_at = now() WHERE state = 'waiting'")
        connection.execute("UPDATE store_outbound SET open_until = NULL")
    deliverer.turn(now=datetime.now(UTC))
    with transaction() as connection:
        return connection.execute(
            "SELECT bool_and(state = 'delivered') FROM store_delivery"
        ).fetchone()[0]


def test_a_peer_that_vanishes_is_noticed_by_the_clients_of_any_database(db):
    """Time-outs stand in how every process connects; the server's are as we set them."""
    told = psycopg.conninfo.conninfo_to_dict(database.conninfo("app"))
    assert int(told["connect_timeout"]) <= 5
    assert int(told["tcp_user_timeout"]) <= 10_000
    idle = int(told["keepalives_idle"])
    assert idle + int(told["keepalives_interval"]) * int(told["keepalives_count"]) <= 30
    with transaction() as connection:
        limits = dict(
            connection.execute(
                "SELECT name, setting::int FROM pg_settings WHERE name IN ('statement_timeout',"
                " 'lock_timeout', 'idle_in_transaction_session_timeout')"
            ).fetchall()
        )
    assert len(limits) == 3
    assert all(0 < limit <= 120_000 for limit in limits.values()), limits

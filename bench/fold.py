"""How fast the fold takes events from the log, in one process, on an embedded server.

Run with `python bench/fold.py [events]`. Three mixes: plain events of returning visitors; the
same with a new visitor every third event; and a shop's (identify, orders, browsing). Prints
events a second for each, the processor's time for an event, and the cost of an idle turn.
"""

import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from amity.infra import config, database, postgres
from amity.infra.crypto import installation_secrets

NOW = datetime.now(UTC)
PIDS = []  # of the server
CONTEXT = {
    "library": {"name": "analytics.js", "version": "4.1.0"},
    "page": {"path": "/shoes/42", "url": "https://shop.example/shoes/42", "title": "Shoes"},
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "locale": "de-AT",
}


def track(rng, number, visitor, name="Product Viewed", **more):
    at = NOW - timedelta(seconds=rng.randrange(90 * 86400))
    return {
        "type": "track",
        "event": name,
        "messageId": f"bench-{number}",
        "anonymousId": f"visitor-{visitor}",
        "timestamp": at.isoformat(),
        "context": CONTEXT,
        "properties": {"product_id": f"p{rng.randrange(500)}", "price": 19.9, "category": "shoes"},
        **more,
    }


def plain(rng, count):
    return [track(rng, number, rng.randrange(5_000)) for number in range(count)]


def strangers(rng, count):
    return [
        track(rng, number, number if number % 3 == 0 else rng.randrange(5_000))
        for number in range(count)
    ]


def shop(rng, count):
    events = []
    for number in range(count):
        visitor = rng.randrange(5_000)
        chance = rng.random()
        event = track(rng, number, visitor)
        if chance < 0.05:
            event |= {
                "type": "identify",
                "userId": f"user-{visitor}",
                "traits": {"email": f"user{visitor}@example.com", "name": "Ann Lee"},
            }
        elif chance < 0.15:
            event |= {
                "event": "Order Completed",
                "userId": f"user-{visitor}",
                "properties": {"order_id": f"o{number}", "total": 20, "products": []},
            }
        events.append(event)
    return events


def measure(name, make, count):
    from amity.store import api

    source = api.create_source(name=name, kind="server").source_id
    events = [msgspec.json.encode(event) for event in make(random.Random(1), count)]
    for start in range(0, count, 5_000):
        api.append_events(source_id=source, events=events[start : start + 5_000], now=NOW)
    api.fold_batch(limit=100)  # connections, plans
    wall, cpu, database_cpu, folded = time.perf_counter(), time.process_time(), postgres_cpu(), 0
    while done := api.fold_batch().events:
        folded += done
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    database_cpu = postgres_cpu() - database_cpu
    print(
        f"{name:12} {folded / wall:9,.0f} events/s   "
        f"CPU per event: {cpu / folded * 1e6:4.0f} µs here, "
        f"{database_cpu / folded * 1e6:4.0f} µs in PostgreSQL"
    )


def postgres_cpu():
    """Seconds the processor has spent in all processes of the server."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) in PIDS or int(entry.name) in PIDS:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    with (
        tempfile.TemporaryDirectory(prefix="amity-bench-", ignore_cleanup_errors=True) as folder,
        config.override(data=folder, disk_reserve_bytes=0),
    ):
        server = postgres.EmbeddedPostgres(config.settings().data, installation_secrets())
        server.start()
        PIDS.append(server.process.pid)
        try:
            from amity.site.migrate import migrate

            migrate()
            for make in (plain, strangers, shop):
                reset()
                measure(make.__name__, make, count)
            from amity.store import api

            start = time.perf_counter()
            for _ in range(200):
                assert api.fold_batch().events == 0
            print(f"idle turn    {(time.perf_counter() - start) / 200 * 1000:9.2f} ms")
        finally:
            database.close_pools()
            server.stop()


def reset():
    with database.transaction("owner") as connection:
        connection.execute("TRUNCATE store_event_log, store_event_key")
        connection.execute(
            "TRUNCATE store_profile, store_identifier, store_merge, store_activity, store_order"
        )
        connection.execute("UPDATE store_consumer SET epoch = epoch + 1")


if __name__ == "__main__":
    main()

"""A shop's warehouse made up for measuring: a year of visits, orders, surveys and messages.

It has the product's own tables and columns, a file a day as the product writes them, and goes into
the manifest of the installation that is set. A customer has some 25 events; every tenth visit ends
in an order of two lines. Nothing is known of segments and households.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse import SQL
from amity.infra.warehouse_files import FileRow, add_files
from amity.infra.warehouse_writing import ensure_exports
from amity.web.warehousing import list_exports

DAYS = 365
EVENTS_A_CUSTOMER = 25
_EVENTS_A_VISIT = 7.5
"""What `_VISITS` draws on average: two, and whole parts of an exponential of six."""
_SENDS_AN_EVENT = 0.05
_DRAWN = 20_000
"""Customers whom a campaign drew, at most; a tenth of them is held out."""

_UNDATED = date(2000, 1, 1)
"""The partition of what is written anew each time."""

_VISITS = """
CREATE OR REPLACE TEMP TABLE visits AS SELECT
    1 + CAST(floor({customers} * pow(random(), 1.5)) AS BIGINT) AS origin_id,
    TIMESTAMPTZ '{day} 00:00:00+00' + to_seconds(CAST(random() * 79200 AS BIGINT)) AS began,
    2 + CAST(floor(-{mean} * ln(1 - random())) AS BIGINT) AS steps, random() AS came
FROM range({visits})
"""
_STEPS = """
CREATE OR REPLACE TEMP TABLE steps AS SELECT
    {first} + row_number() OVER (ORDER BY moment) AS event_id, *
    FROM (SELECT origin_id, came, place, random() AS dice,
        CAST(floor(200 * pow(random(), 2)) AS INTEGER) AS product,
        began + to_seconds(place * 45 + CAST(random() * 40 AS BIGINT)) AS moment
    FROM (SELECT *, unnest(range(least(steps, 40))) AS place FROM visits))
"""
_EVENTS = """
SELECT event_id, origin_id, CAST(2 AS BIGINT) AS source_id,
    CASE WHEN name = 'Page Viewed' THEN 'page' ELSE 'track' END AS type, name,
    moment AS occurred_at, moment AS received_at, CASE
        WHEN name = 'Page Viewed' THEN '{{"name": "Page ' || product % 40 || '"}}'
        WHEN name = 'Order Completed' THEN '{{"order_id": "o-' || event_id
            || '", "currency": "USD", "total": ' || 10 + product % 90 || '}}'
        WHEN name LIKE 'Survey %' THEN '{{"kind": "nps", "post": "after order", "answer": '
            || product % 11 || '}}'
        WHEN name = 'Order Shipped' THEN '{{"order_id": "o-' || event_id - 1 || '"}}'
        ELSE '{{"product_id": "p' || product || '", "category": "c' || product % 12
            || '", "price": ' || 10 + product % 90 || '}}' END AS properties,
    CASE WHEN name = 'Page Viewed' AND place = 0 AND came < 0.3
        THEN '{{"campaign": {{"medium": "cpc", "source": "s' || product % 5 || '"}}}}'
        WHEN name = 'Page Viewed' AND place = 0 AND came < 0.6
        THEN '{{"page": {{"url": "https://shop.example/", "referrer": "https://www.google.com/"}}}}'
        WHEN name = 'Page Viewed' THEN '{{"page": {{"url": "https://shop.example/"}}}}'
        ELSE '{{}}' END AS context
FROM (SELECT *, CASE WHEN place = 0 OR dice < 0.25 THEN 'Page Viewed'
    WHEN dice < 0.72 THEN 'Product Viewed' WHEN dice < 0.87 THEN 'Product Added'
    WHEN dice < 0.93 THEN 'Checkout Started' WHEN dice < 0.945 THEN 'Order Completed'
    WHEN dice < 0.955 THEN 'Order Shipped' WHEN dice < 0.965 THEN 'Survey Asked'
    WHEN dice < 0.968 THEN 'Survey Answered' WHEN dice < 0.972 THEN 'Ticket Opened'
    WHEN dice < 0.975 THEN 'Ticket Closed' ELSE 'Email Opened' END AS name FROM steps)
ORDER BY event_id
"""
_ORDERS = """
SELECT origin_id AS profile_id, 'o-' || event_id AS order_id, moment AS placed_at, event_id,
    CAST(1000 + product % 90 * 100 AS BIGINT) AS total_minor, 'USD' AS currency,
    CAST(2 AS BIGINT) AS items, CAST(CASE WHEN dice > 0.944 THEN 500 ELSE 0 END AS BIGINT)
    AS refunded_minor, false AS is_refunded, dice < 0.9302 AS is_cancelled,
    CAST(1 AS BIGINT) AS _version
FROM steps WHERE place > 0 AND dice >= 0.93 AND dice < 0.945 ORDER BY event_id
"""
_LINES = """
SELECT event_id, origin_id, moment AS received_at, CAST(line AS BIGINT) AS line,
    'p' || sort AS product_id, 'Product ' || sort AS name, 'c' || sort % 12 AS category,
    'b' || sort % 7 AS brand, CAST(1000 AS BIGINT) AS quantity_milli,
    CAST((10 + product % 90) * 500000 AS BIGINT) AS amount_micro,
    CAST((10 + product % 90) * 300000 AS BIGINT) AS cost_micro,
    CAST(NULL AS BIGINT) AS discount_micro
FROM (SELECT *, (product + line * 7) % 200 AS sort FROM steps, range(1, 3) l(line)
    WHERE place > 0 AND dice >= 0.93 AND dice < 0.945) ORDER BY event_id, line
"""
_SENDS = """
SELECT 's-{day}-' || i AS send_id, moment AS planned_at, 'campaign' AS run_kind,
    CAST(i % 3 + 1 AS BIGINT) AS run_id, '' AS step_key, '' AS contact_point, profile_id,
    'email' AS channel, 'marketing' AS "class", 'newsletter' AS purpose,
    CAST(NULL AS BIGINT) AS content_id, 'delivered' AS state, '' AS reason,
    CAST(1 AS BIGINT) AS attempts, CAST(NULL AS TIMESTAMPTZ) AS not_before,
    CAST(NULL AS TIMESTAMPTZ) AS not_after, moment AS wire_at, moment AS settled_at,
    CAST(1 AS BIGINT) AS _version
FROM (SELECT i, 1 + CAST(floor({customers} * random()) AS BIGINT) AS profile_id,
    TIMESTAMPTZ '{day} 09:00:00+00' + to_seconds(i % 3600) AS moment FROM range({sends}) t(i))
"""
_PROFILES = """
SELECT i AS profile_id, CASE WHEN i % 20 = 0 THEN i - 1 ELSE i END AS root_id,
    CASE WHEN i % 20 = 0 THEN i - 1 END AS merged_into, 'u' || i AS user_id,
    'Customer ' || i AS name, 'u' || i || '@shop.example' AS email, CAST(NULL AS VARCHAR) AS phone,
    '{{"country": "DE"}}' AS traits, '{{}}' AS consents, TIMESTAMPTZ '{day} 00:00:00+00'
    AS first_seen_at, TIMESTAMPTZ '{day} 00:00:00+00' AS last_seen_at,
    CAST(25 AS BIGINT) AS event_count, '{{}}' AS event_counts, CAST(1 AS BIGINT) AS order_count,
    CAST(0 AS BIGINT) AS revenue_minor, CAST(NULL AS TIMESTAMPTZ) AS first_order_at,
    CAST(NULL AS TIMESTAMPTZ) AS last_order_at, CAST(1 AS BIGINT) AS identifier_count,
    CAST(1 AS BIGINT) AS _version
FROM range(1, {customers} + 1) t(i)
"""
_PARTICIPANTS = """
SELECT '1:' || i AS participant_id, CAST(1 AS BIGINT) AS campaign_id, i AS profile_id,
    CASE WHEN i % 10 = 0 THEN 'holdout' ELSE 'treatment' END AS arm,
    TIMESTAMPTZ '{day} 09:00:00+00' AS assigned_at, CAST(604800 AS BIGINT) AS window_seconds,
    CAST(1 AS BIGINT) AS _version
FROM range(1, least({customers}, {drawn}) + 1) t(i)
"""


def make_warehouse(events: int, *, until: date) -> int:
    """Write a warehouse of about so many events up to ``until``; return how many there are.

    Days that lie in the folder of the warehouse already are taken as made by an earlier call.
    """
    ensure_exports(list_exports())
    _write(events, until)
    files = list(_list_files())
    with transaction() as connection:
        add_files(connection, files)
        names = [export.name for export in list_exports()]
        connection.execute(SQL["warehouse_complete"], [datetime.now(UTC), names])
    return sum(file.rows for file in files if file.export == "events")


def _write(events: int, until: date) -> None:
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    connection.execute("SET TimeZone = 'UTC'")
    customers = max(events // EVENTS_A_CUSTOMER, 1)
    first = until - timedelta(days=DAYS)
    given = {"customers": customers, "mean": 6, "drawn": _DRAWN}
    given |= {"visits": max(round(events / DAYS / _EVENTS_A_VISIT), 1)}
    given |= {"sends": int(events / DAYS * _SENDS_AN_EVENT)}
    _copy(connection, "profiles", _UNDATED, _PROFILES.format(day=first, **given))
    campaign = until - timedelta(days=20)
    _copy(connection, "participants", _UNDATED, _PARTICIPANTS.format(day=campaign, **given))
    for number in range(DAYS):
        day = first + timedelta(days=number)
        if _path("sends", day).exists():  # written last of a day
            continue
        # A day's ids begin where those of the day before end at the latest.
        given["first"] = day.toordinal() * (events // DAYS + 1) * 2
        connection.execute(_VISITS.format(day=day, **given))
        connection.execute(_STEPS.format(**given))
        for name, sql in (("events", _EVENTS), ("orders", _ORDERS), ("order_lines", _LINES)):
            _copy(connection, name, day, sql.format())
        _copy(connection, "sends", day, _SENDS.format(day=day, **given))
    connection.close()


def _path(name: str, day: date) -> Path:
    return warehouse.folder() / name / f"day={day}" / "part-1.parquet"


def _copy(connection: duckdb.DuckDBPyConnection, name: str, day: date, sql: str) -> None:
    path = _path(name, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY ({sql}) TO '{path}' (COMPRESSION zstd, ROW_GROUP_SIZE 100000)")


def _list_files() -> Iterator[FileRow]:
    for path in sorted(warehouse.folder().glob("*/day=*/*.parquet")):
        name, day = path.parts[-3], date.fromisoformat(path.parts[-2].removeprefix("day="))
        yield FileRow(
            path=str(path.relative_to(warehouse.folder())),
            export=name,
            day=day,
            after=0,
            upto=1,
            rows=_count(path),
            size_bytes=path.stat().st_size,
            sha256=b"",
            least_at=None,
            greatest_at=None,
            least_subject=None,
            greatest_subject=None,
        )


def _count(path: Path) -> int:
    [count] = duckdb.execute(f"SELECT num_rows FROM parquet_file_metadata('{path}')").fetchone()
    return int(count)

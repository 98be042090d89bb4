"""On any history, with merges, merges taken back and erasures: what lies in the warehouse is what
lies at the source, each row once, and nothing of whoever was erased."""

from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.infra import database, warehouse
from amity.infra.warehouse_rewriting import compact
from amity.infra.warehouse_verifying import verify
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.store import api as store
from amity.web.erasing import erase_customer
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC).replace(microsecond=0)
WHO = st.sampled_from(["ann", "bob", "cy"])
DEVICE = st.sampled_from(["d-1", "d-2"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("browse"), DEVICE),
        st.tuples(st.just("order"), WHO),
        st.tuples(st.just("login"), WHO, DEVICE),
        st.tuples(st.just("unmerge")),
        st.tuples(st.just("erase"), WHO),
        st.tuples(st.just("export")),
        st.tuples(st.just("compact")),
    ),
    min_size=4,
    max_size=14,
)


@pytest.fixture(scope="module")
def shop(server):
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def fold():
    while store.fold_batch().events:
        pass


def tell(kind, rest, number, source_id):
    at = (NOW - timedelta(hours=1) + timedelta(minutes=number)).isoformat()
    event = {"timestamp": at, "messageId": f"m-{number}"}
    if kind == "browse":
        event |= {"type": "track", "event": "Product Viewed", "anonymousId": rest[0]}
    elif kind == "order":
        event |= {"type": "track", "event": "Order Completed", "userId": rest[0]}
        event |= {"properties": {"order_id": f"o-{number}", "total": number}}
    else:
        event |= {"type": "identify", "userId": rest[0], "anonymousId": rest[1]}
        event |= {"traits": {"email": f"{rest[0]}@shop.test"}}
    store.append_events(source_id=source_id, events=[msgspec.json.encode(event)], now=NOW)
    fold()


def unmerge_one():
    for merge in store.list_merges().items:
        if merge.undone_by is None and not merge.refusal:
            store.unmerge(merge_id=merge.merge_id, by="Tests", now=NOW)
            fold()
            return


def take(step, number, source_id):
    """Do one step; return who was erased by it, if anybody."""
    kind, *rest = step
    if kind in {"browse", "order", "login"}:
        tell(kind, rest, number, source_id)
    elif kind == "unmerge":
        unmerge_one()
    elif kind == "erase":
        for row in store.list_profiles(limit=20).items:
            if row.user_id == rest[0]:
                erase_customer(profile_id=row.profile_id, by="Tests", now=NOW)
                return rest[0]
    elif kind == "export":
        export_all(list_exports(), limit=3)
    else:
        compact(many=2)
    return None


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_the_warehouse_says_what_the_source_says(db, shop, steps):
    source_id = store.create_source(name=f"Shop {datetime.now(UTC)}", kind="server").source_id
    ensure_exports(list_exports())
    gone = set()
    for number, step in enumerate(steps):
        if step[0] in {"order", "login"}:
            gone.discard(step[1])
        erased = take(step, number, source_id)
        if erased:
            gone.add(erased)
    done = verify(list_exports(), log_days=store.read_log_days, now=NOW)
    assert done.is_clean, (steps, done.differences)
    with database.transaction() as connection:
        files = [row[0] for row in connection.execute("SELECT path FROM warehouse_file")]
        known = {
            each.split("@")[0]
            for (each,) in connection.execute("SELECT value FROM store_identifier")
        }
    said = repr([pq.ParquetFile(warehouse.folder() / f).read().to_pylist() for f in files])
    assert not [who for who in gone - known if f"{who}@shop.test" in said]
    for row in store.list_profiles(limit=50).items:
        erase_customer(profile_id=row.profile_id, by="Tests", now=NOW)

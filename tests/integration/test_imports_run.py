"""Files on their way into the log: counts, repeats, kills, cancellations."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from amity.infra import config, database
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from amity.store import api
from amity.store import api_retention as keeping
from amity.store.logic.importing.imports import import_folder, import_path

CUSTOMERS = b"Customer id,E-mail,City\nc-1,ada@example.com,London\nc-2,grace@example.org,Paris\n"


@pytest.fixture
def source_id(db, tmp_path):
    with config.override(data=config.settings().data):
        yield api.create_source(name="Files", kind="server").source_id


def bring_in(content, source_id, connector="customers", **more):
    made = api.create_import(
        content=content, file_name="x.csv", connector=connector, source_id=source_id, **more
    )
    return api.run_import(import_id=made.import_id)


def log_count():
    with transaction() as connection:
        return connection.execute("SELECT count(*) FROM store_event_log").fetchone()[0]


def test_rows_come_in_once_however_often_the_file_does(source_id):
    first = bring_in(CUSTOMERS, source_id)
    assert (first.state, first.rows_total, first.rows_done) == ("finished", 2, 2)
    assert (first.stored, first.duplicate, first.rejected) == (2, 0, 0)
    second = bring_in(CUSTOMERS, source_id)
    assert (second.stored, second.duplicate, second.rejected) == (0, 2, 0)
    assert log_count() == 2


def test_the_same_file_in_another_encoding_and_order_adds_nothing(source_id):
    bring_in("Customer id,City\nc-1,Liège\nc-2,Paris\n".encode(), source_id)
    again = bring_in("City;Customer id\nParis;c-2\nLiège;c-1\n".encode("cp1252"), source_id)
    assert (again.stored, again.duplicate) == (0, 2)


def test_a_wrong_column_is_told_before_anything_is_kept(source_id):
    with pytest.raises(Invalid, match=r"No column is mapped to Order id.*'Order nr', 'When'"):
        bring_in(b"Order nr,When\n1,2026-01-01\n", source_id, connector="orders")
    assert api.list_imports().items == []
    assert list(import_folder().glob(".draft*")) == []


def test_bad_rows_are_named_and_good_rows_come_in(source_id):
    content = (
        b"Order id,Customer id,Ordered at,Unit price,Quantity\n"
        b"o-1,c-1,2026-01-03,3.50,2\n"
        b"o-2,c-1,03/04/2026,3.50,1\n"
        b"o-3,c-2,2026-01-03,cheap,1\n"
        b"o-3,c-2,2026-01-03,9.00,1\n"
        b"o-4,,2026-01-03,9.00,1\n"
        b"too,short\n"
        b"o-5,c-2,2026-01-05,1.00,1\n"
    )
    done = bring_in(content, source_id, connector="orders")
    assert (done.state, done.rows_done, done.stored, done.rejected) == ("finished", 7, 2, 5)
    reasons = {problem.row: problem.reason for problem in done.problems}
    assert "not a time" in reasons[2]
    assert "'cheap' in 'price' is not a number" in reasons[3]
    assert reasons[4] == "left out with row 3, which it belongs to"
    assert "names nobody" in reasons[5]
    assert "it has 2 cells" in reasons[6]


def test_order_lines_belong_together_wherever_they_stand(source_id):
    head = b"Order id,Customer id,Ordered at,Unit price\n"
    apart = head + b"o-1,c-1,2026-01-03,1\no-2,c-2,2026-01-04,5\no-1,c-1,2026-01-03,2\n"
    done = bring_in(apart, source_id, connector="orders")
    assert (done.stored, done.rows_done) == (2, 3)
    bodies = [event.body for event in api.list_received(source_id=source_id)]
    totals = sorted(int(re.search(rb'"total":(\d+)', body)[1]) for body in bodies)
    assert totals == [3, 5]


def test_an_order_that_came_with_other_content_is_rejected_with_the_reason(source_id):
    head = b"Order id,Customer id,Ordered at,Total\n"
    bring_in(head + b"o-1,c-1,2026-01-03,10\n", source_id, connector="orders")
    done = bring_in(head + b"o-1,c-1,2026-01-03,11\n", source_id, connector="orders")
    assert (done.stored, done.duplicate, done.rejected) == (0, 0, 1)
    assert done.problems[0].row == 1
    assert api.count_quarantine() == {"id_conflict": 1}


def test_what_the_log_refuses_is_a_problem_of_its_row(source_id):
    content = b"Event,Time,Customer id\n" + b"x" * 300 + b",2026-01-01,c-1\nFine,2026-01-01,c-1\n"
    done = bring_in(content, source_id, connector="events")
    assert (done.stored, done.rejected) == (1, 1)
    assert [problem.row for problem in done.problems] == [1]


def test_only_the_first_hundred_problems_are_kept(source_id):
    content = b"Customer id,E-mail\n" + b"".join(b"c-%d,nobody\n" % n for n in range(12_000))
    done = bring_in(content, source_id)
    assert (done.rejected, done.rows_done, len(done.problems)) == (12_000, 12_000, 100)


def test_a_cancelled_import_takes_nothing_more_and_stays_cancelled(source_id):
    rows = b"".join(b"c-%d,x\n" % n for n in range(1_200))
    made = api.create_import(
        content=b"Customer id,City\n" + rows,
        file_name="x.csv",
        connector="customers",
        source_id=source_id,
    )
    done = api.run_import(
        import_id=made.import_id,
        progress=lambda record: (
            record.state == "running" and api.cancel_import(import_id=made.import_id)
        ),
    )
    assert (done.state, done.stored, done.rows_done) == ("cancelled", 500, 500)
    assert log_count() == 500
    with pytest.raises(Conflict, match="already cancelled"):
        api.run_import(import_id=made.import_id)


def test_an_ended_import_cannot_be_cancelled_or_run_again(source_id):
    done = bring_in(CUSTOMERS, source_id)
    with pytest.raises(Conflict, match="already finished"):
        api.cancel_import(import_id=done.import_id)
    with pytest.raises(Conflict, match="already finished"):
        api.run_import(import_id=done.import_id)


def test_a_lost_file_fails_with_words_and_may_be_tried_again(source_id):
    made = api.create_import(
        content=CUSTOMERS, file_name="x.csv", connector="customers", source_id=source_id
    )
    kept = import_path(made.import_id)
    content = kept.read_bytes()
    kept.unlink()
    failed = api.run_import(import_id=made.import_id)
    assert failed.state == "failed"
    assert "not kept any more" in failed.failure
    kept.write_bytes(content)
    assert api.run_import(import_id=made.import_id).state == "finished"


def test_the_worker_runs_what_waits_and_one_process_only(source_id):
    made = api.create_import(
        content=CUSTOMERS, file_name="x.csv", connector="customers", source_id=source_id
    )
    with database.pool().connection() as other:
        other.execute("SELECT pg_advisory_lock(hashtext('store_import'), %s)", [made.import_id])
        assert api.run_waiting_imports() == 0
        with pytest.raises(Conflict, match="another process"):
            api.run_import(import_id=made.import_id)
        other.execute("SELECT pg_advisory_unlock_all()")
    assert api.run_waiting_imports() == 1
    assert api.run_waiting_imports() == 0
    assert api.get_import(import_id=made.import_id).state == "finished"


def store_retention(key):
    sweeps = keeping.index_sweeps(keeping.list_sweeps())
    return keeping.run_retention(sweeps, key=key, by="t", now=datetime.now(UTC)).removed


def test_files_are_deleted_a_week_after_the_end(source_id):
    old, new = bring_in(CUSTOMERS, source_id), bring_in(CUSTOMERS, source_id)
    with transaction() as connection:
        connection.execute(
            "UPDATE store_import SET finished_at = now() - interval '8 days' WHERE id = %s",
            [old.import_id],
        )
    gone = store_retention("imports.files")
    assert (gone.files, gone.tables) == (1, {})
    assert not import_path(old.import_id).exists()
    assert import_path(new.import_id).exists()
    assert oct(import_path(new.import_id).stat().st_mode)[-3:] == "600"


def test_preview_shows_columns_events_and_bad_rows(source_id, tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(b"Card No,E-mail,Shoe Size\nc-1,ada@example.com,38\nc-2,nobody,39\n")
    seen = api.preview_file(path=path, connector="customers")
    assert seen.problems == []
    assert seen.mapping == {"Card No": "user_id", "E-mail": "email", "Shoe Size": "trait.shoe_size"}
    assert seen.columns[2].samples == ["38", "39"]
    assert seen.examples[0]["traits"] == {"email": "ada@example.com", "shoe_size": 38}
    assert [problem.row for problem in seen.row_problems] == [2]
    wrong = api.preview_file(path=path, connector="orders")
    assert any("Order id" in problem for problem in wrong.problems)


def test_unknown_things_are_not_found(source_id):
    with pytest.raises(NotFound, match=r"customers, enrichment, events.*orders"):
        bring_in(CUSTOMERS, source_id, connector="oders")
    with pytest.raises(NotFound, match="no source 99999"):
        bring_in(CUSTOMERS, 99_999)
    with pytest.raises(NotFound):
        api.get_import(import_id=99_999)


def test_imports_are_listed_by_pages_newest_first(source_id):
    made = [bring_in(CUSTOMERS, source_id).import_id for _ in range(3)]
    page = api.list_imports(limit=2)
    assert [record.import_id for record in page.items] == made[:0:-1]
    rest = api.list_imports(cursor=page.next_cursor, limit=2)
    assert [record.import_id for record in rest.items] == made[:1]
    assert rest.next_cursor is None


@pytest.mark.parametrize("connector", ["customers", "orders"])
def test_a_killed_run_goes_on_and_ends_right(source_id, connector):
    if connector == "customers":
        head, row = b"Customer id,City\n", b"c-%d,x\n"
    else:
        head, row = b"Order id,Customer id,Ordered at,Total\n", b"o-%d,c,2026-01-03,1\n"
    made = api.create_import(
        content=head + b"".join(row % n for n in range(6_000)),
        file_name="x.csv",
        connector=connector,
        source_id=source_id,
    )
    code = (
        "from amity.infra import database; from amity.store import api;"
        f"database.use_database({database.database_name()!r});"
        f"api.run_import(import_id={made.import_id})"
    )
    for _ in range(2):
        seen = api.get_import(import_id=made.import_id).rows_done
        process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
        try:
            deadline = time.monotonic() + 60
            while api.get_import(import_id=made.import_id).rows_done <= seen:
                assert time.monotonic() < deadline
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    killed = api.get_import(import_id=made.import_id)
    assert killed.state == "running"
    assert killed.stored == killed.rows_done == log_count() < 6_000
    deadline = time.monotonic() + 60
    while not api.run_waiting_imports():
        assert time.monotonic() < deadline, "the lock of the killed run was never freed"
        time.sleep(0.05)
    done = api.get_import(import_id=made.import_id)
    assert (done.state, done.stored, done.duplicate, done.rows_done) == ("finished", 6000, 0, 6000)
    assert log_count() == 6_000


def test_a_full_disk_is_said_and_nothing_is_left_behind(source_id):
    # A limit on the size of files fails the write as a full disk does.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(Unavailable, match="no room"):
            bring_in(CUSTOMERS + b"x" * 5_000, source_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert api.list_imports().items == []
    assert list(import_folder().glob(".draft*")) == []

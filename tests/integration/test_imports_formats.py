"""Files of every kind through the whole of an import: resumed after a kill, in flat memory."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amity.infra import database
from amity.infra.database import transaction
from amity.store import api

ROWS = 2_500
RUN = """
import sys
from amity.infra import database
from amity.store import api
def memory():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    return int(line.split()[1])
seen = {}
def show(record):
    seen[record.rows_done] = memory()
database.use_database(sys.argv[1])
api.run_import(import_id=int(sys.argv[2]), progress=show)
early = max(kept for rows, kept in seen.items() if rows <= int(sys.argv[3]))
print(early, max(seen.values()))
"""


@pytest.fixture
def source_id(db):
    return api.create_source(name="Files", kind="server").source_id


def parquet(path, rows):
    ids = [f"c-{n}" for n in range(rows)]
    mails = [f"p{n}@example.com" for n in range(rows)]
    pq.write_table(pa.table({"Customer id": ids, "E-mail": mails}), path)


def json_lines(path, rows):
    with path.open("w") as file:
        for n in range(rows):
            file.write(json.dumps({"Customer id": f"c-{n}", "E-mail": f"p{n}@example.com"}) + "\n")


def excel(path, rows):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["Customer id", "E-mail"])
    for n in range(rows):
        sheet.append([f"c-{n}", f"p{n}@example.com"])
    with path.open("wb") as file:
        book.save(file)


def archive(path, rows):
    halves = (range(rows // 2), range(rows // 2, rows))
    with zipfile.ZipFile(path, "w") as made:
        for number, half in enumerate(halves):
            lines = "".join(f"c-{n},p{n}@example.com\n" for n in half)
            made.writestr(f"{number}.csv", "Customer id,E-mail\n" + lines)


def start(write, rows, source_id, tmp_path):
    path = tmp_path / "file"
    write(path, rows)
    mapping = {"Customer id": "user_id", "E-mail": "email"}
    return api.create_import(
        content=path,
        file_name="file",
        connector="customers",
        source_id=source_id,
        mapping=mapping,
    ).import_id


def run_apart(import_id, early):
    command = [sys.executable, "-c", RUN, database.database_name(), str(import_id), str(early)]
    return subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE)


@pytest.mark.parametrize("write", [parquet, json_lines, excel, archive])
def test_a_killed_import_goes_on_where_its_last_batch_ended(source_id, tmp_path, write):
    import_id = start(write, ROWS, source_id, tmp_path)
    with run_apart(import_id, 0) as process:
        deadline = time.monotonic() + 60
        while api.get_import(import_id=import_id).rows_done == 0:
            assert time.monotonic() < deadline
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    killed = api.get_import(import_id=import_id)
    assert 0 < killed.rows_done == killed.stored < ROWS
    deadline = time.monotonic() + 60
    while not api.run_waiting_imports():
        assert time.monotonic() < deadline, "the lock of the killed run was never freed"
        time.sleep(0.05)
    done = api.get_import(import_id=import_id)
    assert (done.state, done.rows_done, done.stored, done.duplicate) == ("finished", ROWS, ROWS, 0)
    with transaction() as connection:
        assert connection.execute("SELECT count(*) FROM store_event_log").fetchone()[0] == ROWS


@pytest.mark.parametrize("write", [parquet, json_lines])
def test_memory_does_not_grow_with_the_rows(source_id, tmp_path, write):
    import_id = start(write, 50_000, source_id, tmp_path)
    with run_apart(import_id, 10_000) as process:
        early, most = map(int, process.communicate(timeout=100)[0].split())
    assert api.get_import(import_id=import_id).stored == 50_000
    assert most < early + 16_384, f"from {early} KiB after 10,000 rows to {most} KiB"


def test_a_dry_run_counts_everything_and_stores_nothing(source_id):
    content = b"Customer id,E-mail\nc-1,a@x.example\nc-2,nobody\nc-1,a@x.example\n"
    made = api.create_dry_run(
        content=content, file_name="x.csv", connector="customers", source_id=source_id
    )
    done = api.run_import(import_id=made.import_id)
    assert done.is_dry_run
    assert (done.state, done.rows_done, done.rejected) == ("finished", 3, 1)
    assert (done.stored, done.duplicate) == (1, 1)
    assert [problem.row for problem in api.iter_problems(import_id=made.import_id)] == [2]
    assert api.list_received() == []
    real = api.run_import(import_id=api.import_checked(import_id=made.import_id).import_id)
    assert (real.stored, real.duplicate, real.rejected) == (1, 1, 1)

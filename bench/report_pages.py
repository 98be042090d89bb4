"""What every report costs: its answer computed, and its page from the kept answer.

Run with `python -m bench report_pages` for a million events, or `python -m bench.report_pages
100000000` for that many; `--folder F` keeps the warehouse in F, or takes the one that lies there,
`--only NAME,NAME` asks some reports. A year's warehouse is made (some 50 bytes an event), and each
report is asked its usual question by a process of its own through the product's own code: the
answer is computed by DuckDB within its bounds, kept in PostgreSQL, and its page is opened as a
member of staff opens it. Memory is the most that the asking and the computing process held;
processor time, which a busy machine changes little, is told beside the time that passed.
Goals: every page within a second up to ten million events, and within three above.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amity.infra import config, warehouse
from bench.collector import installation
from bench.harness import Goal

EVENTS = 1_000_000
_DEMO = 10_000_000
_VISITS = 10


def run(rounds: int) -> dict[str, Any]:
    """Measure a million events, or AMITY_BENCH_EVENTS."""
    del rounds
    return measure(int(os.environ.get("AMITY_BENCH_EVENTS", EVENTS)))


def measure(events: int, *, folder: Path | None = None, only: str = "") -> dict[str, Any]:
    """Make a warehouse, ask every report, print what each costs."""
    with tempfile.TemporaryDirectory(prefix="amity-report-pages-") as kept, installation():
        place = folder or Path(kept) / "warehouse"
        place.mkdir(exist_ok=True)
        warehouse.folder().symlink_to(place.resolve())
        begun = time.perf_counter()
        found_events, names = _prepare(events)
        size = sum(path.stat().st_size for path in place.glob("*/*/*.parquet"))
        made = time.perf_counter() - begun
        print(f"{found_events:,} events, {size / 1e6:,.0f} MB of Parquet, made in {made:,.0f} s")
        heads = "".join(f"{head:>11}" for head in ("asking MB", "DuckDB MB", "page ms", "CPU-ms"))
        print(f"  {'':<20}{'seconds':>9}{'CPU-s':>8}{heads}")
        found = [_ask(name) for name in names if not only or name in only.split(",")]
    slowest = max((one["page_seconds"] for one in found), default=0.0)
    wanted = 1.0 if events <= _DEMO else 3.0
    goal = Goal("seconds of the slowest page", slowest, wanted, at_least=False)
    failed = [one["name"] for one in found if one["trouble"]]
    print(goal.line())
    print(f"  without an answer: {', '.join(failed) or 'none'}")
    goals = [{"what": goal.what, "value": slowest, "wanted": wanted, "is_met": goal.is_met}]
    return {"workload": "report_pages", "events": events, "reports": found, "goals": goals}


def _prepare(events: int) -> tuple[int, list[str]]:
    """Make the warehouse and who looks at the pages; return its events and the reports' names."""
    made = json.loads(_call("--make", str(events)))
    return int(made["events"]), list(made["reports"])


def _ask(name: str) -> dict[str, Any]:
    one = dict(json.loads(_call("--report", name)))
    print(
        f"  {name:<20}{one['seconds']:9.1f}{one['cpu_seconds']:8.1f}"
        f"{one['asking_bytes'] / 1e6:11,.0f}"
        f"{one['computing_bytes'] / 1e6:11,.0f}{one['page_seconds'] * 1e3:11.0f}"
        f"{one['page_cpu_seconds'] * 1e3:11.0f}  {one['trouble']}",
        flush=True,
    )
    return one


def _call(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench.report_pages", *arguments]
    done = subprocess.run(
        command,
        env=config.environment(),
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def _make(events: int) -> None:
    from amity.analysis.report import load_reports
    from amity.site.migrate import setup_django
    from bench.made_warehouse import make_warehouse

    setup_django()
    from amity.web.staff.models import Staff

    Staff.objects.create_user("bench", password="x" * 12, role="analyst")
    made = make_warehouse(events, until=datetime.now(UTC).date())
    print(json.dumps({"events": made, "reports": list(load_reports().names())}))


def _measure_one(name: str) -> None:
    """Compute one report's answer in this process, open its page, and print what they cost."""
    from amity.site.migrate import setup_django

    setup_django()
    from amity.analysis import api_reports
    from amity.kernel.errors import AmityError

    trouble, begun, before = "", time.perf_counter(), _cpu_seconds()
    try:
        api_reports.run_report(name=name, given={}, now=datetime.now(UTC))
    except AmityError as error:
        trouble = error.message
    found = {
        "name": name,
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": _cpu_seconds() - before,
        "asking_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "computing_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "trouble": trouble,
    }
    print(json.dumps(found | _open_page(name)))


def _cpu_seconds() -> float:
    """Return the processor time of this process and of those it started and that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _open_page(name: str) -> dict[str, float]:
    """Return how long the page takes, and its processor time: the middle of several visits."""
    from django.test import Client

    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.get())
    seconds, worked = [], []
    for _ in range(_VISITS):
        begun, before = time.perf_counter(), time.process_time()
        page = client.get(f"/reports/{name}/")
        seconds.append(time.perf_counter() - begun)
        worked.append(time.process_time() - before)
        if page.status_code != 200:
            raise AssertionError(f"the page of {name} says {page.status_code}")
    # The first visit loads what the others find.
    return {
        "page_seconds": statistics.median(seconds[1:]),
        "page_cpu_seconds": statistics.median(worked[1:]),
    }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.report_pages", description=__doc__)
    parser.add_argument("events", nargs="*", type=int, default=[EVENTS])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        _make(options.make)
    elif options.report:
        _measure_one(options.report)
    else:
        for events in options.events:
            measure(events, folder=options.folder, only=options.only)


if __name__ == "__main__":
    main()

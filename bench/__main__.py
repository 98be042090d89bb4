"""`python -m bench [WORKLOAD …] [--rounds N] [--json FILE]`: measure, print ratios.

A workload is a module beside this one with `run(rounds) -> dict`; without a name all of them run.
"""

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from bench.harness import calibrate

_FOLDER = Path(__file__).parent


def workloads() -> list[str]:
    """Return the modules that have a `def run(`, by name."""
    return sorted(
        path.stem for path in _FOLDER.glob("*.py") if "\ndef run(" in path.read_text("utf-8")
    )


def main() -> int:
    """Run what was asked for; exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("workload", nargs="*", help="one or more of: " + ", ".join(workloads()))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the results to this file, a line each")
    options = parser.parse_args()
    unknown = set(options.workload) - set(workloads())
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {calibrate() / 1e6:.1f} M additions/s"
    )
    results = [
        importlib.import_module(f"bench.{name}").run(options.rounds)
        for name in options.workload or workloads()
    ]
    if options.json:
        options.json.write_text("".join(json.dumps(each) + "\n" for each in results), "utf-8")
    missed = [goal for each in results for goal in each.get("goals", []) if not goal["is_met"]]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

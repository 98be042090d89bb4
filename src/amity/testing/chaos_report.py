"""Write the report of a run: `python -m amity.testing.chaos_report RECORD REPORT [NOTE]`."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from amity.testing.chaos_record import Finding, percentile, read_findings

_HEAD: Final = """# What Amity was put through

Written by `make chaos` on {day}, on {machine}.
It tells what was really done in that run, nothing else; `make chaos` does it again on your machine.
The tests are in `tests/chaos`, and short runs of them are part of `make check`.

| card | what | seconds | kills | cuts | acknowledged | lost | duplicated | recovered in | seed |
|---|---|---|---|---|---|---|---|---|---|
"""
_WORDS: Final = """
- *Acknowledged*: events a sender was told are stored, which it wrote down on a disk of its own; of
  messages (T4, T9) those the ledger calls sent.
- *Lost*: of those, what is not in the database afterwards, or never arrived. *Duplicated*: what is
  there twice. *Cuts* of T4 are jumps of a clock, of T5 faults of the network, of T31 forgeries.
- *Recovered in*: from a fault until events were taken again, the median and the 95th of a hundred.
"""
_CONTROLS: Final = """
## Negative controls
A harness that finds nothing proves nothing, so each is shown something to find.

"""


def write_report(findings: Sequence[Finding], *, day: str, machine: str, note: str = "") -> str:
    """Put findings into words, as Markdown; ``note`` is what else must be known of the run."""
    ordered = sorted(findings, key=lambda each: (int(each.card[1:]), each.what))
    text = _HEAD.format(day=day, machine=machine)
    text += "".join(_row(each) for each in ordered)
    text += _WORDS + (f"\n{note}\n" if note else "")
    controls = [
        f"- {each.card}, {each.what}: {each.control}.\n" for each in ordered if each.control
    ]
    if controls:
        text += _CONTROLS
        text += "".join(controls)
    more = [
        f"- {each.card}, {each.what}: {name}: {value}.\n"
        for each in ordered
        for name, value in each.more.items()
    ]
    if more:
        text += "\n## Also checked\n\n" + "".join(more)
    return text


def _row(finding: Finding) -> str:
    back = finding.recovered_seconds
    told = f"{percentile(back, 0.5):.1f} / {percentile(back, 0.95):.1f} s" if back else "–"
    seconds = None if finding.seconds is None else round(finding.seconds)
    cells = [finding.card, finding.what, seconds, finding.kills, finding.cuts]
    cells += [finding.acknowledged, finding.lost, finding.duplicated, told, finding.seed]
    return "| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |\n"


def describe_machine() -> str:
    """Say what it ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"{memory:.0f} GiB of memory, Python {platform.python_version()}"
    )


def main(record: str, report: str, note: str = "") -> None:
    """Read the record, write the report."""
    day = datetime.now(UTC).date().isoformat()  # noqa: TID251  # the report is of today
    text = write_report(read_findings(Path(record)), day=day, machine=describe_machine(), note=note)
    Path(report).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

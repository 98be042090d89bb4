"""What a run of chaos came to, one line of JSON for each test; the report is made of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

_VARIABLE: Final = "AMITY_CHAOS_RECORD"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one test. What does not apply to it is None or empty."""

    card: str
    """The number of the test card, such as `T2`."""
    what: str
    seed: int | None = None
    seconds: float | None = None
    kills: int | None = None
    cuts: int | None = None
    acknowledged: int | None = None
    lost: int | None = None
    duplicated: int | None = None
    recovered_seconds: list[float] = []
    control: str = ""
    """What the negative control came to: a harness that finds nothing proves nothing."""
    more: dict[str, str] = {}


def record(finding: Finding) -> None:
    """Append a finding to the file named in the environment; without one, nowhere."""
    path = os.environ.get(_VARIABLE)
    if path:
        with Path(path).open("ab") as file:
            file.write(msgspec.json.encode(finding) + b"\n")


def read_findings(path: Path) -> list[Finding]:
    """Read what was recorded, in its order."""
    return [msgspec.json.decode(line, type=Finding) for line in path.read_bytes().splitlines()]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie, the nearest that occurred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def chaos_number(name: str, default: int) -> int:
    """Return how much of something is done: `AMITY_CHAOS_…` in the environment, else a little."""
    return int(os.environ.get(f"AMITY_CHAOS_{name}", default))

"""The common method: everything that is compared runs in turns, and ratios are reported.

Absolute numbers of a shared machine say little; the ratio of two things measured within seconds
of each other says much. So each round runs every contender once, in changing order; a ratio is
taken per round, and its median is what counts. Rounds in which the machine itself was much
slower than at its best are left out.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SLOW = 0.7  # a round whose calibration falls below this part of the best is left out


@dataclass(frozen=True)
class Sample:
    """One turn of one contender."""

    operations: float
    seconds: float
    cpu_seconds: float | None = None
    p50_seconds: float | None = None
    p99_seconds: float | None = None

    @property
    def rate(self) -> float:
        """Return operations a second."""
        return self.operations / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """Return processor time for one operation, in microseconds."""
        return None if self.cpu_seconds is None else self.cpu_seconds / self.operations * 1e6


@dataclass
class Rounds:
    """The samples of all contenders, round by round, and how fast the machine was in each."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    calibrations: list[float] = field(default_factory=list)

    def kept(self) -> list[int]:
        """Return the rounds in which the machine was not held up."""
        best = max(self.calibrations)
        return [i for i, speed in enumerate(self.calibrations) if speed >= SLOW * best]

    def ratio(self, ours: str, other: str, value: Callable[[Sample], float]) -> dict[str, float]:
        """Return the median, least and greatest ratio of ours to another over the kept rounds."""
        each = sorted(
            value(self.samples[ours][i]) / value(self.samples[other][i]) for i in self.kept()
        )
        return {"median": statistics.median(each), "min": each[0], "max": each[-1]}

    def median(self, name: str, value: Callable[[Sample], float]) -> float:
        """Return the median of a value over the kept rounds."""
        return statistics.median(value(self.samples[name][i]) for i in self.kept())


def calibrate() -> float:
    """Return how many additions a second Python does now."""
    started = time.perf_counter()
    total = 0
    for number in range(1_000_000):
        total += number
    return 1_000_000 / (time.perf_counter() - started)


def interleave(contenders: dict[str, Callable[[], Sample]], rounds: int) -> Rounds:
    """Run every contender once a round, each round beginning with another one."""
    result = Rounds({name: [] for name in contenders})
    names = list(contenders)
    for turn in range(rounds):
        result.calibrations.append(calibrate())
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            result.samples[name].append(contenders[name]())
    return result


@dataclass(frozen=True)
class Goal:
    """A ratio that is wanted: at least or at most a number."""

    what: str
    value: float
    wanted: float
    at_least: bool = True

    @property
    def is_met(self) -> bool:
        """Say whether it is reached."""
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted

    def line(self) -> str:
        """Say it in a line."""
        sign = "≥" if self.at_least else "≤"
        verdict = "reached" if self.is_met else "MISSED"
        return f"  {self.what:<58} {self.value:7.2f}   goal {sign} {self.wanted:<5} {verdict}"


def show(workload: str, rounds: Rounds, goals: list[Goal]) -> None:
    """Print a workload's table and its goals."""
    kept = rounds.kept()
    print(f"\n{workload}: {len(kept)} of {len(rounds.calibrations)} rounds kept")
    print(f"  {'':<22}{'a second':>12}{'CPU-µs each':>13}{'p50 ms':>9}{'p99 ms':>9}")
    for name, samples in rounds.samples.items():
        cells = [f"{rounds.median(name, lambda s: s.rate):12,.0f}"]
        for value, scale in (("cpu_us", 1), ("p50_seconds", 1e3), ("p99_seconds", 1e3)):
            width = 13 if value == "cpu_us" else 9
            if getattr(samples[0], value) is None:
                cells.append(" " * width)
            else:
                middle = rounds.median(name, lambda s, v=value: getattr(s, v)) * scale
                cells.append(f"{middle:{width}.1f}")
        print(f"  {name:<22}{''.join(cells)}")
    for goal in goals:
        print(goal.line())


def summary(workload: str, rounds: Rounds, goals: list[Goal], **more: object) -> dict[str, object]:
    """Return what a workload's `run` gives back: medians, ratios' goals, checks."""
    return {
        "workload": workload,
        "rounds": len(rounds.kept()),
        "rates": {name: rounds.median(name, lambda s: s.rate) for name in rounds.samples},
        "cpu_us": {
            name: rounds.median(name, lambda s: s.cpu_us)
            for name, samples in rounds.samples.items()
            if samples[0].cpu_us is not None
        },
        "goals": [
            {"what": g.what, "value": g.value, "wanted": g.wanted, "is_met": g.is_met}
            for g in goals
        ],
        **more,
    }

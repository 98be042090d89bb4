"""What every estimate from a file must keep: use it to test your own.

`check_file_estimate(MyEstimate, folder)` raises AssertionError with what is broken.
"""

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, Option, OptionValue
from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import Estimated, Example, FileEstimator
from amity.analysis.logic.files.reading import list_wanted, read_table
from amity.analysis.logic.files.running import choose
from amity.testing.estimators_kit import check_card

NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
SIZE: Final = 400
FEW: Final = 12


def check_file_estimate(kind: type[FileEstimator], folder: Path, *, size: int = SIZE) -> None:
    """Check what an estimate from a file promises, on its own example."""
    check_words(kind)
    example = kind.example(np.random.default_rng(1), size)
    path = write_example(folder / f"{kind.name}.csv", example)
    estimated = run_on(kind, path, example.options)
    check_answer(kind, estimated)
    check_repeatable(kind, path, example.options, estimated)
    check_rows(estimated)
    check_few(kind, folder)
    check_bad_row(kind, folder, example, estimated.answer)


def write_example(path: Path, example: Example) -> Path:
    """Write a made-up file and return where it is."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(example.heads)
        writer.writerows(example.rows)
    return path


def run_on(kind: type[FileEstimator], path: Path, options: Mapping[str, OptionValue]) -> Estimated:
    """Read a file as the estimator asks for, and run it on arrays that cannot be written to."""
    estimator = kind()
    chosen = choose(estimator, options)
    wanted = list_wanted(estimator.options, chosen)
    table = read_table(path, wanted, reads_others=estimator.reads_others)
    for cells in [
        *table.columns.values(),
        *(one for some in table.several.values() for one in some),
    ]:
        cells.values.flags.writeable = False
    return estimator.run(table, chosen, now=NOW)


def check_words(kind: type[FileEstimator]) -> None:
    """It says what it is, what it assumes and needs, and what each option means."""
    assert kind.name == kind.name.lower().replace("_", "-").strip("-"), "named as people type it"
    assert kind.summary.endswith("."), "the summary is a sentence"
    check_card(kind.card)
    names = [option.name for option in kind.options]
    assert len(names) == len(set(names)), "two options have one name"
    for option in kind.options:
        _check_option(option)


def _check_option(option: Option) -> None:
    assert option.name.isidentifier(), f"{option.name!r} is no name"
    assert option.name not in {"out", "file", "json", "as_json"}, f"{option.name} is taken"
    assert option.help, f"{option.name} has no help"
    assert (option.kind == "choice") == bool(option.choices), f"{option.name}: choices"
    assert not (option.is_required and option.default is not None), option.name
    assert option.cells is None or option.kind in ("column", "columns"), option.name


def check_answer(kind: type[FileEstimator], estimated: Estimated) -> None:
    """The answer speaks, counts its rows and can be written as JSON."""
    answer = estimated.answer
    assert answer.estimate == kind.name
    assert answer.words, "the answer says nothing in words"
    assert list(answer.counts)[:3] == ["rows", "used", "rejected"]
    plain = msgspec.json.decode(msgspec.json.encode(answer))
    for part in ("parameters", "standard_errors"):
        # JSON has no NaN and says null: what is not known is left out instead.
        assert None not in plain[part].values(), f"{part} are not all numbers"
    assert answer.fit, "it does not say how it was fitted"
    assert answer.calibration, "it neither shows how it is calibrated nor says why it cannot"
    for group in answer.calibration.get("groups", []):
        wanted = {"label", "customers", "predicted", "actual", "actual_low", "actual_high"}
        assert wanted <= set(group)
        assert group["actual_low"] <= group["actual"] <= group["actual_high"]


def check_repeatable(
    kind: type[FileEstimator],
    path: Path,
    options: Mapping[str, OptionValue],
    estimated: Estimated,
) -> None:
    """The same file gives the same answer, to the last digit."""
    again = run_on(kind, path, options)
    assert msgspec.json.encode(again.answer) == msgspec.json.encode(estimated.answer)


def check_rows(estimated: Estimated) -> None:
    """The rows to write have a head a column, and columns of one length."""
    if estimated.out is None:
        return
    heads, columns = estimated.out.heads, estimated.out.columns
    assert len(heads) == len(columns) == len(set(heads))
    assert len({len(column) for column in columns}) == 1


def check_few(kind: type[FileEstimator], folder: Path) -> None:
    """A dozen customers are refused, with a reason."""
    example = kind.example(np.random.default_rng(2), FEW)
    path = write_example(folder / f"{kind.name}-few.csv", example)
    try:
        run_on(kind, path, example.options)
    except Refused as refused:
        message = refused.message
    else:
        raise AssertionError(f"{FEW} customers were not refused")
    assert any(letter.isdigit() for letter in message), "the refusal does not say how many"


def check_bad_row(
    kind: type[FileEstimator], folder: Path, example: Example, answer: FileEstimate
) -> None:
    """A row without cells is numbered and left out, and changes nothing else."""
    rows = [*example.rows[:3], ("",), *example.rows[3:]]
    broken = msgspec.structs.replace(example, rows=rows)
    path = write_example(folder / f"{kind.name}-bad.csv", broken)
    found = run_on(kind, path, example.options).answer
    assert [row.row for row in found.rejected] == [4]
    assert found.counts["rejected"] == answer.counts["rejected"] + 1
    assert found.parameters == answer.parameters

"""Asking one estimator about one file: options checked, file read, rows written."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final

import msgspec

from amity.analysis.contracts_estimates import (
    FileEstimate,
    FileEstimateWords,
    Option,
    OptionValue,
)
from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import FileEstimator, Options, load_file_estimates
from amity.analysis.logic.files.doubting import describe_doubts
from amity.analysis.logic.files.reading import FORM, Form, list_wanted, read_table
from amity.analysis.logic.files.writing import write_table
from amity.kernel.errors import Invalid, NotFound


def list_file_estimates() -> list[FileEstimateWords]:
    """Return what can be estimated from a file, by name."""
    kinds = sorted(load_file_estimates(), key=lambda kind: kind.name)
    return [
        FileEstimateWords(
            name=kind.name, summary=kind.summary, card=kind.card, options=(*kind.options, *FORM)
        )
        for kind in kinds
    ]


def estimate_file(
    *,
    name: str,
    path: Path,
    options: Mapping[str, OptionValue],
    out: Path | None,
    now: datetime,
) -> FileEstimate:
    """Read a file as an estimator's options ask for, run it, and write a row each if asked.

    Raises NotFound for an unknown estimator, Invalid for a file or options that make no sense,
    Refused when the rows cannot carry the answer.
    """
    registry = load_file_estimates()
    if name not in registry:
        raise NotFound(f"there is no estimate {name!r}; there are {', '.join(registry.names())}")
    estimator = registry[name]()
    chosen = choose(estimator, options)
    if out is not None and path.exists() and out.exists() and path.samefile(out):
        raise Invalid("the file to write is the file to read")
    wanted = list_wanted(estimator.options, chosen)
    form = Form.of(chosen)
    table = read_table(path, wanted, reads_others=estimator.reads_others, form=form)
    if not len(table):
        raise Refused(f"{path.name} has no usable row{table.first_reason()}")
    try:
        estimated = estimator.run(table, chosen, now=now)
    except Refused as error:
        raise Refused(f"{error.message}{table.first_reason()}") from error
    if out is not None:
        if estimated.out is None:
            raise Invalid(f"`{name}` has no rows to write: leave --out away")
        write_table(out, estimated.out)
    doubts = describe_doubts(table, now=now)
    answer = estimated.answer
    return msgspec.structs.replace(answer, warnings=[*doubts, *answer.warnings])


def choose(estimator: FileEstimator, given: Mapping[str, OptionValue]) -> Options:
    """Return the options with defaults filled in; raise Invalid for what makes no sense."""
    known = {option.name: option for option in (*estimator.options, *FORM)}
    for name in given:
        if name not in known:
            raise Invalid(f"`{estimator.name}` has no option {name!r}", code="no_option")
    values = {name: _choose_one(option, given.get(name)) for name, option in known.items()}
    return Options(values)


def _choose_one(option: Option, value: OptionValue) -> OptionValue:
    if value is None or value == ():
        if option.is_required:
            raise Invalid(f"`{_flag(option)}` must be given", code="no_option")
        return option.default
    if not _FITS[option.kind](value):
        raise Invalid(f"`{_flag(option)}` cannot be {value!r}", code="wrong_option")
    if option.choices and value not in option.choices:
        raise Invalid(
            f"`{_flag(option)}` is one of {', '.join(option.choices)}", code="wrong_option"
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        _refuse_outside(option, float(value))
    return value


def _refuse_outside(option: Option, value: float) -> None:
    low = 0.0 if option.low is None and option.kind == "share" else option.low
    high = 1.0 if option.high is None and option.kind == "share" else option.high
    floor, ceiling = -math.inf if low is None else low, math.inf if high is None else high
    if floor <= value <= ceiling:  # which NaN never is
        return
    bounds = [
        f"{bound:g} or {way}" for bound, way in ((low, "more"), (high, "less")) if bound is not None
    ]
    wanted = " and ".join(bounds) or "a number"
    raise Invalid(f"`{_flag(option)}` is {value:g}; it must be {wanted}", code="wrong_option")


def _flag(option: Option) -> str:
    return f"--{option.name.replace('_', '-')}"


def _is_text(value: OptionValue) -> bool:
    return isinstance(value, str)


def _is_number(value: OptionValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: OptionValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_FITS: Final[dict[str, Callable[[OptionValue], bool]]] = {
    "column": _is_text,
    "columns": lambda value: isinstance(value, tuple),
    "text": _is_text,
    "choice": _is_text,
    "number": _is_number,
    "share": _is_number,
    "whole": _is_whole,
    "date": lambda value: isinstance(value, date),
    "flag": lambda value: isinstance(value, bool),
}

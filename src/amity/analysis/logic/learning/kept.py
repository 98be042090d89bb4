"""A model that adds up as plain data: enough to score somebody later, without what it learnt from.

Boosted trees are not kept: who wants their scores sooner than each night makes the history longer
or the question simpler, and the sum wins.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.calibrating import AsItIs, Calibrator, Curve, Steps
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import CalibrationGroup
from amity.analysis.logic.learning.models import AddingModel, Encoding
from amity.analysis.logic.learning.moments import History, Moments, build_features
from amity.analysis.logic.learning.propensity import Learnt, Told, list_reasons, tell


class KeptCalibrator(msgspec.Struct, frozen=True, kw_only=True):
    """A calibrator's name and numbers."""

    name: Literal["none", "platt", "isotonic"]
    slope: float = 0.0
    offset: float = 0.0
    at: list[float] = []
    value: list[float] = []


class KeptModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a model looks at, and what it makes of it."""

    events: list[str]
    """Events whose counts it may look at, whoever did one is scored anew."""
    lookback_days: int
    columns: list[str]
    encodings: list[Encoding]
    coefficients: list[float]
    intercept: float
    means: list[float]
    calibrator: KeptCalibrator
    groups: list[CalibrationGroup]


class _Speaker(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A kept model ready to be asked."""

    model: AddingModel
    calibrator: Calibrator
    groups: list[CalibrationGroup]


def keep_model(
    learnt: Learnt, *, events: Sequence[str], columns: Sequence[Column], lookback_days: int
) -> KeptModel | None:
    """Return a model as plain data; None of one that does not add up."""
    model = learnt.model
    if not isinstance(model, AddingModel):
        return None
    return KeptModel(
        events=list(events),
        lookback_days=lookback_days,
        columns=[column.name for column in columns],
        encodings=list(model.encodings),
        coefficients=model.coefficients.tolist(),
        intercept=model.intercept,
        means=model.means.tolist(),
        calibrator=_keep_calibrator(learnt.calibrator),
        groups=list(learnt.groups),
    )


def ask_kept(
    kept: KeptModel, history: History, customers: IntArray, now_second: int
) -> tuple[Told, list[list[str]]]:
    """Return what a kept model says of customers now, with its reasons, in their order."""
    moments = Moments(customer=customers, second=np.full(len(customers), now_second, np.int64))
    found = build_features(history, moments, lookback_days=kept.lookback_days)
    known = {column.name: column for column in found}
    columns = [known[name] for name in kept.columns]
    speaker = _Speaker(
        model=AddingModel(
            kept.encodings, _array(kept.coefficients), kept.intercept, _array(kept.means)
        ),
        calibrator=_make_calibrator(kept.calibrator),
        groups=kept.groups,
    )
    return tell(speaker, columns), list_reasons(speaker, columns)


def _keep_calibrator(calibrator: Calibrator) -> KeptCalibrator:
    if isinstance(calibrator, Curve):
        return KeptCalibrator(name="platt", slope=calibrator.slope, offset=calibrator.offset)
    if isinstance(calibrator, Steps):
        at, value = calibrator.at.tolist(), calibrator.value.tolist()
        return KeptCalibrator(name="isotonic", at=at, value=value)
    return KeptCalibrator(name="none")


def _make_calibrator(kept: KeptCalibrator) -> Calibrator:
    if kept.name == "platt":
        return Curve(kept.slope, kept.offset)
    return Steps(_array(kept.at), _array(kept.value)) if kept.name == "isotonic" else AsItIs()


def _array(values: list[float]) -> FloatArray:
    return np.array(values, np.float64)

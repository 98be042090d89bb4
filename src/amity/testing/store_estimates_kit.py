"""What every estimate over the store must keep: use it to test your own.

`check_store_estimate(MyEstimate, town)` raises AssertionError with what is broken; ``town`` is a
warehouse (`reports_kit.Town`) that can carry it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import ibis
import msgspec
import numpy as np
import pyarrow as pa

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.report import Asked
from amity.analysis.store_estimate import Known, Rows, StoreEstimated, StoreEstimator
from amity.testing.estimators_kit import check_card
from amity.testing.reports_kit import duckdb_engine
from amity.testing.reports_town import NOW, Town, expressions

CURRENCY: Final = "EUR"


def make_known(
    kind: type[StoreEstimator], scores: Mapping[str, tuple[IntArray, FloatArray]] | None = None
) -> Known:
    """Return what an estimator is given beside rows, at the kit's moment."""
    tomorrow = NOW.date() + timedelta(days=1)
    asked = Asked(
        from_on=tomorrow - timedelta(days=kind.days), until_on=tomorrow, now=NOW, currency=CURRENCY
    )
    return Known(asked=asked, time_zone="UTC", referred_by="referred_by", scores=scores or {})


def read_town(kind: type[StoreEstimator], town: Town, known: Known) -> dict[str, pa.Table]:
    """Read what an estimator asks for of a town, with DuckDB."""
    return _run(kind().expressions(expressions(), known), town)


def _run(asked: Mapping[str, ibis.Table], town: Town) -> dict[str, pa.Table]:
    run = duckdb_engine(town.tables())
    return {name: run(expression) for name, expression in asked.items()}


def run_on_town(kind: type[StoreEstimator], town: Town, known: Known) -> StoreEstimated:
    """Estimate from a town."""
    return kind().estimate(read_town(kind, town, known), known, np.random.default_rng(1))


def check_store_estimate(kind: type[StoreEstimator], town: Town, known: Known) -> StoreEstimated:
    """Check what an estimate over the store promises; return what it found in the town."""
    check_card(kind.card)
    names = [words.name for words in kind.scores]
    assert names, "it makes no score"
    assert len(set(names)) == len(names), names
    assert all(words.title and words.meaning.endswith(".") for words in kind.scores)
    assert set(kind.follows) <= set(names), "it follows what it does not score"
    # What costs is building expressions, so it is done once.
    asked = kind().expressions(expressions(), known)
    check_nothing(kind, _run(asked, Town()), known)
    rows = _run(asked, town)
    found = kind().estimate(rows, known, np.random.default_rng(1))
    check_found(kind, found)
    again = kind().estimate(rows, known, np.random.default_rng(1))
    assert _plain(again) == _plain(found), "the same rows give something else"
    check_observed(kind, rows, known, found)
    return found


def check_nothing(kind: type[StoreEstimator], rows: Rows, known: Known) -> None:
    """Over nothing it refuses, with a number in its reason."""
    try:
        kind().estimate(rows, known, np.random.default_rng(1))
    except Refused as refused:
        reason = refused.message
    else:
        raise AssertionError(f"{kind.name} makes scores of nothing")
    assert any(letter.isdigit() for letter in reason), reason


def check_found(kind: type[StoreEstimator], found: StoreEstimated) -> None:
    """Scores are declared, sorted, finite and within their ranges; the report can be kept."""
    assert found.scores, "it made no score"
    assert set(found.scores) <= {words.name for words in kind.scores}
    for name, scored in found.scores.items():
        ids, column = scored.customer_id, scored.column
        assert len(ids) == len(column.value), name
        assert (np.diff(ids) > 0).all(), f"{name}: customers are not sorted, or twice there"
        assert np.isfinite(column.value).all(), name
        assert column.labels is None or len(column.labels) == len(ids), name
        if column.low is not None and column.high is not None:
            ranged = ~np.isnan(column.low)
            value = column.value[ranged]
            assert (column.low[ranged] <= value + 1e-9).all(), name
            assert (value <= column.high[ranged] + 1e-9).all(), name
    assert set(found.followed) <= set(kind.follows)
    plain = msgspec.json.decode(msgspec.json.encode(found.report))
    assert plain["sentence"], "it does not say what came of it"
    calibration = plain["calibration"]
    assert calibration.get("refused") or calibration["sentence"]
    for group in calibration.get("groups", []):
        assert {"label", "customers", "predicted", "actual"} <= set(group)
        assert group["actual_low"] <= group["actual"] <= group["actual_high"], group
    assert None not in msgspec.json.decode(msgspec.json.encode(found.parameters)).values()


def check_observed(
    kind: type[StoreEstimator], rows: Rows, known: Known, found: StoreEstimated
) -> None:
    """What came of each is said in the order asked for, and never of strangers."""
    for score, followed in found.followed.items():
        ids = np.append(followed.customer_id, 10**12)
        end = known.asked.now
        due = Due(
            profile_id=ids, predicted_at=end - timedelta(days=kind.follows[score]), due_at=end
        )
        came = kind().observe(rows, known, score, due)
        assert came.shape == ids.shape, score
        assert np.isnan(came[-1]), f"{score}: something is said of who is not there"


def _plain(found: StoreEstimated) -> bytes:
    scores = {
        name: (scored.customer_id.tolist(), scored.column.value.tolist(), scored.column.labels)
        for name, scored in found.scores.items()
    }
    return msgspec.json.encode([scores, found.parameters, found.report])

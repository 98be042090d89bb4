"""What every estimator must keep: use it to test your own.

`check_estimator(MyEstimator)` raises AssertionError with what is broken.
"""

import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.estimator import (
    Column,
    Estimator,
    Fit,
    FloatArray,
    Histories,
    IntArray,
    Predictions,
    Transactions,
)
from amity.analysis.logic.transactions import summarise

HORIZON_DAYS = 60.0
_SAME = 1e-9


def make_transactions(
    *, seed: int, customers: int = 400, days: int = 200, with_amounts: bool = True
) -> Transactions:
    """Return purchases of a shop as BG/NBD and Gamma-Gamma imagine it; the same for a seed."""
    rng = np.random.default_rng(seed)
    customer_id, day, amount = [], [], []
    for customer in range(customers):
        rate = rng.gamma(0.8, 1 / 20)
        leaving, nu = rng.beta(0.8, 3), rng.gamma(4, 1 / 60)
        at = float(rng.integers(0, days // 2))
        while at < days:
            customer_id.append(7 * customer + 3)
            day.append(10_000 + int(at))
            amount.append(round(100 * rng.gamma(6, 1 / nu)))
            if rng.random() < leaving and customer_id.count(7 * customer + 3) > 1:
                break
            at += rng.exponential(1 / max(rate, 1e-9))
    return Transactions(
        customer_id=np.array(customer_id, np.int64),
        day=np.array(day, np.int64),
        amount=np.array(amount, np.int64) if with_amounts else None,
    )


def make_histories(*, seed: int, customers: int = 400, with_amounts: bool = True) -> Histories:
    """Return what is known of the customers of `make_transactions` at its end."""
    purchases = make_transactions(seed=seed, customers=customers, with_amounts=with_amounts)
    return summarise(purchases, until=10_200)


def check_estimator(kind: type[Estimator], *, seed: int = 1) -> None:
    """Check what an estimator promises, on a simulated shop."""
    histories = make_histories(seed=seed)
    estimator = kind(unit_days=7)
    fit = estimator.fit(histories)
    predictions = estimator.predict(fit, histories, horizon_days=HORIZON_DAYS)
    check_capabilities(estimator, histories, predictions)
    check_repeatable(kind, histories, fit, predictions)
    check_one_is_many(estimator, fit, histories, predictions)
    check_order(estimator, fit, histories, predictions)
    check_untouched(estimator, histories)
    check_units(kind, histories, predictions)
    check_card(kind.card)


def check_card(card: ModelCard) -> None:
    """A model card leaves nothing out and speaks in sentences."""
    assert card.title, "the card has no title"
    assert card.purpose.endswith("."), "the card does not say what the model is for"
    for part in (card.assumes, card.needs, card.refuses, card.cannot_know, card.sources):
        assert part, "the card leaves a part empty"
        assert all(sentence.endswith(".") for sentence in part), f"no sentences: {part}"


def check_capabilities(
    estimator: Estimator, histories: Histories, predictions: Predictions
) -> None:
    """It predicts what it says, a finite number for everybody, inside its interval."""
    said = estimator.capabilities
    assert tuple(predictions.columns) == said.predicts
    assert np.array_equal(predictions.customer_id, histories.customer_id)
    has_intervals = False
    for name, column in predictions.columns.items():
        assert column.value.shape == (len(histories),), name
        assert np.isfinite(column.value).all(), name
        assert column.labels is None or len(column.labels) == len(histories), name
        if column.low is not None and column.high is not None:
            has_intervals = True
            assert (column.low <= column.high).all(), name
    assert has_intervals == said.has_intervals


def check_repeatable(
    kind: type[Estimator], histories: Histories, fit: Fit, predictions: Predictions
) -> None:
    """The same histories give the same fit and the same predictions, to the last bit."""
    estimator = kind(unit_days=7)
    again = estimator.fit(histories)
    assert again == fit
    second = estimator.predict(again, histories, horizon_days=HORIZON_DAYS)
    for name, column in predictions.columns.items():
        assert np.array_equal(second.columns[name].value, column.value), name


def check_one_is_many(
    estimator: Estimator, fit: Fit, histories: Histories, predictions: Predictions
) -> None:
    """Predicting one customer alone gives what predicting all gave him or her."""
    for place in range(0, len(histories), max(1, len(histories) // 40)):
        alone = estimator.predict(fit, histories.take(np.array([place])), horizon_days=HORIZON_DAYS)
        _same(alone, predictions, np.array([place]))


def check_order(
    estimator: Estimator, fit: Fit, histories: Histories, predictions: Predictions
) -> None:
    """The order of the customers does not matter."""
    places = np.random.default_rng(0).permutation(len(histories))
    shuffled = estimator.predict(fit, histories.take(places), horizon_days=HORIZON_DAYS)
    _same(shuffled, predictions, places)


def check_untouched(estimator: Estimator, histories: Histories) -> None:
    """Arrays that cannot be written to are enough."""
    for field in histories.__struct_fields__:
        getattr(histories, field).flags.writeable = False
    try:
        fit = estimator.fit(histories)
        estimator.predict(fit, histories, horizon_days=HORIZON_DAYS)
    finally:
        for field in histories.__struct_fields__:
            getattr(histories, field).flags.writeable = True


def check_units(kind: type[Estimator], histories: Histories, predictions: Predictions) -> None:
    """The unit of time changes the parameters, never the predictions."""
    estimator = kind(unit_days=1)
    fit = estimator.fit(histories)
    daily = estimator.predict(fit, histories, horizon_days=HORIZON_DAYS)
    for name, column in predictions.columns.items():
        assert np.allclose(daily.columns[name].value, column.value, rtol=1e-4, atol=1e-6), name


def _same(some: Predictions, among: Predictions, places: IntArray) -> None:
    assert np.array_equal(some.customer_id, among.customer_id[places])
    for name, column in some.columns.items():
        whole = among.columns[name]
        for one, all_ in _pairs(column, whole):
            assert np.allclose(one, all_[places], rtol=_SAME, atol=_SAME), name
        if column.labels is not None and whole.labels is not None:
            assert column.labels == [whole.labels[place] for place in places], name


def _pairs(one: Column, other: Column) -> list[tuple[FloatArray, FloatArray]]:
    pairs = [(one.value, other.value)]
    for mine, its in ((one.low, other.low), (one.high, other.high)):
        assert (mine is None) == (its is None)
        if mine is not None and its is not None:
            pairs.append((mine, its))
    return pairs

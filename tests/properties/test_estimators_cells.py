"""Whatever customers are called, what is written is safe in a spreadsheet and reads back."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.file_estimate import OutTable
from amity.analysis.logic.files.cells import parse_amount
from amity.analysis.logic.files.reading import Wanted, read_table
from amity.analysis.logic.files.writing import write_table

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
    table = OutTable(heads=("customer", "count"), columns=(names, np.arange(len(names))))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        write_table(path, table)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        for row in rows[1:]:
            assert not row[0].startswith(tuple("=+-@\t\r\n\0＝＋－＠"))
        wanted = [Wanted(option="customer", head="customer", kind="name")]
        assert read_table(path, wanted).columns["customer"].names == names


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**6 - 1))
def test_amounts_are_read_to_the_last_decimal(whole, part):
    text = f"{whole}.{part:06}"
    amount, decimals = parse_amount(text)
    assert amount == whole * 10**6 + part
    assert decimals == len(text.rstrip("0").split(".")[1])

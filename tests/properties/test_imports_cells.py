from hypothesis import given
from hypothesis import strategies as st

from amity.kernel.cells import guard_cell, unguard_cell

DANGEROUS = tuple("=+-@\t\r\n\0＝＋－＠")


@given(st.text(st.sampled_from("=+-@\t\r\n\0＝＋－＠' ab")) | st.text())
def test_a_guarded_cell_is_no_formula_and_comes_back(text):
    guarded = guard_cell(text)
    assert not guarded.startswith(DANGEROUS)
    assert not guarded.lstrip(" ").startswith(DANGEROUS)
    assert unguard_cell(guarded) == text

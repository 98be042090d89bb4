"""Cells of CSV files that no spreadsheet takes for a formula, and back without loss.

A cell that begins with a sign a spreadsheet computes with gets an apostrophe in front (OWASP's
guard against formula injection). A cell that already begins with an apostrophe gets one more, so
that taking one away always gives back what was there. A guarded phone number is `'+1 202 …`.
"""

from typing import Final

_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", "'")


def guard_cell(text: str) -> str:
    """Return ``text`` as it is written to a CSV file that people may open in a spreadsheet."""
    return "'" + text if text.lstrip(" ").startswith(_DANGEROUS) else text


def write_cell(value: object) -> str:
    """Return a value as a CSV file has it: text guarded, nothing for None, numbers as they are.

    A number below zero begins with a sign and is no formula.
    """
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else guard_cell(str(value))


def unguard_cell(text: str) -> str:
    """Return what `guard_cell` was given; text it would not have guarded comes back unchanged."""
    if text.startswith("'") and text[1:].lstrip(" ").startswith(_DANGEROUS):
        return text[1:]
    return text

"""Post codes."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.linkage.likeness import is_slip
from amity.store.matcher import MATCHERS, Levels, Matcher

_NOT_ALNUM: Final = re.compile(r"[\W_]+")


@MATCHERS.register("postcode")
class Postcode(Matcher):
    """A post code."""

    name = "postcode"
    title = "Post code"
    description = "Post codes: equal, or a slip apart (a letter, two neighbours exchanged)."
    headings = (
        *("postcode", "post_code", "zip", "zip_code", "zipcode", "postal_code", "plz", "cap"),
        *("code_postal", "codigo_postal", "postcode_1"),
    )
    levels = ("differs", "a slip apart", "same")
    refines = 3
    is_shared = True
    samples = (
        ("sw1a 1aa", "SW1A1AA", "same"),
        ("4184", "4814", "a slip apart"),
        ("4184", "2000", "differs"),
    )

    def normalise(self, value: str) -> str:
        return _NOT_ALNUM.sub("", value).upper()

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return is_slip(left, right).astype(np.int8)

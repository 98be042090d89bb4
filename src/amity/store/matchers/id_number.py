"""Numbers that an office gives one person or company: social security, tax, register."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.linkage.likeness import is_slip
from amity.store.matcher import MATCHERS, Levels, Matcher

_NOT_ALNUM: Final = re.compile(r"[\W_]+")
_LEAST: Final = 5


@MATCHERS.register("id_number")
class IdNumber(Matcher):
    """A number given by an office."""

    name = "id_number"
    title = "Number given by an office"
    description = "Social security, tax, register and customer numbers: equal, or a slip apart."
    headings = (
        *("soc_sec_id", "ssn", "social_security_number", "social_security", "national_id", "nin"),
        *("tax_id", "vat", "vat_number", "vat_id", "ustid", "siret", "siren", "duns", "ein"),
        *("company_number", "registration_number", "passport", "passport_number", "lei", "iban"),
        *("licence_number", "license_number", "loyalty_number", "card_number", "nhs_number"),
    )
    levels = ("differs", "a slip apart", "same")
    samples = (
        ("123-45-6789", "123456789", "same"),
        ("123-45-6789", "123-54-6789", "a slip apart"),
        ("123-45-6789", "987-65-4321", "differs"),
    )

    def normalise(self, value: str) -> str:
        text = _NOT_ALNUM.sub("", value).upper()
        return text if text and text.strip(text[0]) and text not in {"NULL", "NONE", "NA"} else ""

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        near = is_slip(left, right)
        for place in np.flatnonzero(near).tolist():
            near[place] = min(len(left[place]), len(right[place])) >= _LEAST
        return near.astype(np.int8)

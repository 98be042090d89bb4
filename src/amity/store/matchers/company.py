"""Names of companies, without what says their legal form."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from rapidfuzz.fuzz import token_sort_ratio

from amity.store.linkage.likeness import fold, grade, likeness, squeeze
from amity.store.matcher import MATCHERS, Levels, Matcher

_LEGAL_FORMS: Final = frozenset(
    (
        *("ltd", "limited", "llc", "llp", "lp", "inc", "incorporated", "corp", "corporation", "co"),
        *("company", "plc", "gmbh", "mbh", "ag", "kg", "ohg", "ug", "se", "sa", "sas", "sarl"),
        *("srl", "spa", "bv", "nv", "ab", "as", "asa", "oy", "oyj", "aps", "sl", "slu", "pty"),
        *("pte", "kk", "kft", "sro", "doo", "holding", "group", "the", "and", "und", "et", "ev"),
    )
)


@MATCHERS.register("company")
class Company(Matcher):
    """The name of a company."""

    name = "company"
    title = "Company name"
    description = "Company names by the likeness of their words; legal forms (Ltd, GmbH) left out."
    headings = (
        *("company", "company_name", "organisation", "organization", "organisation_name"),
        *("organization_name", "business_name", "firm", "firma", "account_name", "account"),
        *("legal_name", "trading_name", "societe", "empresa", "azienda", "employer"),
    )
    levels = ("differs", "similar", "close", "same")
    ways = ("beginning", "whole")
    is_shared = True
    samples = (
        ("Acme GmbH & Co. KG", "ACME", "same"),
        ("Northwind Traders Ltd", "Northwind Trader", "close"),
        ("Acme Ltd", "Globex Corporation", "differs"),
    )

    def normalise(self, value: str) -> str:
        words = fold(value.replace("&", " and ").replace(".", "")).split()
        return " ".join([word for word in words if word not in _LEGAL_FORMS] or words)

    def keys(self, value: str) -> tuple[str, ...]:
        return squeeze(value)[:5], value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        words = likeness(left, right, token_sort_ratio) / 100
        return grade(np.maximum(words, likeness(left, right) - 0.02), 0.8, 0.92)

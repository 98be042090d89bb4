"""Telephone numbers: by their digits, with or without a country's prefix."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.linkage.likeness import is_slip
from amity.store.matcher import MATCHERS, Levels, Matcher

_NOT_DIGITS: Final = re.compile(r"\D+", re.ASCII)
_NOT_IN_LINES: Final = re.compile(r"[^\d\n]+", re.ASCII)
_LOOKS: Final = re.compile(r"\s*(\+|00)[\d\s().\-/]{7,20}\s*")
_CAN_BE: Final = re.compile(r"[\d\s().\-/+xext]{6,25}", re.IGNORECASE)
_NO_DIGITS: Final = {n: None for n in range(128) if not chr(n).isdigit() and chr(n) != "\n"}
_LEAST: Final = 7
_SHORTEST: Final = 6


@MATCHERS.register("phone")
class Phone(Matcher):
    """A telephone number."""

    name = "phone"
    title = "Telephone number"
    description = "Telephone numbers by their digits: equal, equal but for a prefix, a digit off."
    headings = (
        *("phone", "phone_number", "telephone", "tel", "mobile", "mobile_phone", "cell", "msisdn"),
        *("telefon", "telefono", "phone_1", "handy", "gsm", "work_phone", "home_phone"),
    )
    levels = ("differs", "a digit off", "same but for a prefix", "same")
    ways = ("last seven digits", "whole")
    is_shared = True
    samples = (
        ("06 12 34 56 78", "0612345678", "same"),
        ("+33 6 12 34 56 78", "06 12 34 56 78", "same but for a prefix"),
        ("0612345678", "0612345687", "a digit off"),
        ("0612345678", "0199887766", "differs"),
    )

    @classmethod
    def fits(cls, value: str) -> bool:
        return bool(_CAN_BE.fullmatch(value.strip()))

    @classmethod
    def is_unmistakable(cls, value: str) -> bool:
        return bool(_LOOKS.fullmatch(value))

    def normalise(self, value: str) -> str:
        return _check(_NOT_DIGITS.sub("", value))

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        text = "\n".join(values)
        text = text.translate(_NO_DIGITS) if text.isascii() else _NOT_IN_LINES.sub("", text)
        numbers = text.split("\n")
        if len(numbers) != len(values):
            return [self.normalise(value) for value in values]
        # `_check`, without a call for each of what may be a million.
        return [
            number if len(number) >= _SHORTEST and number.strip(number[0]) else ""
            for number in [number.lstrip("0") for number in numbers]
        ]

    def keys(self, value: str) -> tuple[str, ...]:
        return value[-_LEAST:], value

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        levels = is_slip(left, right).astype(np.int8)
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            if len(one) == len(other):
                continue
            short, long = (one, other) if len(one) < len(other) else (other, one)
            if len(short) >= _LEAST and long.endswith(short):
                levels[place] = 2
        return levels


def _check(number: str) -> str:
    """Return the number without zeros in front; empty when too short or one digit throughout."""
    digits = number.lstrip("0")
    return digits if len(digits) >= _SHORTEST and digits.strip(digits[0]) else ""

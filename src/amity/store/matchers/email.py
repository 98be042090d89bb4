"""E-mail addresses: the same, mistyped, or the same person's box at another provider."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.linkage.likeness import edits
from amity.store.matcher import MATCHERS, Levels, Matcher

_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LEAST_LOCAL: Final = 5  # shorter local parts, such as info or anna, are many people's


@MATCHERS.register("email")
class Email(Matcher):
    """An e-mail address."""

    name = "email"
    title = "E-mail address"
    description = "E-mail addresses: equal, up to two letters off, or equal before the @."
    headings = (
        *("email", "e_mail", "mail", "email_address", "e_mail_address", "emailaddress", "courriel"),
        "correo",
    )
    levels = ("differs", "same before the @", "up to two letters off", "same")
    ways = ("whole", "local part")
    samples = (
        ("Ada@Example.com", "ada@example.com ", "same"),
        ("ada.lovelace@example.com", "ada.lovelace@exmaple.com", "up to two letters off"),
        ("ada.lovelace@example.com", "ada.lovelace@mail.test", "same before the @"),
        ("ada.lovelace@example.com", "g.hopper@example.com", "differs"),
    )

    @classmethod
    def fits(cls, value: str) -> bool:
        return bool(_ADDRESS.fullmatch(value.strip()))

    @classmethod
    def is_unmistakable(cls, value: str) -> bool:
        return cls.fits(value)

    def normalise(self, value: str) -> str:
        return _check(value.strip().lower())

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        addresses = "\n".join(values).lower().split("\n")
        if len(addresses) != len(values):
            return [self.normalise(value) for value in values]
        # `_check`, without a call for each of what may be a million.
        return [
            address if 0 < address.find("@") < len(address) - 1 and " " not in address else ""
            for address in map(str.strip, addresses)
        ]

    def keys(self, value: str) -> tuple[str, ...]:
        local = value.rpartition("@")[0]
        return value, local if len(local) >= _LEAST_LOCAL else ""

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        levels = np.where(edits(left, right) <= 2, 2, 0).astype(np.int8)
        locals_ = [value.rpartition("@")[0] for value in left]
        others = [value.rpartition("@")[0] for value in right]
        same = np.fromiter(
            (a == b and len(a) >= _LEAST_LOCAL for a, b in zip(locals_, others, strict=True)),
            bool,
            len(locals_),
        )
        levels[same & (levels == 0)] = 1
        return levels


def _check(address: str) -> str:
    return address if 0 < address.find("@") < len(address) - 1 and " " not in address else ""

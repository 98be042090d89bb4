"""Web addresses, by their host."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from amity.store.matcher import MATCHERS, Levels, Matcher

_HOST: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:www\.)?([^\s/?#:@]+\.[a-z]{2,})(?:[/:?#]\S*)?"
)


@MATCHERS.register("website")
class Website(Matcher):
    """A company's web address."""

    name = "website"
    title = "Web address"
    description = "Web addresses by their host: equal or not."
    headings = ("website", "web", "url", "domain", "homepage", "site", "web_site", "company_domain")
    levels = ("differs", "same")
    is_shared = True
    samples = (
        ("https://www.example.com/about", "example.com", "same"),
        ("example.com", "example.org", "differs"),
    )

    @classmethod
    def is_unmistakable(cls, value: str) -> bool:
        return value.strip().lower().startswith(("http://", "https://", "www."))

    def normalise(self, value: str) -> str:
        found = _HOST.fullmatch(value.strip().lower())
        return found[1] if found else ""

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return np.zeros(len(left), np.int8)

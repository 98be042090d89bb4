"""Free text: by the words two texts share."""

from collections.abc import Sequence

from rapidfuzz.fuzz import token_sort_ratio

from amity.store.linkage.likeness import fold, grade, likeness
from amity.store.matcher import MATCHERS, Levels, Matcher


@MATCHERS.register("text")
class Text(Matcher):
    """Words without a form of their own."""

    name = "text"
    title = "Free text"
    description = "Free text by the likeness of its words; records are never looked up by it."
    levels = ("differs", "similar", "close", "same")
    can_block = False
    samples = (
        ("Met at the fair", "met at the fair.", "same"),
        ("Met at the spring fair", "met at spring fair", "close"),
        ("Met at the fair", "Asked for a refund", "differs"),
    )

    def normalise(self, value: str) -> str:
        return fold(value)

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        return grade(likeness(left, right, token_sort_ratio), 60, 85)

"""What matchers do with text: fold it, hear it, grade its likeness."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

_NOT_WORD: Final = re.compile(r"[^\w]+|_+")
_SOUNDS: Final = {
    letter: code
    for code, letters in {
        "1": "bfpv",
        "2": "cgjkqsxz",
        "3": "dt",
        "4": "l",
        "5": "mn",
        "6": "r",
    }.items()
    for letter in letters
}
_EMPTY_WORDS: Final = frozenset(
    {"null", "none", "nan", "n/a", "na", "unknown", "undefined", "nil", "-", "?", "tbd", "test"}
)


def fold(value: str) -> str:
    """Return text in small letters without accents, punctuation or doubled spaces.

    Words that stand for nothing ("unknown", "n/a") become the empty text.
    """
    lowered = value.strip().lower()
    if lowered in _EMPTY_WORDS:
        return ""
    if not lowered.isascii():
        parts = unicodedata.normalize("NFKD", lowered.replace("ß", "ss"))
        lowered = "".join(letter for letter in parts if not unicodedata.combining(letter))
    if lowered.isalnum():
        return lowered
    return _NOT_WORD.sub(" ", lowered.replace("'", "").replace("’", "")).strip()


def squeeze(value: str) -> str:
    """Return text without its spaces."""
    return value.replace(" ", "")


def sound(value: str) -> str:
    """Return the American Soundex code of folded text; other alphabets give their first letters."""
    letters = squeeze(value)
    if not letters:
        return ""
    if not letters.isascii():
        return letters[:4]
    code, last = letters[0], _SOUNDS.get(letters[0], "")
    for letter in letters[1:]:
        found = _SOUNDS.get(letter, "")
        if found and found != last:
            code += found
            if len(code) == 4:
                break
        if letter not in "hw":
            last = found
    return code


def likeness(
    left: Sequence[str], right: Sequence[str], scorer: Callable[..., Any] | None = None
) -> NDArray[np.float32]:
    """Return how alike the texts of each pair are: Jaro-Winkler in 0..1 unless told otherwise."""
    # The scorers are the same either way round only nearly: rounding and, for Jaro, the order
    # in which letters are paired. A fixed order makes them exactly so.
    pairs = [
        (one, other) if one <= other else (other, one)
        for one, other in zip(left, right, strict=True)
    ]
    return np.asarray(
        cpdist(
            [one for one, _ in pairs],
            [other for _, other in pairs],
            scorer=scorer or JaroWinkler.similarity,
            dtype=np.float32,
        )
    )


def edits(left: Sequence[str], right: Sequence[str]) -> NDArray[np.int32]:
    """Return how many letters were mistyped, left out, added or exchanged with their neighbour."""
    return np.asarray(cpdist(left, right, scorer=OSA.distance, dtype=np.int32))


def is_slip(left: Sequence[str], right: Sequence[str]) -> NDArray[np.bool_]:
    """Say which pairs are one such slip apart."""
    return np.asarray(edits(left, right) == 1, bool)


def grade(values: NDArray[Any], *bounds: float) -> NDArray[np.int8]:
    """Return how many of the rising bounds each value reaches."""
    return np.searchsorted(np.asarray(bounds), values, side="right").astype(np.int8)

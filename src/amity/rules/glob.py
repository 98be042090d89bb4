"""Patterns with `*` (any text, also none) and `?` (one character), matched without backtracking."""

from __future__ import annotations


def matches_glob(pattern: str, text: str) -> bool:
    """Say whether the whole text fits; at most as many steps as both lengths multiplied."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(text) == len(pattern) and _fits(pattern, text, 0)
    *middle, last = rest
    end = len(text) - len(last)
    if len(first) > end or not _fits(first, text, 0) or not _fits(last, text, end):
        return False
    # The earliest place for each piece leaves the most room for those after it.
    at = len(first)
    for piece in middle:
        while at + len(piece) <= end and not _fits(piece, text, at):
            at += 1
        if at + len(piece) > end:
            return False
        at += len(piece)
    return True


def _fits(piece: str, text: str, at: int) -> bool:
    return all(
        wanted in ("?", found)
        for wanted, found in zip(piece, text[at : at + len(piece)], strict=True)
    )


def like_of(pattern: str) -> str:
    """Return the pattern as SQL's LIKE has it, with the backslash as escape."""
    signs = {"*": "%", "?": "_", "%": "\\%", "_": "\\_", "\\": "\\\\"}
    return "".join(signs.get(letter, letter) for letter in pattern)

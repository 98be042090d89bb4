"""Payment card numbers are cut before anything is stored, quarantine included. Pure.

A number counts as a card's when its length fits its issuer, its check digit is right (ISO/IEC
7812-1, Luhn) and it is written as cards are: in one piece or in the groups on a card. One long
number in ten has a right check digit by chance, so what cannot be a card's is left alone: article
numbers (GS1), hexadecimal ids, and the account numbers of banks. What remains of such accidents
is that an id of sixteen digits may be cut; the mark in the event says where.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from amity.infra.crypto import pseudonym
from amity.store.logic.intake.parsing import BadEvent, parse_object

_MOST_PATHS: Final = 20
_RUN: Final = b"0" * 13
# Digits become 0, what may stand between the groups of a number goes, all else becomes a space.
_DIGITS: Final = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_DIGITS_AND_ZERO: Final = b"\0" + _DIGITS[1:]
_BETWEEN: Final = b" -._/+%\xc2\xa0"
_ESCAPED: Final = re.compile(rb"\\u00(3[0-9])|\\u00[aA]0")
_KEPT: Final = bytes(byte if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG: Final = re.compile(rb"[0-9]{13,}")
_FIRST: Final = frozenset(b"234569")
_CHUNK: Final = re.compile(r"[0-9]+(?:(?:[ ._/+\u00a0-]|%20)[0-9]+)*")
_GROUP: Final = re.compile(r"%20|[0-9]+")
_TOKEN: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|-?[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?', re.DOTALL
)
_LAYOUTS: Final = frozenset(
    {
        *((size,) for size in range(13, 20)),
        *((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 3, 3, 3)),
        *((4, 4, 4, 4, rest) for rest in (1, 2, 3)),
    }
)
_LONGEST_LAYOUT: Final = 5
_IDS: Final = frozenset({"userId", "anonymousId", "previousId", "groupId", "messageId"})
_ISSUERS: Final = (
    (re.compile("4"), {13, 16, 19}),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),
    (re.compile("3[47]"), {15}),
    (re.compile("30[0-5]|3095|36|3[89]"), {14}),
    (re.compile("6011|64[4-9]|65"), {16, 19}),
    (re.compile("35(2[89]|[3-8])"), {16, 19}),
    (re.compile("62"), {16, 17, 18, 19}),
    (re.compile("220[0-4]"), {16, 19}),
    (re.compile("5018|5020|5038|5893|6304|6759|676[1-3]"), {13, 14, 15, 16, 17, 18, 19}),
    (re.compile("9792|508|60"), {16}),
)


def has_long_number(raw: bytes) -> bool:
    """Say whether a text could hold a card number; False is certain for plain ones.

    This is all that nearly every event costs. What holds for a text holds for all parts of it.
    """
    return _RUN in raw.translate(_DIGITS, _BETWEEN)


def find_long_numbers(texts: Sequence[bytes]) -> list[bool]:
    """Say of each of many texts whether it could hold a card number; JSON holds no zero byte."""
    runs = b"\0".join(texts).translate(_DIGITS_AND_ZERO, _BETWEEN)
    if _RUN not in runs:
        return [False] * len(texts)
    return [_RUN in piece for piece in runs.split(b"\0")]


def cut_cards(raw: bytes) -> tuple[bytes, list[str]]:
    """Return a JSON text without card numbers, and the paths of the values they were cut from.

    Of a number its last four digits stay: `****1111`. An identifier gets a keyed hash instead, so
    that two customers do not become one. All else stays byte by byte. A text that is no JSON is
    cut too.
    """
    seen = _ESCAPED.sub(_unescape, raw) if b"\\u" in raw else raw
    if not has_long_number(seen) or not _may_begin(seen):
        return raw, []
    if not _numbers(seen.decode("utf-8", "replace")):
        return raw, []
    text = raw.decode("utf-8", "surrogateescape")
    scan = _Scan()
    text = _TOKEN.sub(scan.read, text)
    text = mask_text(text)
    return text.encode("utf-8", "surrogateescape"), list(dict.fromkeys(scan.paths))[:_MOST_PATHS]


def cut_event(raw: bytes) -> bytes:
    """Return one event without card numbers; it says in `context.amity.cut` where they were."""
    clean, paths = cut_cards(raw)
    return mark_event(clean, {"cut": paths}) if paths else clean


def mask_text(text: str) -> str:
    """Return a text with its card numbers cut to their last four digits."""
    return _replace(text, lambda digits: f"****{digits[-4:]}")


_RAW_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def mark_event(raw: bytes, said: dict[str, Any]) -> bytes:
    """Write what Amity did with an event into its `context.amity`; one with a fault stays."""
    try:
        value, _, _ = parse_object(raw)
        members = _RAW_OBJECT.decode(raw)
        context = members.get("context")
        inner = _RAW_OBJECT.decode(context) if context and bytes(context) != b"null" else {}
    except (BadEvent, msgspec.MsgspecError, ValueError):
        return raw
    own = (value.get("context") or {}).get("amity")
    joined = {**(own if isinstance(own, dict) else {}), **said}
    inner["amity"] = msgspec.Raw(msgspec.json.encode(joined))
    return msgspec.json.encode({**members, "context": msgspec.Raw(msgspec.json.encode(inner))})


def _may_begin(raw: bytes) -> bool:
    """Rule out times in milliseconds: a card's first digit, and twelve or more after it."""
    runs = _LONG.findall(raw.translate(_KEPT, _BETWEEN))
    return any(not _FIRST.isdisjoint(run[:-12]) for run in runs)


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else b" "


def _is_card(digits: str) -> bool:
    size = len(digits)
    if not any(size in sizes and issuer.match(digits) for issuer, sizes in _ISSUERS):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number  # the sum of its digits
    return total % 10 == 0 and len(set(digits)) > 1


def _is_article(digits: str) -> bool:
    """Say whether 13 or 14 digits are a GTIN (GS1 General Specifications, 7.9)."""
    if len(digits) > 14:
        return False
    total = sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(reversed(digits)))
    return total % 10 == 0


def _is_in_id(text: str, start: int, end: int) -> bool:
    """Say whether digits stand within a hexadecimal word, or are the account of a bank (IBAN)."""
    left, right = start, end
    while left > 0 and text[left - 1].isalnum():
        left -= 1
    while right < len(text) and text[right].isalnum():
        right += 1
    word = text[left:right].lower()
    if not word.isdigit() and " " not in word and all(char in "0123456789abcdef" for char in word):
        return True
    return re.search(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: [0-9]{4})* ?$", text[:start]) is not None


def _numbers(text: str) -> list[tuple[int, int, str]]:
    """Return the places of card numbers in a text, with their digits."""
    found = []
    for chunk in _CHUNK.finditer(text):
        groups = [group for group in _GROUP.finditer(chunk[0]) if group[0] != "%20"]
        first = 0
        while first < len(groups):
            hit = _longest(text, chunk.start(), groups[first : first + _LONGEST_LAYOUT])
            if hit is None:
                first += 1
                continue
            count, place = hit
            found.append(place)
            first += count
    return found


def _longest(
    text: str, offset: int, groups: list[re.Match[str]]
) -> tuple[int, tuple[int, int, str]] | None:
    """Return how many of the groups, from the first on, are a card number, and its place."""
    for count in range(len(groups), 0, -1):
        if tuple(len(group[0]) for group in groups[:count]) not in _LAYOUTS:
            continue
        digits = "".join(group[0] for group in groups[:count])
        start, end = offset + groups[0].start(), offset + groups[count - 1].end()
        if (
            _is_card(digits)
            and not (count == 1 and _is_article(digits))
            and not _is_in_id(text, start, end)
        ):
            return count, (start, end, digits)
    return None


def _replace(text: str, write: Callable[[str], str]) -> str:
    for start, end, digits in reversed(_numbers(text)):
        text = text[:start] + write(digits) + text[end:]
    return text


def _as_id(digits: str) -> str:
    return f"card-{pseudonym(f'card:{digits}')[:20]}"


class _Scan:
    """Reads the tokens of a JSON text in their order, and knows where each stands."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._open: list[str | None] = []
        self._names: list[str] = []
        self._awaits_name = False

    def read(self, found: re.Match[str]) -> str:
        piece = found[0]
        if piece[0] == '"':
            return self._text(piece)
        if piece[0] in "{}[],:":
            self._step(piece)
            return piece
        return self._number(piece)

    def _step(self, piece: str) -> None:
        if piece in "{[":
            self._open.append(piece)
            self._names.append("" if piece == "{" else "[]")
            self._awaits_name = piece == "{"
        elif piece in "}]":
            if self._open:
                self._open.pop()
                self._names.pop()
            self._awaits_name = False
        else:
            self._awaits_name = piece == "," and bool(self._open) and self._open[-1] == "{"

    def _text(self, piece: str) -> str:
        try:
            value = json.loads(piece, strict=False)
        except ValueError:
            value = piece[1:-1]
        is_name = self._awaits_name
        if is_name and self._names:
            self._names[-1] = mask_text(value)
            self._awaits_name = False
        is_id = not is_name and len(self._names) == 1 and self._names[0] in _IDS
        clean = _replace(value, _as_id) if is_id else mask_text(value)
        if clean == value:
            return piece
        self._note()
        return json.dumps(clean)

    def _number(self, piece: str) -> str:
        digits = piece.lstrip("-").removesuffix(".0")
        if not digits.isdigit() or not _numbers(digits):
            return piece
        is_id = len(self._names) == 1 and self._names[0] in _IDS
        self._note()
        return json.dumps(_as_id(digits) if is_id else mask_text(digits))

    def _note(self) -> None:
        path = ".".join(self._names).replace(".[]", "[]")
        self.paths.append(path[:255])

"""Bytes that came from outside, made safe to look at.

Nothing here is marked safe for HTML: the templates escape it. What is made visible is what a
browser would hide or act on: control characters, text that runs backwards, bytes that are no text.
"""

import unicodedata
from typing import Any, Final

import msgspec

SHOWN_BYTES: Final = 4_000
_HEX_BYTES: Final = 1_024
_HEX_WIDTH: Final = 16
# What may stand as it is although it is not printable: a pretty-printed body has line ends.
_KEPT: Final = {"\n", "\t"}


class RawView(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes as text for people."""

    text: str
    form: str
    """json, text or hex."""
    size_bytes: int
    is_cut: bool


def show_raw(raw: bytes, *, limit: int = SHOWN_BYTES) -> RawView:
    """Show bytes: indented when they are JSON, as text when they are UTF-8, else in hex."""
    if len(raw) <= limit:
        pretty = _pretty(raw)
        if pretty is not None:
            return RawView(text=pretty, form="json", size_bytes=len(raw), is_cut=False)
    is_cut = len(raw) > limit
    text = _as_text(raw[:limit], is_cut=is_cut)
    if text is not None:
        return RawView(text=visible(text), form="text", size_bytes=len(raw), is_cut=is_cut)
    return RawView(
        text=hex_dump(raw[:_HEX_BYTES]),
        form="hex",
        size_bytes=len(raw),
        is_cut=len(raw) > _HEX_BYTES,
    )


def _pretty(raw: bytes) -> str | None:
    try:
        value: Any = msgspec.json.decode(raw)
        if not isinstance(value, dict | list):
            return None
        return visible(msgspec.json.format(raw, indent=2).decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _as_text(raw: bytes, *, is_cut: bool) -> str | None:
    # A cut may fall inside a character of up to four bytes; what remains of it is dropped.
    for spare in range(4 if is_cut else 1):
        try:
            return raw[: len(raw) - spare].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None


def visible(text: str) -> str:
    """Replace what cannot be seen (control, format, unassigned characters) by its escape."""
    return "".join(
        char
        if char in _KEPT or not unicodedata.category(char).startswith("C")
        else char.encode("unicode_escape").decode()
        for char in text
    )


def hex_dump(raw: bytes) -> str:
    """Write bytes in rows of sixteen: offset, hex, and what of it is ASCII."""
    rows = []
    for start in range(0, len(raw), _HEX_WIDTH):
        piece = raw[start : start + _HEX_WIDTH]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        rows.append(f"{start:06x}  {piece.hex(' '):<47}  {letters}")
    return "\n".join(rows)


def one_line(raw: bytes, *, limit: int = 140) -> str:
    """Return the beginning of ``raw`` on one line, for a list."""
    text = raw[: limit * 4].decode("utf-8", "backslashreplace")
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"

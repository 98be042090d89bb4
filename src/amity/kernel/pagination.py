"""Pages by keyset: a cursor says after which row to go on, never how many to skip."""

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec

from amity.kernel.errors import Invalid

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows and, when there are more, the cursor that fetches the next ones."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(key: list[Any]) -> str:
    """Make an opaque cursor from the sort key of a page's last row."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, types: tuple[type, ...]) -> list[Any]:
    """Read a cursor back; raise Invalid when it was not made by `encode_cursor` for this list."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw)
        if not isinstance(key, list) or len(key) != len(types):
            raise ValueError
        return [msgspec.convert(value, kind) for value, kind in zip(key, types, strict=True)]
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Invalid("this cursor does not belong to this list", code="bad_cursor") from error

"""JSON as commands take it: written out, in a file, or on standard input."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from amity.kernel.errors import Invalid


def read_object(text: str, what: str) -> dict[str, Any]:
    """Read a JSON object from itself, from the file of that name, or from standard input (`-`).

    Raises Invalid naming ``what`` when it is none, OSError when there is no such file.
    """
    stripped = text.strip()
    if stripped == "-":
        content = sys.stdin.buffer.read()
    elif stripped.startswith("{"):
        content = stripped.encode("utf-8", "surrogateescape")
    else:
        content = Path(text).read_bytes()
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid(f"the {what} is not a JSON object: {error}", code="bad_json") from error

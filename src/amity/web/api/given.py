"""What a caller gave of a change: absent fields stay as they are."""

from typing import Any

import msgspec
from msgspec import UNSET


def given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that were sent, null ones too; those left out are not in it."""
    return {
        name: value
        for name, value in ((name, getattr(body, name)) for name in body.__struct_fields__)
        if value is not UNSET
    }

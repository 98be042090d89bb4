"""What the demo loader leaves about its data: `demo/about.json` in the data folder."""

import logging
from typing import Any

import msgspec

from amity.infra.config import settings

_log = logging.getLogger(__name__)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data comes from: what is real, what is simulated, what is joined and how."""

    title: str
    stand_in: bool = False
    simulated: str | list[str] = ""
    joined: str | list[str] = ""
    how: list[str] = []
    counts: dict[str, Any] = {}


def read_about() -> About | None:
    """Return what the demo loader wrote; None when no demo is loaded."""
    path = settings().data / "demo" / "about.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=About)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        _log.warning("the demo's about.json cannot be read: %s", type(error).__name__)
        return None


def is_stand_in() -> bool:
    """Say whether a small generated shop stands in for the demo data."""
    about = read_about()
    return about is not None and about.stand_in

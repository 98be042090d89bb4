"""What kind of device speaks (pure): from what the client says, else from its user agent."""

import re
from functools import lru_cache
from typing import Any, Final

from amity.store.contracts_visits import Device

_TABLET: Final = re.compile(
    r"iPad|Tablet|PlayBook|Silk/|Kindle|^(?!.*Mobile).*Android(?!.*Opera Mini)", re.IGNORECASE
)
_PHONE: Final = re.compile(r"Mobi|iPhone|iPod|Windows Phone|Opera Mini", re.IGNORECASE)
_DESKTOP: Final = re.compile(r"Windows NT|Macintosh|X11|CrOS|Linux x86_64")
_OTHER: Final = re.compile(r"SmartTV|SMART-TV|AppleTV|HbbTV|GoogleTV|PlayStation|Xbox|Nintendo")
_WORDS: Final[dict[str, Device]] = {
    "desktop": "desktop",
    "laptop": "desktop",
    "computer": "desktop",
    "phone": "phone",
    "mobile": "phone",
    "smartphone": "phone",
    "ios": "phone",
    "android": "phone",
    "tablet": "tablet",
    "ipad": "tablet",
}


def find_device(agent: str, said: Any) -> Device:
    """Return the device of a user agent, or what the client calls it (`context.device.type`)."""
    if isinstance(said, str) and said.strip().lower() in _WORDS:
        return _WORDS[said.strip().lower()]
    return _of_agent(agent)


@lru_cache(maxsize=8192)
def _of_agent(agent: str) -> Device:
    if _OTHER.search(agent):
        return "other"
    if _TABLET.search(agent):
        return "tablet"
    if _PHONE.search(agent):
        return "phone"
    return "desktop" if _DESKTOP.search(agent) else "other"

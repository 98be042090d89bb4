"""What placements and offers may say, checked before the database has to refuse it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from amity.kernel.errors import Invalid
from amity.personalization.policy import load_policies
from amity.personalization.recommender import load_recommenders

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_LONGEST: Final[Mapping[str, int]] = {
    "description": 1000,
    "headline": 200,
    "body": 2000,
    "image_url": 2000,
    "action_label": 100,
    "action_url": 2000,
    "purpose": 100,
}
_MAX_NAME: Final = 100
MAX_SLOTS: Final = 20
_MAX_COUNT: Final = 2**31 - 1
_MAX_BUDGET: Final = 2**63 - 1
_MAX_DAYS: Final = 3650
_KINDS: Final = ("offers", "products")
_GOALS: Final = ("click", "order", "metric")
STATES: Final = ("draft", "live", "paused", "archived")


def check_key(key: str) -> str:
    """Return the key; raise Invalid when it is none."""
    if not _KEY.match(key):
        raise Invalid(
            "a key has 1 to 63 small letters, digits, - and _, and begins with a letter or digit",
            code="bad_key",
        )
    return key


def clean_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with all texts trimmed; raise Invalid for one too long or with a NUL."""
    cleaned = dict(values)
    for field, value in values.items():
        if not isinstance(value, str):
            continue
        text = cleaned[field] = value.strip()
        if "\0" in text or not _is_whole(text):
            raise Invalid(f"{field} holds a NUL or half a character", code="bad_text")
        longest = _LONGEST.get(field)
        if longest is not None and len(text) > longest:
            raise Invalid(f"{field} is longer than {longest} characters", code="bad_text")
    if not 1 <= len(cleaned["name"]) <= _MAX_NAME:
        raise Invalid(f"a name has 1 to {_MAX_NAME} characters", code="bad_name")
    return cleaned


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_placement(values: Mapping[str, Any]) -> None:
    """Raise Invalid for a placement that cannot be: its slots, kind, goal or policy."""
    if values["kind"] not in _KINDS:
        raise Invalid(f"a placement shows one of {', '.join(_KINDS)}", code="bad_kind")
    if values["goal"] not in _GOALS:
        raise Invalid(f"a goal is one of {', '.join(_GOALS)}", code="bad_goal")
    if (values["goal"] == "metric") != bool(values["goal_metric"]):
        raise Invalid("the goal `metric` names one, and no other does", code="bad_goal")
    if not 1 <= values["slots"] <= MAX_SLOTS:
        raise Invalid(f"a placement has 1 to {MAX_SLOTS} slots", code="bad_slots")
    plugs = load_policies() if values["kind"] == "offers" else load_recommenders()
    if values["policy"] not in plugs:
        known = ", ".join(sorted(plugs.names()))
        raise Invalid(f"there is no policy “{values['policy']}”; there are {known}", code="policy")


def check_offer(values: Mapping[str, Any]) -> None:
    """Raise Invalid for an offer that cannot be: its links, cap, budget or dates."""
    _check_link("image_url", values["image_url"])
    _check_link("action_url", values["action_url"])
    if (values["cap_count"] is None) != (values["cap_days"] is None):
        raise Invalid("a cap needs both a number and its days", code="bad_cap")
    _check_range("cap_count", values["cap_count"], 1, _MAX_COUNT)
    if values["cap_days"] is not None and not 0 < values["cap_days"] <= _MAX_DAYS:
        raise Invalid(f"a cap lasts up to {_MAX_DAYS} days", code="bad_cap")
    _check_range("budget_count", values["budget_count"], 1, _MAX_BUDGET)
    starts_at, ends_at = _aware(values["starts_at"]), _aware(values["ends_at"])
    if starts_at and ends_at and ends_at <= starts_at:
        raise Invalid("the offer would end before it begins", code="bad_dates")


def _check_link(field: str, url: str) -> None:
    """Raise Invalid for a link that a page must not carry, such as `javascript:`."""
    if not url or (url.startswith("/") and not url.startswith(("//", "/\\"))):
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise Invalid(f"{field} is no http or https address, nor a path like /sale", code="bad_url")


def _check_range(field: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise Invalid(f"{field} is a whole number from {low}", code="bad_number")


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise Invalid("an instant needs its offset from UTC", code="bad_dates")
    return moment

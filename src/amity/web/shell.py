"""What every page carries: the rail, who is signed in, and whose data it is."""

import logging
import pkgutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from django.urls import reverse

import amity.web
from amity.web import about_file
from amity.web.staff.models import Staff
from amity.web.staff.permissions import Capability, can

Group = Literal["", "Reach", "Decide", "Understand", "Foundation"]
_log = logging.getLogger(__name__)
_COUNT_SECONDS = 10.0
_GROUPS: tuple[Group, ...] = ("", "Reach", "Decide", "Understand", "Foundation")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the rail; ``key`` is pressed after `g`, ``count`` is shown beside the label."""

    label: str
    url_name: str
    capability: Capability
    group: Group = ""
    order: int = 50
    key: str = ""
    count: Callable[[], int | None] | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as one reader sees it."""

    label: str
    href: str
    key: str
    is_current: bool
    count: int | None


@cache
def areas() -> list[ModuleType]:
    """Return the `urls` module of every screen area, by name."""
    found = []
    for info in pkgutil.iter_modules(amity.web.__path__):
        if info.ispkg and info.name not in {"templatetags"}:
            try:
                found.append(import_module(f"amity.web.{info.name}.urls"))
            except ModuleNotFoundError as error:
                if error.name != f"amity.web.{info.name}.urls":
                    raise
    return found


@cache
def entries() -> list[Entry]:
    """Return every entry of every area, in the rail's order."""
    all_entries = [entry for area in areas() for entry in getattr(area, "RAIL", [])]
    return sorted(all_entries, key=lambda entry: (_GROUPS.index(entry.group), entry.order))


def visible(person: Staff) -> Iterator[Entry]:
    """Yield the entries a member of staff may open."""
    return (entry for entry in entries() if can(person.role, entry.capability))


def rail(request: HttpRequest, person: Staff) -> list[tuple[str, list[Shown]]]:
    """Return the rail for one reader: groups of entries, the current one marked."""
    groups: dict[str, list[Shown]] = {}
    for entry in visible(person):
        href = reverse(entry.url_name)
        here = request.path == href or (href != "/" and request.path.startswith(href))
        shown = Shown(
            label=entry.label,
            href=href,
            key=entry.key,
            is_current=here,
            count=_count(entry) if entry.count else None,
        )
        groups.setdefault(entry.group, []).append(shown)
    return list(groups.items())


_counted: dict[str, tuple[float, int | None]] = {}


def _count(entry: Entry) -> int | None:
    """Return an entry's count, at most some seconds old; None when it cannot be had."""
    at, value = _counted.get(entry.url_name, (0.0, None))
    if time.monotonic() - at > _COUNT_SECONDS and entry.count:
        try:
            value = entry.count()
        except Exception as error:  # decoration must not take a page down
            _log.warning("no count for %s: %s", entry.label, type(error).__name__)
            value = None
        _counted[entry.url_name] = (time.monotonic(), value)
    return value


def context(request: HttpRequest) -> dict[str, Any]:
    """Give templates `shell` (a context processor); empty for who is not signed in."""
    person = getattr(request, "user", None)
    if not isinstance(person, Staff) or request.path.startswith("/admin/"):
        return {}
    return {
        "shell": {
            "rail": rail(request, person),
            "person": person.get_full_name() or person.get_username(),
            "role": person.role,
            "stand_in": about_file.is_stand_in(),
            "needs_password": not person.has_usable_password(),
        }
    }

"""The filled table: import it from here, never from `routing`, to have every endpoint in it."""

import importlib
import inspect
import pkgutil
import sys

import msgspec

from amity.web.api import endpoints
from amity.web.api.routing import TABLE, Route

for _module in sorted(info.name for info in pkgutil.iter_modules(endpoints.__path__)):
    importlib.import_module(f"{endpoints.__name__}.{_module}")

__all__ = ["TABLE", "Group", "list_groups"]


class Group(msgspec.Struct, frozen=True):
    """The routes about one subject, and its module's words about it."""

    name: str
    words: str
    routes: list[Route]


def list_groups() -> list[Group]:
    """Return the routes by subject, in the order of the table."""
    groups: dict[str, Group] = {}
    for route in TABLE:
        module = sys.modules[route.handler.__module__]
        made = Group(route.group, inspect.getdoc(module) or "", [])
        groups.setdefault(route.group, made).routes.append(route)
    return list(groups.values())

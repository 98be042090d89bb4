"""One way to plug something in: put one class in one file of the plug point's package."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import Generic, TypeVar

from amity.kernel.structs import settle_types

T = TypeVar("T")
P = TypeVar("P")


class RegistrationError(TypeError):
    """A plug-in is not what its registry holds, or its name is taken."""


class Registry(Generic[T]):
    """The plug-ins of one kind, by name.

    A plug-in enters by being defined in a module of the plug point's package, or by an entry
    point of the same group; it is checked at the door, so a wrong one fails at start-up and
    not at the first message.
    """

    def __init__(self, base: type[T], *, group: str) -> None:
        self.base = base
        self.group = group
        self._items: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[type[P]], type[P]]:
        """Return a class decorator that adds a plug-in under ``name``."""

        def add(item: type[P]) -> type[P]:
            self.add(name, item)  # type: ignore[arg-type]  # checked at run time, at the door
            return item

        return add

    def add(self, name: str, item: type[T]) -> None:
        """Add a plug-in; raise RegistrationError when it does not belong or the name is taken."""
        if not (isinstance(item, type) and issubclass(item, self.base)):
            raise RegistrationError(f"{item!r} is not a {self.base.__name__}")
        if name in self._items:
            taken = self._items[name]
            raise RegistrationError(f"{self.base.__name__} {name!r} is already {taken!r}")
        self._items[name] = item

    def discover(self, package: ModuleType, *, is_whole: bool = True) -> None:
        """Import every public module of ``package`` and every entry point of the group.

        Plug-ins are often first asked for while threads run: their Structs are learnt before any
        thread gets the registry. Not so without ``is_whole``: their types name what only their
        caller knows when all are there, who must have them learnt then.
        """
        for info in pkgutil.iter_modules(package.__path__):
            if not info.name.startswith("_"):
                importlib.import_module(f"{package.__name__}.{info.name}")
        entries = entry_points(group=self.group)
        for entry in entries:
            entry.load()
        if is_whole:
            settle_types({package.__name__, *(entry.module for entry in entries)})

    def __getitem__(self, name: str) -> type[T]:
        return self._items[name]

    def __contains__(self, name: str) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[type[T]]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def names(self) -> list[str]:
        """Return the names in order of registration."""
        return list(self._items)

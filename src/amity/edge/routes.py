"""Which dialect an address belongs to: one table out of the routes of all (pure)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from amity.store.hot import Dialect

HOOKS: Final = "hooks"
"""Webhooks come to `POST /hooks/{name}/{write_key}`."""

WRITE_KEY: Final = "write_key"
"""The part of an address that is the write key."""

_LONGEST: Final = 2_000
_PART: Final = re.compile(r"\{(\w+)\}")
_SLASHES: Final = re.compile("/{2,}")


class Match(NamedTuple):
    """What an address leads to: ``methods`` says what it takes, by method whose it is."""

    methods: Mapping[str, tuple[Dialect, dict[str, str]]]


class _Route(NamedTuple):
    method: str
    strict: re.Pattern[str]
    wide: re.Pattern[str]
    dialect: Dialect


def tidy(path: str) -> str:
    """Return an address without doubled and trailing slashes."""
    return (_SLASHES.sub("/", path) if "//" in path else path).rstrip("/")


class Table:
    """The addresses of all dialects.

    ``native`` are POST addresses whose bodies need no dialect, with what they carry.
    """

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self.native: dict[str, str | None] = {}
        self._fixed: dict[str, dict[str, tuple[Dialect, dict[str, str]]]] = {}
        self._routes: list[_Route] = []
        self._hooks: dict[str, Dialect] = {}
        for dialect in dialects:
            if dialect.has_hook:
                self._hooks[dialect.name] = dialect
            for path, kind in dialect.native.items():
                if self.native.setdefault(path, kind) != kind:
                    raise ValueError(f"{path} means different things to different dialects")
            for route in dialect.routes:
                self._add(route, dialect)

    def _add(self, route: str, dialect: Dialect) -> None:
        method, _, path = route.partition(" ")
        path = tidy(path)
        if "{" not in path:
            taken = self._fixed.setdefault(path, {})
            if method in taken:
                raise ValueError(f"{route} belongs to two dialects")
            taken[method] = (dialect, {})
            return
        pieces = _PART.split(path)
        strict, wide = (
            "".join(
                f"(?P<{piece}>{part})" if index % 2 else re.escape(piece)
                for index, piece in enumerate(pieces)
            )
            for part in ("[^/]+", ".+")
        )
        entry = _Route(method, re.compile(strict), re.compile(wide), dialect)
        self._routes.append(entry)
        # The longest first: what says more about an address goes before what says less.
        self._routes.sort(key=lambda each: -len(_PART.sub("", each.strict.pattern)))

    def find(self, path: str) -> Match | None:
        """Return what there is at an address, None when nothing is.

        The server has decoded the address, so a part of it may hold slashes: that is tried when
        nothing else takes the method.
        """
        clean = tidy(path)
        fixed = self._fixed.get(clean)
        if fixed is not None:
            return Match(fixed)
        if clean.startswith(f"/{HOOKS}/"):
            return self._find_hook(clean)
        if len(path) > _LONGEST:
            return None
        methods: dict[str, tuple[Dialect, dict[str, str]]] = {}
        for is_wide, text in ((False, clean), (True, path.rstrip("/"))):
            for route in self._routes:
                found = (route.wide if is_wide else route.strict).fullmatch(text)
                if found is not None:
                    methods.setdefault(route.method, (route.dialect, found.groupdict()))
        return Match(methods) if methods else None

    def _find_hook(self, path: str) -> Match | None:
        pieces = path.split("/")
        dialect = self._hooks.get(pieces[2])
        if dialect is None or len(pieces) != 4:
            return None
        return Match({"POST": (dialect, {WRITE_KEY: pieces[3]})})

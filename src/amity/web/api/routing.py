"""The table of routes: each endpoint says once what it needs and gives."""

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

F = TypeVar("F", bound=Callable[..., Any])

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Scope = Literal[
    "profiles:read",
    "profiles:write",
    "reports:read",
    "reports:write",
    "segments:read",
    "segments:write",
    "sources:read",
    "sources:write",
    "events:read",
    "stats:read",
    "offers:read",
    "offers:write",
    "decisions:read",
    "decisions:write",
    "campaigns:read",
    "campaigns:write",
    "campaigns:launch",
    "journeys:read",
    "journeys:write",
    "messages:read",
    "consents:read",
    "consents:write",
    "outbound:read",
    "outbound:write",
    "retention:read",
    "retention:write",
    "requests:read",
    "requests:write",
]
RowId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
SmallRowId = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Meta(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    str, Meta(max_length=1000, description="`next_cursor` of the page before; absent at first.")
]
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_SPECIAL: Final = {"query", "body", "call", "return"}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, with which scopes, and when."""

    caller: str
    scopes: frozenset[str]
    now: datetime

    def may(self, scope: Scope) -> bool:
        """Say whether the caller holds a scope."""
        return "*" in self.scopes or scope in self.scopes


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint: its address, what it takes, what it gives, who may call it."""

    method: Method
    path: str
    scope: Scope
    handler: Callable[..., Any]
    path_types: dict[str, Any]
    query_type: type[msgspec.Struct] | None
    body_type: type[msgspec.Struct] | None
    answer_type: Any
    status: int
    location: str
    needs_match: bool
    takes_call: bool

    @property
    def name(self) -> str:
        """The endpoint's stable name, its `operationId`."""
        return self.handler.__name__

    @property
    def group(self) -> str:
        """What it is about: the module it is declared in."""
        return self.handler.__module__.rsplit(".", 1)[-1]

    @property
    def words(self) -> str:
        """The endpoint's documentation: its handler's."""
        return inspect.getdoc(self.handler) or ""

    @property
    def summary(self) -> str:
        """The first line of its words."""
        return self.words.partition("\n")[0]


class Table:
    """All routes; asked for the ones of a path."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[re.Pattern[str], str]] = []

    def route(
        self,
        method: Method,
        path: str,
        *,
        scope: Scope,
        status: int = 200,
        location: str = "",
    ) -> Callable[[F], F]:
        """Return a decorator that declares a handler as the endpoint of a method and a path.

        The handler's signature is the contract: parameters named in ``path`` come from there,
        `query` and `body` are structs read from the request, `call` says who asks; what it
        returns is the answer (None: an empty one). ``location`` is a format string over the
        answer `it`. A PATCH needs `If-Match` against the GET of the same path.
        """

        def add(handler: F) -> F:
            hints = get_type_hints(handler, include_extras=True)
            answer = hints["return"]
            made = Route(
                method=method,
                path=path,
                scope=scope,
                handler=handler,
                path_types={name: hints[name] for name in _PARAMETER.findall(path)},
                query_type=hints.get("query"),
                body_type=hints.get("body"),
                answer_type=None if answer is type(None) else answer,
                status=204 if answer is type(None) else status,
                location=location,
                needs_match=method == "PATCH",
                takes_call="call" in hints,
            )
            if unknown := set(hints) - _SPECIAL - set(made.path_types):
                raise TypeError(f"{handler.__name__}: nothing gives it {sorted(unknown)}")
            self._add(made)
            return handler

        return add

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def match(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """Return the routes of a path by method and the texts of its parameters, or None."""
        for pattern, template in self._patterns:
            if found := pattern.match(path):
                routes = {m: r for (m, t), r in self._routes.items() if t == template}
                return routes, found.groupdict()
        return None

    def get(self, method: str, path: str) -> Route:
        """Return the route of a method and a path's template."""
        return self._routes[method, path]

    def _add(self, route: Route) -> None:
        key = (route.method, route.path)
        if key in self._routes:
            raise TypeError(f"{route.method} {route.path} is declared twice")
        if not any(template == route.path for _, template in self._patterns):
            self._patterns.append((_compile(route.path), route.path))
            # A fixed word goes before a parameter at the same place (`/segments/preview`).
            self._patterns.sort(key=lambda item: _PARAMETER.sub("\uffff", item[1]))
        self._routes[key] = route


def _compile(path: str) -> re.Pattern[str]:
    pieces = []
    for index, piece in enumerate(_PARAMETER.split(path)):
        if index % 2 == 0:
            pieces.append(re.escape(piece))
        else:
            # A value at the end may hold anything, slashes too: a user_id may be a path.
            last = path.endswith(f"/{{{piece}}}") and piece == "value"
            pieces.append(f"(?P<{piece}>.+)" if last else f"(?P<{piece}>[^/]+)")
    return re.compile(rf"\A{''.join(pieces)}\Z", re.DOTALL)


TABLE: Final = Table()
route = TABLE.route

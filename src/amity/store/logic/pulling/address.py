"""How a database is reached: addresses as people write them, taken apart. Pure."""

from typing import Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from amity.kernel.errors import Invalid

Engine = Literal["postgresql", "mysql", "sqlite"]
Tls = Literal["disable", "prefer", "require", "verify-full"]

_ENGINES: Final[dict[str, Engine]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
_PORTS: Final[dict[Engine, int]] = {"postgresql": 5432, "mysql": 3306, "sqlite": 0}
_TLS: Final[dict[str, Tls]] = {
    name: name for name in ("disable", "prefer", "require", "verify-full")
}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is and how to be let in; for SQLite ``database`` is the file's name."""

    engine: Engine
    host: str = ""
    port: int = 0
    database: str
    user: str = ""
    password: str = ""
    tls: Tls = "prefer"

    def describe(self) -> str:
        """Return the address for people: without the password."""
        if self.engine == "sqlite":
            return f"sqlite:///{self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        who = f"{quote(self.user)}@" if self.user else ""
        return f"{self.engine}://{who}{host}:{self.port}/{quote(self.database)}"


def read_address(text: str) -> Address:
    """Take an address apart; raise Invalid, without repeating it, as it holds a password.

    `postgresql://user:password@host:5432/database?sslmode=require`, `mysql://…` or `mariadb://…`
    likewise, `sqlite:///shop.db` for a file in the folder of databases.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise Invalid("this is not the address of a database", code="bad_address") from error
    engine = _ENGINES.get(parts.scheme.lower())
    if engine is None:
        known = "postgresql://, mysql:// or sqlite://"
        raise Invalid(f"the address must begin with {known}", code="bad_address")
    database = unquote(parts.path).removeprefix("/")
    if not database:
        raise Invalid("the address does not name the database", code="bad_address")
    if engine == "sqlite":
        return _sqlite(database, parts.netloc)
    if not parts.hostname:
        raise Invalid("the address does not name the host", code="bad_address")
    return Address(
        engine=engine,
        host=parts.hostname,
        port=port or _PORTS[engine],
        database=database,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=_read_tls(parts.query),
    )


def _sqlite(database: str, host: str) -> Address:
    if host or "/" in database or "\\" in database or "\0" in database or database.startswith("."):
        reason = "name an SQLite file as sqlite:///shop.db: the name of a file in the folder"
        raise Invalid(f"{reason} of databases, and no path", code="bad_address")
    return Address(engine="sqlite", database=database)


def _read_tls(query: str) -> Tls:
    wanted = "prefer"
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != "sslmode":
            raise Invalid("the address may say sslmode=… and nothing else", code="bad_address")
        wanted = value
    if wanted not in _TLS:
        raise Invalid(f"sslmode is one of {', '.join(_TLS)}", code="bad_address")
    return _TLS[wanted]

"""Segments as a table of somebody's PostgreSQL, MySQL or SQLite, written in one transaction."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import psycopg
import pymysql

from amity.infra import egress
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid, Retryable
from amity.store.contracts_outbound import DestinationField
from amity.store.destination import (
    DESTINATIONS,
    Cell,
    ColumnType,
    Destination,
    Job,
    exports_folder,
    type_of,
)
from amity.store.logic.pulling.address import Address, read_address

_TABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?")
_TYPES: Final[dict[str, dict[ColumnType, str]]] = {
    "postgresql": {"integer": "bigint", "text": "text", "moment": "timestamptz"},
    "mysql": {"integer": "bigint", "text": "longtext", "moment": "datetime(6)"},
    "sqlite": {"integer": "integer", "text": "text", "moment": "text"},
}
_SECONDS: Final = 60


@DESTINATIONS.register("database")
class DatabaseTable(Destination):
    """A table keyed by `profile_id`, made when it is not there."""

    name = "database"
    title = "Database table"
    description = "A table of PostgreSQL, MySQL, MariaDB or SQLite, changed in one transaction."
    fields: ClassVar[tuple[DestinationField, ...]] = (
        DestinationField(
            name="address",
            label="Address",
            help="postgresql://name:password@host:5432/database, mysql://… or sqlite:///name.db "
            "for a file in the folder of exports.",
            is_secret=True,
        ),
        DestinationField(name="table", label="Table", help="Its name, with a schema if need be."),
        DestinationField(
            name="mode",
            label="How",
            help="refresh: exactly who is in the segment; upsert: who left stays as they were.",
            choices=["refresh", "upsert"],
            default="refresh",
        ),
    )

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._address = read_address(job.secret)
        self._connection: Any = None

    @classmethod
    def check(cls, job: Job) -> None:
        address = read_address(job.secret)
        if not _TABLE.fullmatch(job.settings.get("table", "")):
            raise Invalid("name the table: letters, digits and _, with a schema if need be")
        if job.settings.get("mode", "refresh") not in ("refresh", "upsert"):
            raise Invalid("a table is written by refresh or by upsert")
        if address.engine != "sqlite":
            egress.check_host(address.host, address.port)

    def reach(self) -> None:
        self._try(lambda: _OPENERS[self._address.engine](self._address).close())

    def begin(self) -> None:
        self._try(self._begin)

    def _begin(self) -> None:
        self._connection = _OPENERS[self._address.engine](self._address)
        types = _TYPES[self._address.engine]
        columns = ", ".join(
            f"{self._quoted(name)} {types[type_of(name)]}"
            + (" PRIMARY KEY" if name == "profile_id" else "")
            for name in self.job.columns
        )
        cursor = self._connection.cursor()
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({columns})")
        if self.job.settings.get("mode", "refresh") == "refresh":
            cursor.execute(f"DELETE FROM {self._table}")  # noqa: S608  # the name is checked

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        if rows:
            values = [[self._value(cell) for cell in row] for row in rows]
            self._try(lambda: self._connection.cursor().executemany(self._statement, values))

    def finish(self) -> str:
        self._try(self._connection.commit)
        self._connection.close()
        sqlite = self._address.engine == "sqlite"
        return self._address.database if sqlite else ""

    def abandon(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def _table(self) -> str:
        return ".".join(self._quoted(part) for part in self.job.settings["table"].split("."))

    @property
    def _statement(self) -> str:
        names = [self._quoted(name) for name in self.job.columns]
        mark = "?" if self._address.engine == "sqlite" else "%s"
        marks = ", ".join([mark] * len(names))
        insert = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
        if self._address.engine == "mysql":
            changes = ", ".join(f"{name} = VALUES({name})" for name in names)
            return f"{insert} ON DUPLICATE KEY UPDATE {changes}"
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        return f"{insert} ON CONFLICT ({self._quoted('profile_id')}) DO UPDATE SET {changes}"

    def _quoted(self, name: str) -> str:
        sign = "`" if self._address.engine == "mysql" else '"'
        return f"{sign}{name.replace(sign, sign * 2)}{sign}"

    def _value(self, cell: Cell) -> Any:
        if not isinstance(cell, datetime):
            return cell.replace("\0", "") if isinstance(cell, str) else cell
        if self._address.engine == "mysql":
            return cell.strftime("%Y-%m-%d %H:%M:%S.%f")
        return format_instant(cell) if self._address.engine == "sqlite" else cell

    def _try(self, act: Any) -> None:
        try:
            act()
        except (psycopg.OperationalError, pymysql.err.OperationalError, OSError) as error:
            raise Retryable("the database could not be reached, or went away") from error
        except (psycopg.Error, pymysql.MySQLError, sqlite3.Error) as error:
            kind = type(error).__name__  # its text may quote a customer
            raise Invalid(f"the database does not take it ({kind})") from error


def _open_postgresql(address: Address) -> Any:
    return psycopg.connect(
        host=address.host,
        hostaddr=egress.resolve(address.host, address.port),
        port=address.port,
        dbname=address.database,
        user=address.user,
        password=address.password,
        sslmode=address.tls,
        sslrootcert="system" if address.tls == "verify-full" else None,
        gssencmode="disable",
        connect_timeout=10,
        tcp_user_timeout=_SECONDS * 1000,
        options="-c statement_timeout=600000 -c timezone=UTC",
        application_name="amity-export",
    )


def _open_mysql(address: Address) -> Any:
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password.encode(),  # the driver itself would write it in Latin-1
        database=address.database,
        charset="utf8mb4",
        read_timeout=_SECONDS * 10,
        write_timeout=_SECONDS,
        local_infile=False,
        ssl=egress.tls() if address.tls == "verify-full" else None,
        ssl_disabled=address.tls == "disable" or None,
        defer_connect=True,
    )
    connection.connect(egress.open_socket(address.host, address.port))
    return connection


def _open_sqlite(address: Address) -> Any:
    return sqlite3.connect(exports_folder() / address.database, timeout=10)


_OPENERS: Final[Mapping[str, Any]] = {
    "postgresql": _open_postgresql,
    "mysql": _open_mysql,
    "sqlite": _open_sqlite,
}

"""MySQL and MariaDB as databases that are pulled."""

import contextlib
import ssl
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import pymysql

from amity.infra import egress
from amity.store.contracts_pulling import PullColumn, PullTable
from amity.store.logic.pulling.address import Address
from amity.store.logic.pulling.database import LISTED, Database, PullFailed, kind_of

_SECONDS: Final = 60
_SETUP: Final = ("SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'")
# The first is MariaDB's, the second MySQL's; each refuses the other's.
_LIMITS: Final = (
    f"SET SESSION max_statement_time = {_SECONDS}",
    f"SET SESSION max_execution_time = {_SECONDS * 1000}",
)
_TABLES: Final = """
SELECT table_name, table_type LIKE '%%VIEW%%' FROM information_schema.tables
WHERE table_schema = DATABASE() ORDER BY table_name LIMIT %s
"""
_COLUMNS: Final = """
SELECT c.column_name, c.column_type, coalesce(k.ordinal_position, 0)
FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k
  ON k.table_schema = c.table_schema AND k.table_name = c.table_name
 AND k.column_name = c.column_name AND k.constraint_name = 'PRIMARY'
WHERE c.table_schema = DATABASE() AND c.table_name = %s ORDER BY c.ordinal_position
"""


class MySQL(Database):
    """A session with a MySQL or MariaDB server. Times without a zone are read in UTC."""

    quote: ClassVar[str] = "`"
    mark: ClassVar[str] = "%s"

    def __init__(self, address: Address) -> None:
        try:
            # To an address that was checked; the name is kept for the certificate.
            wire = egress.open_socket(address.host, address.port)
            self._connection = _connect(address, wire)
            for text in _SETUP:
                self._execute(text)
        except (pymysql.MySQLError, OSError) as error:
            raise PullFailed(_words(error)) from error
        for text in _LIMITS:
            with contextlib.suppress(pymysql.MySQLError):
                self._execute(text)

    def _execute(self, text: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(text)

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(text, list(values))
                return list(cursor.fetchall())
        except (pymysql.MySQLError, OSError, UnicodeDecodeError) as error:
            raise PullFailed(_words(error)) from error

    def list_tables(self) -> list[PullTable]:
        return [
            PullTable(schema="", name=name, is_view=bool(is_view))
            for name, is_view in self.query(_TABLES, [LISTED])
        ]

    def list_columns(self, table: PullTable) -> list[PullColumn]:
        return [
            PullColumn(name=name, type=kind, kind=kind_of(kind.split("(")[0]), key_place=int(place))
            for name, kind, place in self.query(_COLUMNS, [table.name])
        ]

    def close(self) -> None:
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self._connection.close()


def _connect(address: Address, wire: egress.Socket) -> Any:
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password.encode(),  # the driver itself would write it in Latin-1
        database=address.database,
        charset="utf8mb4",
        autocommit=True,
        read_timeout=_SECONDS * 2,
        write_timeout=_SECONDS,
        local_infile=False,
        ssl=_tls(address),
        ssl_disabled=address.tls == "disable" or None,
        defer_connect=True,
    )
    try:
        connection.connect(wire)
    except BaseException:
        wire.close()
        raise
    return connection


def _tls(address: Address) -> ssl.SSLContext | None:
    if address.tls == "verify-full":
        return egress.tls()
    if address.tls != "require":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    """Return what the server said, without the number in front."""
    return str(error.args[-1]) if error.args else type(error).__name__

"""PostgreSQL as a database that is pulled."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import psycopg
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

from amity.infra import egress
from amity.store.contracts_pulling import PullColumn, PullTable
from amity.store.logic.pulling.address import Address
from amity.store.logic.pulling.database import LISTED, Database, PullFailed, kind_of

_OPTIONS: Final = (
    "-c statement_timeout=60000 -c default_transaction_read_only=on "
    "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)
_TABLES: Final = """
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\\_%%' AND NOT c.relispartition
  AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1, 2 LIMIT %s
"""
_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       coalesce(array_position(i.indkey::smallint[], a.attnum), -1) + 1
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname = %s AND c.relname = %s
ORDER BY a.attnum
"""


def _tolerant(base: type[Any]) -> type[Any]:
    """Return a loader that gives a time Python cannot hold (infinity, 12000-01-01) as its text."""

    class Loader(base):  # type: ignore[misc]  # of a class that is an argument
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return Loader


class PostgreSQL(Database):
    """A session with a PostgreSQL server, 10 or newer."""

    quote: ClassVar[str] = '"'
    mark: ClassVar[str] = "%s"

    def __init__(self, address: Address) -> None:
        # To the address that was checked; the name is kept for the certificate.
        checked = egress.resolve(address.host, address.port)
        try:
            self._connection = psycopg.connect(
                host=address.host,
                hostaddr=checked,
                port=address.port,
                dbname=address.database,
                user=address.user,
                password=address.password,
                sslmode=address.tls,
                sslrootcert="system" if address.tls == "verify-full" else None,
                gssencmode="disable",
                connect_timeout=10,
                tcp_user_timeout=60_000,
                options=_OPTIONS,
                application_name="amity-pull",
                autocommit=True,
            )
        except psycopg.Error as error:
            raise PullFailed(str(error)) from error
        for name, loader in _LOADERS.items():
            self._connection.adapters.register_loader(name, loader)

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(text.encode(), values).fetchall()
        except psycopg.Error as error:
            raise PullFailed(str(error)) from error

    def list_tables(self) -> list[PullTable]:
        return [
            PullTable(schema=schema, name=name, is_view=is_view)
            for schema, name, is_view in self.query(_TABLES, [LISTED])
        ]

    def list_columns(self, table: PullTable) -> list[PullColumn]:
        return [
            PullColumn(name=name, type=kind, kind=kind_of(kind), key_place=place)
            for name, kind, place in self.query(_COLUMNS, [table.schema, table.name])
        ]

    def close(self) -> None:
        self._connection.close()


_LOADERS: Final[dict[str, Any]] = {
    "date": _tolerant(DateLoader),
    "timestamp": _tolerant(TimestampLoader),
    "timestamptz": _tolerant(TimestamptzLoader),
}

"""Bringing a database to this version's schema, and giving each role what it may touch."""

import os
from typing import Final

import django
from psycopg import sql

from amity.infra import database, postgres
from amity.infra.config import settings

# The readonly role runs rules and reports: customers' records, never staff's secrets.
_READABLE: Final = "store_%", "analysis_%", "personalization_%", "broadcast_%"


def setup_django() -> None:
    """Load Django in this process; needed before anything that uses its models."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amity.site.settings")
    django.setup()


def migrate(*, verbosity: int = 0) -> None:
    """Apply the migrations that are missing, as the owner, then grant rights to the roles."""
    setup_django()
    from django.core.management import call_command  # noqa: PLC0415  # needs Django loaded
    from django.db import connections  # noqa: PLC0415

    call_command("migrate", database="owner", interactive=False, verbosity=verbosity)
    connections["owner"].close()
    if settings().database_url is None:
        _grant()


def _grant() -> None:
    app, readonly = sql.Identifier(postgres.APP), sql.Identifier(postgres.READONLY)
    with database.transaction("owner") as connection:
        connection.execute(
            sql.SQL(
                "GRANT USAGE ON SCHEMA public TO {app}, {readonly};"
                "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES "
                "IN SCHEMA public TO {app};"
                "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {app};"
            ).format(app=app, readonly=readonly)
        )
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND relname LIKE ANY (%s)",
            [list(_READABLE)],
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(table), readonly)
            )
        # The log is append-only for the app; erasure goes through its own function.
        connection.execute(
            sql.SQL("REVOKE UPDATE, TRUNCATE ON store_event_log FROM {}").format(app)
        )
        # So is what was said about consent; blanking goes through its own function.
        connection.execute(
            sql.SQL(
                "REVOKE UPDATE, DELETE, TRUNCATE ON store_consent, store_consent_head, store_notice"
                " FROM {}"
            ).format(app)
        )

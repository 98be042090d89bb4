"""Reaching the Amity that runs here, or saying plainly that none does."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import psycopg

from amity.infra import database
from amity.infra.config import settings
from amity.kernel.errors import Unavailable

F = TypeVar("F", bound=Callable[..., Any])


def need_database() -> None:
    """Return when the database answers; raise Unavailable with what to do when it does not.

    Asked first by every command that needs data, so that nobody waits for a pool's time-out and
    no folder is made where nothing runs.
    """
    configured = settings()
    if configured.database_url is None and not (configured.data / "secrets.json").exists():
        raise Unavailable(_silent(), code="not_running")
    try:
        psycopg.connect(database.conninfo("app")).close()
    except psycopg.OperationalError as error:
        raise Unavailable(_silent(), code="not_running") from error


def _silent() -> str:
    configured = settings()
    if configured.database_url is not None:
        return "the database of AMITY_DATABASE_URL cannot be reached"
    return f"Amity is not running here ({configured.data}); start it with `amity up`"


def need_django() -> None:
    """Load Django, for the few commands that work on staff records."""
    need_database()
    from amity.site.migrate import setup_django

    setup_django()


def needs_database(command: F) -> F:
    """Let a command start only when the database answers."""
    return _guarded(command, need_database)


def needs_django(command: F) -> F:
    """Let a command start only when the database answers, with Django loaded."""
    return _guarded(command, need_django)


def _guarded(command: F, check: Callable[[], None]) -> F:
    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        check()
        return command(*args, **kwargs)

    return guarded  # type: ignore[return-value]  # the same signature, by `wraps`

"""How the command line says no: one line on stderr and an exit code."""

import os
import traceback
from typing import NamedTuple

import click
import msgspec

from amity.kernel.errors import AmityError


class _Failure(NamedTuple):
    status: int
    code: str
    message: str


def report(error: Exception, *, as_json: bool) -> int:
    """Write why a command failed to stderr and return its exit code.

    Text is `amity: message`; with ``as_json`` one object {code, message}. Set
    AMITY_LOG_LEVEL=DEBUG to see the trace of an unexpected error.
    """
    failure = _classify(error)
    if as_json:
        line = msgspec.json.encode({"code": failure.code, "message": failure.message}).decode()
    else:
        line = f"amity: {failure.message}"
    click.echo(line, err=True)
    return failure.status


def _classify(error: Exception) -> _Failure:
    if isinstance(error, AmityError):
        return _Failure(1, error.reason, error.message)
    if isinstance(error, click.UsageError):
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _Failure(2, "usage", error.format_message() + hint)
    if isinstance(error, click.ClickException):
        return _Failure(error.exit_code, "failed", error.format_message())
    return _unexpected(error)


def _unexpected(error: Exception) -> _Failure:
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate in {"42P01", "42703"}:
        return _Failure(
            1, "not_migrated", "the database is older than this version; run `amity migrate`"
        )
    if isinstance(error, OSError) and error.filename:
        return _Failure(1, "file", f"{error.filename}: {error.strerror}")
    if type(error).__module__.startswith("psycopg"):
        kind = f"the database refused or failed: {type(error).__name__}"
        return _Failure(1, "database", kind)
    # The one place that may look at the environment itself: settings may be what is broken.
    if os.environ.get("AMITY_LOG_LEVEL", "").upper() == "DEBUG":
        click.echo(traceback.format_exc(), err=True)
    return _Failure(
        1, "bug", f"something went wrong that should not: {type(error).__name__}: {error}"
    )

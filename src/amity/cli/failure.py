"""How the command line says no: one line on stderr and an exit code."""

import traceback
from typing import Final, NamedTuple

import click
import msgspec

from amity.infra.config import settings
from amity.kernel.errors import AmityError

_STATUSES: Final = {"data_cannot_carry": 3}
"""Refusals that scripts tell from other failures: an estimate the data cannot carry."""


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
        return _Failure(_STATUSES.get(error.reason, 1), error.reason, error.message)
    if isinstance(error, click.UsageError):
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _Failure(2, "usage", error.format_message() + hint)
    if isinstance(error, click.ClickException):
        return _Failure(error.exit_code, "failed", error.format_message())
    return _unexpected(error)


def _unexpected(error: Exception) -> _Failure:
    if getattr(error, "sqlstate", None) in {"42P01", "42703"}:
        return _Failure(
            1, "not_migrated", "the database is older than this version; run `amity migrate`"
        )
    if isinstance(error, OSError) and error.filename:
        return _Failure(1, "file", f"{error.filename}: {error.strerror}")
    name = type(error).__name__
    _trace(error)
    if type(error).__module__.startswith("psycopg"):
        # Its text may quote a customer's row, so only its kind is shown.
        return _Failure(1, "database", f"the database refused or failed ({name})")
    return _Failure(1, "bug", f"something went wrong that should not ({name}: {error})")


def _trace(error: Exception) -> None:
    try:
        wanted = settings().log_level == "DEBUG"
    except AmityError:
        return
    if wanted:
        click.echo("".join(traceback.format_exception(error)), err=True)

"""What data is used for, and the exact words customers are asked in: both are data, not code."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, get_args

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts import Channel
from amity.store.contracts_consent import AskedPurpose, LawfulBasis, Notice, Purpose
from amity.store.logic.consent.under_age import GUARDIAN
from amity.store.logic.folding.consumers import raise_epoch

_SQL: Final = queries.load("amity.store")
_KEY: Final = re.compile(r"[a-z][a-z0-9_.]{0,98}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_NOTICE: Final = re.compile(
    r"([a-z][a-z0-9_.]{0,98})@(\d{1,9})(?:/([A-Za-z0-9-]{2,20}))?", re.ASCII
)
_MOST_MONTHS: Final = 1200
_LONGEST_TITLE: Final = 200
_LONGEST_COVERS: Final = 2000
_LONGEST_WORDING: Final = 20_000


def list_purposes(*, connection: Connection | None = None) -> list[Purpose]:
    """Return what data is used for, in the order it is shown."""
    if connection is None:
        with transaction() as own:
            return list_purposes(connection=own)
    return [
        Purpose(
            key=row[0],
            title=row[1],
            covers=row[2],
            channels=row[3],
            basis=row[4],
            needs_consent=row[5],
            expiry_months=row[6],
            is_shown=row[7],
            place=row[8],
            updated_at=row[9],
            updated_by=row[10],
        )
        for row in connection.execute(_SQL["purposes_list"])
    ]


def load_policies(connection: Connection) -> dict[str, Purpose]:
    """Return the purposes by their key."""
    return {purpose.key: purpose for purpose in list_purposes(connection=connection)}


def list_asked() -> list[AskedPurpose]:
    """Return what the preference centre asks about, in its order."""
    with transaction() as connection:
        purposes = [
            each
            for each in list_purposes(connection=connection)
            if each.is_shown and each.key != GUARDIAN  # not hers to say
        ]
        notices = _latest(connection)
    asked = []
    for purpose in purposes:
        notice = notices.get(purpose.key)
        is_same = notice is not None and notice.wording == purpose.covers
        asked.append(
            AskedPurpose(
                key=purpose.key,
                title=purpose.title,
                covers=purpose.covers,
                notice=notice.name if notice is not None and is_same else "",
            )
        )
    return asked


def save_purpose(*, purpose: Purpose, by: str, now: datetime) -> None:
    """Make a purpose or change it; raise Invalid.

    It holds at once: also for what was said before, since the gate looks at the purpose as it is.
    New words in ``covers`` become a new version of the notice of the same key.
    """
    checked = _check(purpose)
    with transaction() as connection:
        values = msgspec.structs.asdict(checked) | {"now": now, "by": by}
        connection.execute(_SQL["purposes_save"], values)
        latest = _latest(connection).get(checked.key)
        if checked.covers and (latest is None or latest.wording != checked.covers):
            _add(connection, checked.key, "en", checked.covers, (now, by))
        # What other processes keep of people was judged by the purpose as it was.
        raise_epoch(connection)


def _check(purpose: Purpose) -> Purpose:
    title, covers = purpose.title.strip(), purpose.covers.strip()
    months = purpose.expiry_months
    faults = (
        (not _KEY.fullmatch(purpose.key), "a purpose's key has small letters, digits, _ and dots"),
        (not 0 < len(title) <= _LONGEST_TITLE, "say in a few words what the purpose is"),
        (len(covers) > _LONGEST_COVERS, f"what it covers may have {_LONGEST_COVERS} characters"),
        (purpose.basis not in get_args(LawfulBasis), "this is no lawful basis"),
        (not set(purpose.channels) <= set(get_args(Channel)), "this is no channel"),
        (
            months is not None and not 0 < months <= _MOST_MONTHS,
            f"a consent lasts 1 to {_MOST_MONTHS} months, or has no end",
        ),
        (
            purpose.basis == "consent" and not purpose.needs_consent,
            "with consent as its basis a purpose needs consent",
        ),
    )
    for is_wrong, words in faults:
        if is_wrong:
            raise Invalid(words, code="bad_purpose")
    return msgspec.structs.replace(
        purpose, title=title, covers=covers, channels=sorted(set(purpose.channels))
    )


def list_notices(*, key: str = "") -> list[Notice]:
    """Return all versions of the notices, by key, the latest first."""
    with transaction() as connection:
        return _notices(connection.execute(_SQL["notices_list"], {"key": key}).fetchall())


def latest_notices(*, connection: Connection | None = None) -> dict[str, Notice]:
    """Return the latest version of each notice in English, by key."""
    if connection is None:
        with transaction() as own:
            return latest_notices(connection=own)
    return _latest(connection)


def _latest(connection: Connection) -> dict[str, Notice]:
    found = _notices(connection.execute(_SQL["notices_latest"]).fetchall())
    return {notice.key: notice for notice in found}


def add_notice(*, key: str, language: str, wording: str, by: str, now: datetime) -> Notice:
    """Write a new version of a notice; what was there stays as it is. Raises Invalid."""
    text = wording.strip()
    if not _KEY.fullmatch(key):
        raise Invalid("a notice's key has small letters, digits, _ and dots", code="bad_notice")
    if not _LANGUAGE.fullmatch(language):
        raise Invalid("a language is written like `en` or `pt-BR`", code="bad_language")
    if not 0 < len(text) <= _LONGEST_WORDING:
        raise Invalid(f"a notice has 1 to {_LONGEST_WORDING} characters", code="bad_notice")
    with transaction() as connection:
        return _add(connection, key, language, text, (now, by))


def _add(
    connection: Connection, key: str, language: str, wording: str, made: tuple[datetime, str]
) -> Notice:
    values: dict[str, Any] = {"key": key, "language": language, "wording": wording}
    values |= {"now": made[0], "by": made[1]}
    return _notices(connection.execute(_SQL["notices_add"], values).fetchall())[0]


def find_notice(*, name: str) -> Notice | None:
    """Return the notice a record names (`marketing.email@3`), or None when it is none of ours."""
    found = _NOTICE.fullmatch(name)
    if found is None:
        return None
    arguments = [found[1], int(found[2]), found[3] or "en"]
    with transaction() as connection:
        rows = connection.execute(_SQL["notices_get"], arguments).fetchall()
    return _notices(rows)[0] if rows else None


def get_purpose(*, key: str) -> Purpose:
    """Return a purpose; raise NotFound."""
    with transaction() as connection:
        policies = load_policies(connection)
    if key not in policies:
        raise NotFound("there is no such purpose", code="no_purpose")
    return policies[key]


def _notices(rows: Iterable[tuple[Any, ...]]) -> list[Notice]:
    return [
        Notice(
            key=row[0],
            version=row[1],
            language=row[2],
            wording=row[3],
            sha256=row[4],
            created_at=row[5],
            created_by=row[6],
        )
        for row in rows
    ]

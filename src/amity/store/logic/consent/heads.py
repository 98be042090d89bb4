"""Signed heads of the consent ledger, and their copy outside the database.

`consent_heads.jsonl` in the data folder gets a line now and then, `consent_head.json` is the newest
head and is replaced with every turn that wrote something. The files are written after the commit:
they may be behind the database, never ahead of it. So a database that is behind its file has lost
records, or is an older copy. Copy the folder elsewhere, and whoever owns this machine cannot hide
it either.
"""

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from amity.infra import signing
from amity.infra.config import settings
from amity.store.contracts_consent import SignedHead
from amity.store.logic.consent.chain import head_message

EVERY_RECORDS: Final = 1000
EVERY: Final = timedelta(hours=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LINE: Final = msgspec.json.Decoder(SignedHead)


def sign_head(record_id: int, digest: bytes, now: datetime) -> SignedHead:
    """Return a head of the chain with the installation's signature."""
    signature = signing.sign(head_message(record_id, digest.hex(), now))
    return SignedHead(
        record_id=record_id,
        hash=digest.hex(),
        signed_at=now,
        signature=base64.b64encode(signature).decode(),
    )


def newest_path() -> Path:
    """Return where the newest head lies."""
    return settings().data / "consent_head.json"


def kept_path() -> Path:
    """Return where the heads are that are kept for good."""
    return settings().data / "consent_heads.jsonl"


def read_newest() -> SignedHead | None:
    """Return the newest head that was copied outside; None without one that can be read."""
    try:
        return _LINE.decode(newest_path().read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def read_kept() -> Iterator[SignedHead]:
    """Return all heads that were copied outside, the newest included; broken lines are heads too.

    A line that cannot be read was tampered with or cut off: it is given back unsigned, so that
    the check fails.
    """
    try:
        lines = kept_path().read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    for line in filter(bytes.strip, lines):
        try:
            yield _LINE.decode(line)
        except msgspec.DecodeError:
            yield SignedHead(record_id=1, hash="", signed_at=_NEVER, signature="")
    newest = read_newest()
    if newest is not None:
        yield newest


def keep(head: SignedHead) -> None:
    """Add a head to those that are kept."""
    path = kept_path()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(head) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def put_newest(head: SignedHead) -> None:
    """Replace the newest head, whole or not at all."""
    path = newest_path()
    draft = path.with_name(f".consent_head.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(head))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

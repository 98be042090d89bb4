"""The restore fence (rule D53): a restored copy sends nothing until an operator says so.

The database holds an epoch and a sequence that rises with every group of messages that goes on
the wire. A file beside the database, `sending.json`, holds both as well, and which database and
which file it is itself. So each kind of copy is told apart: the database without the file, the
folder as a whole (the file is another file then), and an older database under the same file (its
sequence is behind).
"""

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from amity.broadcast.contracts import SendingState
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction

_SQL: Final = queries.load("amity.broadcast")
_PREFIX: Final = b'{"progress":"'
_DIGITS: Final = 20
_MACHINE: Final = Path("/etc/machine-id")


class FenceFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `sending.json` says; ``progress`` is written in place, so it has a fixed width."""

    progress: str
    epoch: int
    system_identifier: int
    device: int
    inode: int
    machine: str


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether messages may leave now, and what the gate compares when they do."""

    is_armed: bool
    is_stopped: bool
    words: str
    epoch: int
    progress: int
    changed_by: str
    changed_at: datetime
    copied_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Say whether anything may be claimed."""
        return self.is_armed and not self.is_stopped


def fence_path() -> Path:
    """Return where the file lies."""
    return settings().data / "sending.json"


def read_file() -> FenceFile | None:
    """Return what the file says; None when it is not there, not whole, or a copy of the file."""
    try:
        with fence_path().open("rb") as file:
            found = msgspec.json.decode(file.read(), type=FenceFile)
            status = os.fstat(file.fileno())
    except (OSError, msgspec.MsgspecError):
        return None
    is_itself = (status.st_dev, status.st_ino) == (found.device, found.inode)
    return found if is_itself and found.machine == _machine() else None


def _machine() -> str:
    with suppress(OSError):
        return _MACHINE.read_text("utf-8").strip()
    return ""


def _write_file(*, epoch: int, system_identifier: int, progress: int) -> None:
    """Put a new file in place; it knows its own number, which a copy of it does not have."""
    path = fence_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".sending.{os.getpid()}.{secrets.token_hex(4)}")
    with draft.open("xb") as file:
        status = os.fstat(file.fileno())
        content = FenceFile(
            progress=f"{progress:0{_DIGITS}d}",
            epoch=epoch,
            system_identifier=system_identifier,
            device=status.st_dev,
            inode=status.st_ino,
            machine=_machine(),
        )
        file.write(msgspec.json.encode(content) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def advance_file(progress: int) -> None:
    """Raise the number in the file; an error here costs nothing but some strictness."""
    with suppress(OSError):
        descriptor = os.open(fence_path(), os.O_RDWR)
        try:
            held = os.pread(descriptor, len(_PREFIX) + _DIGITS, 0)
            if held.startswith(_PREFIX) and int(held[len(_PREFIX) :]) < progress:
                os.pwrite(descriptor, b"%0*d" % (_DIGITS, progress), len(_PREFIX))
        finally:
            os.close(descriptor)


def check(connection: Connection) -> Fence:
    """Return whether messages may leave, as the database and the file say together."""
    # The file first: both numbers only rise, and the database's always before the file's.
    file = read_file()
    row = connection.execute(_SQL["fence_read"]).fetchone()
    assert row is not None
    epoch, is_stopped, changed_by, changed_at, copied_at, progress, system = row
    problem = _find_problem(file, epoch, progress, system)
    words = problem or ("Sending was stopped by hand." if is_stopped else "Messages may leave.")
    return Fence(
        is_armed=not problem,
        is_stopped=is_stopped,
        words=words,
        epoch=epoch,
        progress=0 if file is None else int(file.progress),
        changed_by=changed_by,
        changed_at=changed_at,
        copied_at=copied_at,
    )


def _find_problem(file: FenceFile | None, epoch: int, progress: int, system: int) -> str:
    """Say how the database and the file do not belong together; "" when they do."""
    found = ""
    if epoch == 0:
        found = "Sending was never armed here."
    elif file is None:
        found = "This database or its folder is a copy."
    elif (file.epoch, file.system_identifier) != (epoch, system):
        found = "This is another database than the one that last sent from here."
    elif int(file.progress) > progress:
        found = "This database is older than the last message that left: it was restored."
    return f"{found} Nothing is sent until you arm sending." if found else ""


def arm_new_installation(*, now: datetime) -> bool:
    """Arm an installation that never sent anything; say whether it was one.

    Nothing else arms by itself: where there is a file, or a database that was armed before, an
    operator decides.
    """
    with transaction() as connection:
        row = connection.execute(_SQL["fence_lock"]).fetchone()
        if row is None or row[0] != 0 or fence_path().exists():
            return False
        _arm(connection, by="amity", now=now)
    return True


def arm(*, by: str, now: datetime, keep_overdue: bool) -> Fence:
    """Let messages leave from here; see `api.arm_sending`."""
    with transaction() as connection:
        connection.execute(_SQL["fence_lock"])
        before = check(connection)
        if before.is_armed:
            return before
        connection.execute(_SQL["fence_doubt"], {"now": now})
        if not keep_overdue:
            limit = {"now": now, "before": before.copied_at or now}
            connection.execute(_SQL["fence_expire"], limit)
        connection.execute(_SQL["fence_free"])
        _arm(connection, by=by, now=now)
        return check(connection)


def _arm(connection: Connection, *, by: str, now: datetime) -> None:
    # Not one more than before: another copy that is armed as well must not look like this one.
    epoch = secrets.randbits(62) + 1
    connection.execute(_SQL["fence_arm"], {"epoch": epoch, "by": by, "now": now})
    row = connection.execute(_SQL["fence_read"]).fetchone()
    assert row is not None
    # Before the commit: when that fails the file fits nothing, which is the safe side.
    _write_file(epoch=epoch, system_identifier=row[6], progress=row[5])


def note_copy(connection: Connection, *, now: datetime) -> None:
    """Remember since when it has been known that this is a copy."""
    connection.execute(_SQL["fence_note_copy"], {"now": now})


def set_stopped(*, is_stopped: bool, by: str, now: datetime) -> None:
    """Set or lift the panic stop; when this returns, no further message goes on the wire."""
    with transaction() as connection:
        connection.execute(_SQL["fence_stop"], {"is_stopped": is_stopped, "by": by, "now": now})


def describe(*, now: datetime) -> SendingState:
    """Return whether messages may leave, where they go and what waits; see `api.sending_state`."""
    with transaction() as connection:
        held = check(connection)
        before = held.copied_at or now
        counts: Any = connection.execute(_SQL["fence_waiting"], {"before": before}).fetchone()
    relay = settings().smtp_url
    return SendingState(
        is_armed=held.is_armed,
        is_stopped=held.is_stopped,
        words=held.words,
        goes_to="mailbox" if relay is None else "relay",
        relay="" if relay is None else relay.rpartition("@")[2].rpartition("//")[2],
        queued=counts[0],
        overdue=0 if held.is_armed else counts[1],
        changed_by=held.changed_by,
        changed_at=held.changed_at,
    )

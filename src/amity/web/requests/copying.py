"""Putting a copy of a customer's data together: one ZIP, for her to read and for programs.

`index.html` is for people; `data.json` and one CSV file a table are for programs. Rows go from the
database to the files a few hundred at a time, so memory does not grow with what is held.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.store import api as store
from amity.store import api_requests as requests
from amity.store.contracts_requests import Held, Request
from amity.web.requests.reading_copy import CopyPage

_ONE_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CHUNK: Final = 1 << 20


def make_copies(*, now: datetime) -> int:
    """Make one copy that waits, if any; for the worker."""
    return requests.make_copies(maker=make_copy, now=now)


def make_copy(request: Request, profile_id: int, copy_id: int) -> requests.Made:
    """Write the ZIP of a request, as of one moment; what is half done leaves nothing behind."""
    folder = requests.work_folder(copy_id)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    draft = folder / "copy.zip"
    try:
        with transaction() as connection:
            connection.execute(_ONE_MOMENT)
            rows = _Writer(connection, request, folder).write(draft, profile_id)
        made = requests.Made(
            path=requests.copy_path(copy_id),
            bytes=draft.stat().st_size,
            sha256=_digest(draft),
            rows=rows,
        )
        draft.chmod(0o600)
        draft.replace(made.path)
        return made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Writer:
    """Writes one copy; two files lie beside the ZIP until they are put into it."""

    def __init__(self, connection: Connection, request: Request, folder: Path) -> None:
        self._connection = connection
        self._request = request
        self._folder = folder
        self._made_at = datetime.now(UTC)
        self._counts: dict[str, int] = {}

    def write(self, draft: Path, profile_id: int) -> int:
        """Write all of it; return how many rows are in it."""
        person = requests.read_person(self._connection, profile_id)
        json_path, page_path = self._folder / "data.json", self._folder / "index.html"
        about = self._about(profile_id)
        with (
            ZipFile(draft, "w", ZIP_DEFLATED) as archive,
            json_path.open("wb") as document,
            page_path.open("w", encoding="utf-8") as page,
        ):
            shown = CopyPage(page, about)
            document.write(b'{"about":' + msgspec.json.encode(about) + b',"tables":{')
            for number, held in enumerate(
                requests.iter_held(self._connection, person, self._request.kind)
            ):
                document.write(b"," if number else b"")
                self._counts[held.table] = self._write_table(archive, document, shown, held)
            document.write(b"}}")
            shown.end()
            document.close()
            page.close()
            self._write_rest(archive, profile_id)
            archive.write(page_path, "index.html")
            archive.write(json_path, "data.json")
        return sum(self._counts.values())

    def _about(self, profile_id: int) -> dict[str, Any]:
        using = settings()
        is_whole = self._request.kind == "access"
        return {
            "kind": self._request.kind,
            "request_id": self._request.request_id,
            "profile_id": profile_id,
            "made_at": format_instant(self._made_at),
            "controller": {
                "name": using.mail_from_name,
                "contact": using.mail_from,
                "address": using.postal_address,
            },
            "holds": _ALL if is_whole else _PROVIDED,
            "purposes": [
                {"purpose": each.key, "title": each.title, "covers": each.covers}
                | {"lawful_basis": each.basis}
                for each in store.list_purposes()
            ],
            "left_out": requests.LEFT_OUT if is_whole else {},
            "rights": _RIGHTS,
        }

    def _write_table(
        self, archive: ZipFile, document: IO[bytes], page: CopyPage, held: Held
    ) -> int:
        """Write the rows of one table to all three; return how many."""
        head = {"holds": held.holds, "columns": held.columns}
        document.write(
            msgspec.json.encode(held.table) + b":" + msgspec.json.encode(head)[:-1] + b',"rows":['
        )
        page.begin_table(held)
        count = 0
        with archive.open(f"csv/{held.table}.csv", "w") as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
            cells = csv.writer(text)
            cells.writerow(held.columns)
            for row in held.rows:
                document.write((b"," if count else b"") + msgspec.json.encode(row))
                cells.writerow([guard_cell(_cell(row.get(name))) for name in held.columns])
                page.add_row(row)
                count += 1
            text.flush()
            text.detach()
        document.write(b"]}")
        page.end_table()
        return count

    def _write_rest(self, archive: ZipFile, profile_id: int) -> None:
        receipt = store.make_consent_receipt(profile_id=profile_id, now=self._made_at)
        signed = msgspec.json.format(msgspec.json.encode(receipt), indent=1)
        archive.writestr("consent-receipt.json", signed)
        archive.writestr("README.txt", "\n".join(self._read_me()) + "\n")

    def _read_me(self) -> Iterator[str]:
        """Yield the lines that say what is where, and how the JSON is built."""
        yield from _README
        for table, count in self._counts.items():
            yield f"  csv/{table}.csv  {count} rows"
        if self._request.kind == "access":
            yield from ("", "Not in this copy:")
            yield from (f"  {table}: {why}" for table, why in requests.LEFT_OUT.items())
        else:
            yield from ("", _PROVIDED)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_ALL: Final = "Everything that is held about you, as it lies in our tables."
_PROVIDED: Final = (
    "What you gave us and what was recorded of you, to take elsewhere (GDPR Art. 20). What we "
    "worked out from it, such as scores, segments, visits and decisions, is not in it: ask for "
    "access to see that."
)
_RIGHTS: Final = (
    "You can have wrong data corrected, data deleted or its use restricted, object to its use, "
    "and complain to your data protection authority."
)
_README: Final = (
    "A copy of your data",
    "",
    "  index.html            to read; open it in any browser, print it if you like",
    "  data.json             the same for programs, UTF-8: {about, tables}; of each table",
    "                        {holds, columns, rows}, a row being an object by column",
    "  csv/                  the same as tables, UTF-8 with commas; a cell that a spreadsheet",
    "                        would compute begins with an apostrophe that is not part of it",
    "  consent-receipt.json  what you agreed to and refused, signed",
    "",
    "Moments are in UTC. Tables:",
)

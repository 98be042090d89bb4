"""Segments as JSON lines: one object a customer."""

import os
from collections.abc import Sequence
from typing import IO

import msgspec

from amity.store.destination import DESTINATIONS, Cell, FileDestination


@DESTINATIONS.register("jsonl")
class JsonLinesFile(FileDestination):
    """A file with one JSON object a line."""

    name = "jsonl"
    title = "JSON lines file"
    description = "A file for programs, one object a line, kept for seven days."
    ending = "jsonl"
    _file: IO[bytes]

    def begin(self) -> None:
        self._file = os.fdopen(self.open_draft(), "wb")

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        for row in rows:
            line = msgspec.json.encode(dict(zip(self.job.columns, row, strict=True)))
            self._file.write(line + b"\n")

    def finish(self) -> str:
        self._file.close()
        return self.publish()

    def abandon(self) -> None:
        self._file.close()
        super().abandon()

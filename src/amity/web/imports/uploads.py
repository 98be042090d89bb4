"""Files on their way up: streamed to disk, cut off at the cap, kept until they are imported.

A draft is named by a random token. The session of whoever uploaded it remembers the token, so
nobody else can look at the file.
"""

import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

from amity.infra.config import settings
from amity.kernel.errors import NotFound

_TOKEN: Final = re.compile(r"[0-9a-f]{32}\Z")
_SESSION: Final = "import_drafts"
_MOST_DRAFTS: Final = 20


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file that is not an import yet."""

    token: str
    file_name: str
    path: Path


class KeptFile(UploadedFile):  # type: ignore[type-arg]  # generic in its stubs alone
    """An uploaded file as it lies in the folder of drafts."""

    def __init__(self, path: Path, name: str, size: int) -> None:
        super().__init__(file=None, name=name, size=size)
        self.path = path


class StreamToDisk(FileUploadHandler):
    """Writes the one file of a request to the folder of drafts, and stops at the cap."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.is_too_large = False
        self._size = 0
        self._out: BinaryIO | None = None
        self._path: Path | None = None

    def new_file(self, *args: object, **kwargs: object) -> None:
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        if self._path is not None:
            raise StopUpload(connection_reset=True)
        self._path = drafts_folder() / f"{secrets.token_hex(16)}.csv"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._out = os.fdopen(descriptor, "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > settings().max_import_bytes:
            self.is_too_large = True
            self.upload_interrupted()
            raise StopUpload(connection_reset=True)
        if self._out is not None:
            self._out.write(raw_data)

    def file_complete(self, file_size: int) -> KeptFile | None:
        if self._out is None or self._path is None:
            return None
        self._out.close()
        return KeptFile(self._path, self.file_name or "file.csv", self._size)

    def upload_interrupted(self) -> None:
        if self._out is not None:
            self._out.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def drafts_folder() -> Path:
    """Return the folder of uploaded files that are not imports yet, made when needed."""
    folder = settings().data / "imports" / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def remember(request: HttpRequest, kept: KeptFile) -> Draft:
    """Note in the session that this person uploaded this file."""
    drafts = dict(request.session.get(_SESSION, {}))
    drafts[kept.path.stem] = kept.name or "file.csv"
    request.session[_SESSION] = dict(list(drafts.items())[-_MOST_DRAFTS:])
    return get_draft(request, kept.path.stem)


def get_draft(request: HttpRequest, token: str) -> Draft:
    """Return a file this person uploaded; raise NotFound when it is not there or not theirs."""
    name = request.session.get(_SESSION, {}).get(token)
    path = drafts_folder() / f"{token}.csv"
    if name is None or not _TOKEN.match(token) or not path.is_file():
        raise NotFound("this upload is not kept any more; choose the file again")
    return Draft(token=token, file_name=name, path=path)


def forget(request: HttpRequest, draft: Draft) -> None:
    """Delete an uploaded file and the note of it."""
    draft.path.unlink(missing_ok=True)
    drafts = dict(request.session.get(_SESSION, {}))
    drafts.pop(draft.token, None)
    request.session[_SESSION] = drafts

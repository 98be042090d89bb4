"""Files that name somebody: uploads, finished imports and exports are deleted when they do.

Text is searched as it lies there, small and large letters alike; archives and tables that cannot
be searched so are deleted too: they are kept for a week as it is, for nobody's need but comfort.
"""

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.store")
_FOLDERS: Final = ("imports", "exports")
_UNSEARCHABLE: Final = (b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")
_CHUNK: Final = 1 << 20
_SHORTEST: Final = 6


def erase_files(values: list[str]) -> int:
    """Delete the files that name one of these identifiers; return how many.

    An import of such a file that is still under way is cancelled: else it would bring them back.
    """
    needles = sorted(_needles(values))
    gone = [path for path in _files() if _is_named_in(path, needles)]
    own = [int(path.stem) for path in gone if path.parent.name == "imports" and path.stem.isdigit()]
    if own:
        with transaction() as connection:
            connection.execute(_SQL["erasure_forget_imports"], {"ids": own})
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _files() -> Iterator[Path]:
    for name in _FOLDERS:
        folder = settings().data / name
        if folder.is_dir():
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _needles(values: Iterable[str]) -> set[bytes]:
    texts = {value.casefold() for value in values if len(value) >= _SHORTEST}
    # A number that is written with its country may stand in a file without.
    texts |= {value[1:] for value in texts if value.startswith("+")}
    return {text.encode(encoding) for text in texts for encoding in ("utf-8", "utf-16-le")}


def _is_named_in(path: Path, needles: list[bytes]) -> bool:
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return False
            if file.read(4).startswith(_UNSEARCHABLE):
                return True
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                overlap = max(map(len, needles), default=1)
                for start in range(0, len(whole), _CHUNK):
                    piece = whole[start : start + _CHUNK + overlap].lower()
                    if any(needle in piece for needle in needles):
                        return True
    except FileNotFoundError:
        return False
    return False

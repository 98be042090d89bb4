"""Named SQL: queries live in .sql files beside the code that calls them."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


class Queries:
    """The queries of one package's `sql` folder, by the name in their `-- name:` line."""

    def __init__(self, package: str) -> None:
        self._texts: dict[str, bytes] = {}
        for entry in sorted(files(package).joinpath("sql").iterdir(), key=lambda path: path.name):
            if entry.name.endswith(".sql"):
                self._add(entry.name, entry.read_text("utf-8"))

    def _add(self, file: str, text: str) -> None:
        pieces = _NAME.split(text)
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
            if name in self._texts:
                raise ValueError(f"{file}: the query {name!r} is there twice")
            self._texts[name] = body.strip().rstrip(";").encode()

    def __getitem__(self, name: str) -> bytes:
        return self._texts[name]

    def __contains__(self, name: str) -> bool:
        return name in self._texts


@cache
def load(package: str) -> Queries:
    """Return the named queries of ``package``, read once."""
    return Queries(package)

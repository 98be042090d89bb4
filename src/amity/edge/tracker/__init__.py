"""Our own tracker for web pages, `amity.js`, as it is served: without indentation and comments.

What stands in the file is what runs, else line by line: a failure in a browser can be looked up.
"""

import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from amity.edge.http import Exchange, Refusal, Scope

LATEST: Final = "/amity.js"
"""The address that always has the newest version."""

_NAMED: Final = re.compile(r"/amity-[0-9a-f]{12}\.js")
_COMMENT: Final = re.compile(r"^[ \t]*/\*.*?\*/[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADERS: Final = (
    ("content-type", "text/javascript; charset=utf-8"),
    ("x-content-type-options", "nosniff"),
    # Any shop's page may load it, also one that is isolated or that checks its hash.
    ("access-control-allow-origin", "*"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("vary", "accept-encoding"),
)
_AN_HOUR: Final = ("cache-control", "public, max-age=3600, stale-while-revalidate=86400")
_FOR_EVER: Final = ("cache-control", "public, max-age=31536000, immutable")


class Script(msgspec.Struct, frozen=True):
    """The tracker as it is served; ``etag`` is the same wherever its text is."""

    body: bytes
    packed: bytes
    etag: str

    @property
    def path(self) -> str:
        """Return the address of this very version, which may be kept for ever."""
        return f"/amity-{self.etag}.js"


@cache
def script() -> Script:
    """Return the tracker."""
    source = files("amity.edge").joinpath("tracker", "amity.js").read_text("utf-8")
    body = strip(source).encode()
    return Script(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:12])


def strip(source: str) -> str:
    """Leave out indentation, empty lines, and comments that have lines of their own.

    It knows no JavaScript: the source has no text over several lines.
    """
    lines = (line.strip() for line in _COMMENT.sub("", source).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def is_tracker(path: str) -> bool:
    """Say whether an address is the tracker's, of whatever version."""
    return path == LATEST or (path.startswith("/amity-") and _NAMED.fullmatch(path) is not None)


def answer(scope: Scope, exchange: Exchange, path: str) -> None:
    """Answer a GET or HEAD; raises Refusal for a version that is not served any more."""
    found = script()
    if path not in {LATEST, found.path}:
        raise Refusal(404, "not_found", f"the tracker is at {LATEST}")
    tag = f'"{found.etag}"'
    headers = [*_HEADERS, ("etag", tag), _AN_HOUR if path == LATEST else _FOR_EVER]
    if _is_known(scope.headers.get("if-none-match"), tag):
        exchange.response_empty(304, headers)
        return
    body = found.body
    if "gzip" in (scope.headers.get("accept-encoding") or "").lower():
        headers.append(("content-encoding", "gzip"))
        body = found.packed
    exchange.response_bytes(200, headers, b"" if scope.method == "HEAD" else body)


def _is_known(asked: str | None, tag: str) -> bool:
    """Say whether the browser has it already; a proxy that packs makes the tag a weak one."""
    if not asked:
        return False
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in asked.split(","))

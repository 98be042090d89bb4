"""What mail servers answer (RFC 5321, 3463), read and judged. Pure."""

import re
from typing import Final, Literal

import msgspec

_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
LONGEST_LINE: Final = 4096
MOST_LINES: Final = 200

# SAFETY 3.5: these say that the address is none, and none will come of it.
_HARD: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1"})
_FULL: Final = frozenset({"5.2.2", "4.2.2"})
# What is refused is everything this sender sends: authentication, reverse names, reputation.
_SENDER_WIDE: Final = frozenset(
    {"5.7.15", "5.7.509", "5.7.515", *(f"5.7.{number}" for number in range(20, 30))}
)

Bounce = Literal["", "hard", "full", "policy", "sender_policy"]


class Reply(msgspec.Struct, frozen=True):
    """One reply: a code, its enhanced code when there is one, and the words in one line."""

    code: int
    enhanced: str
    text: str
    lines: list[str]

    @property
    def said(self) -> str:
        """Return the code that says most."""
        return self.enhanced or str(self.code)


class BadReply(Exception):
    """What came is not SMTP."""


class ReplyReader:
    """Puts replies together from bytes as they come; bounded, whatever the server sends."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is half read."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that are complete now; raise BadReply."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            raise BadReply("a line without end")
        return [reply for line in lines if (reply := self._take(line.rstrip(b"\r"))) is not None]

    def _take(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line[:LONGEST_LINE])
        if found is None or len(self._lines) > MOST_LINES:
            raise BadReply(f"not a reply: {line[:80]!r}")
        words = (found[3] or b"").decode("utf-8", "replace")
        if not words.isprintable():
            words = "".join(c if c.isprintable() else " " for c in words)
        self._lines.append(words)
        if found[2] == b"-":
            return None
        lines, self._lines = self._lines, []
        return _make(int(found[1]), lines)


def _make(code: int, lines: list[str]) -> Reply:
    enhanced = _ENHANCED.match(lines[0])
    # An enhanced code of another class than the reply's says nothing.
    is_fitting = enhanced is not None and enhanced[1] == str(code)[0]
    text = f"{code} {' '.join(lines)}".strip()
    return Reply(code, enhanced[0] if enhanced and is_fitting else "", text, lines)


def judge_bounce(said: str) -> Bounce:
    """Return what a refusal means: the address is none, full, or it is the sender's fault.

    ``said`` is an enhanced code, or the plain one of a server without them.
    """
    if said in _HARD:
        return "hard"
    if said in _FULL or said in {"452", "552"}:
        return "full"
    if said in _SENDER_WIDE:
        return "sender_policy"
    if said.startswith(("5.7.", "4.7.")):
        return "policy"
    return ""

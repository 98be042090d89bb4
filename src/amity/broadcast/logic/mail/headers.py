"""Mail headers: our own encoder, and the guard that keeps merge values from becoming headers.

Python 3.11.7 decodes encoded words in a header value when it writes the header, so that
`=?utf-8?q?a=0D=0ABcc:_x@y?=` in a first name adds a recipient (CVE-2024-6923). Here values never
become more than one header: control characters are taken out, encoded words that a value brings
along are decoded and taken for text, and what is not plain is encoded as a whole.
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from amity.broadcast.logic.liquid.values import RenderFailed

# C0, DEL, C1, and what some readers take for the end of a line.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_WORD: Final = re.compile(r"=\?([\w!#$%&'*+\-^`{}~.]+)(?:\*[\w-]*)?\?([bBqQ])\?([^?]*)\?=")
_PLAIN: Final = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_ATOMS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*"
)
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_LONGEST_LINE: Final = 76
_LONGEST_TEXT: Final = 800
_WORD_BYTES: Final = 39  # 64 characters, so that a line of 76 has room for the header's name
_LONGEST_ADDRESS: Final = 254


def clean(value: str) -> str:
    """Return a value as one line of text, with nothing in it that a mail program would act on."""
    for _ in range(3):
        if "=?" not in value:
            break
        value = _WORD.sub(_decoded, value)
    value = _CONTROLS.sub(" ", value).strip()
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value[:_LONGEST_TEXT]


def _decoded(match: "re.Match[str]") -> str:
    charset, encoding, text = match.groups()
    try:
        if encoding in "bB":
            raw = base64.b64decode(text + "=" * (-len(text) % 4))
        else:
            raw = binascii.a2b_qp(text.encode("ascii", "replace"), header=True)
        return _CONTROLS.sub(" ", raw.decode(charset, "replace"))
    except (LookupError, ValueError):
        return " "


def encode_text(value: str, *, name_length: int = 9) -> bytes:
    """Return a cleaned value as the body of a header: as it is, or in encoded words (RFC 2047)."""
    if (
        len(value) <= _LONGEST_LINE - name_length
        and "=?" not in value
        and _PLAIN.fullmatch(value) is not None
    ):
        return value.encode("ascii")
    return _words(value)


def encode_phrase(value: str) -> bytes:
    """Return a cleaned value as the name before an address."""
    if _ATOMS.fullmatch(value) is not None and "=?" not in value and len(value) <= _LONGEST_LINE:
        return value.encode("ascii")
    return _words(value)


def _words(value: str) -> bytes:
    """Return encoded words, each of whole characters, on lines of their own."""
    words: list[bytes] = []
    chunk = b""
    for character in value:
        raw = character.encode("utf-8")
        if len(chunk) + len(raw) > _WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += raw
    words.append(chunk)
    return b"\r\n ".join(
        b"=?utf-8?b?" + binascii.b2a_base64(word, newline=False) + b"?=" for word in words if word
    )


def check_address(address: str) -> str:
    """Return an address as it goes into a header and an envelope; raises RenderFailed otherwise."""
    local, at, domain = address.rpartition("@")
    if at and not domain.isascii():
        try:
            address = f"{local}@{domain.encode('idna').decode()}"
        except UnicodeError:
            raise RenderFailed("the address's domain is not one") from None
    if not local.isascii():
        raise RenderFailed("the address has letters that mail servers cannot be expected to take")
    if len(address) > _LONGEST_ADDRESS or _ADDRESS.fullmatch(address) is None:
        raise RenderFailed("the address cannot be written to")
    return address


def encode_date(moment: datetime) -> bytes:
    """Return a moment as the `Date` header has it."""
    return format_datetime(moment.astimezone(UTC)).encode("ascii")

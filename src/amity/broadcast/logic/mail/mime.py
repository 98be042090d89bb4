"""The body of a message: text and HTML side by side, in lines that every server passes on."""

import binascii
from typing import Final

_QP: Final = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
_TEXT: Final = b"Content-Type: text/plain; charset=utf-8\r\n" + _QP
_HTML: Final = b"Content-Type: text/html; charset=utf-8\r\n" + _QP


def encode(text: str) -> bytes:
    """Return text as quoted-printable: no line is longer than 76, and each ends in CRLF."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    coded = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True)
    return coded.replace(b"\n", b"\r\n")


def build_body(text: str, html: str, boundary: bytes) -> bytes:
    """Return a multipart/alternative body. ``boundary`` begins with `=_`, which no part can."""
    mark = b"--" + boundary
    return b"".join(
        (
            mark,
            b"\r\n",
            _TEXT,
            encode(text),
            b"\r\n",
            mark,
            b"\r\n",
            _HTML,
            encode(html),
            b"\r\n",
            mark,
            b"--\r\n",
        )
    )

"""Signing messages (DKIM, RFC 6376): rsa-sha256, relaxed/relaxed, the whole body."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from amity.infra.keeping import keep_once
from amity.kernel.errors import Unavailable

Header = tuple[bytes, bytes]
"""A name and the body as written, folds included."""

SIGNED: Final = (
    b"From",
    b"From",
    b"To",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"Reply-To",
    b"MIME-Version",
    b"Content-Type",
    b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
    b"List-Id",
    b"Feedback-ID",
)
"""`From` twice: a second one cannot be added. A name that is not there may not be added either."""
_BITS: Final = 2048
_PADDING: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()


def load_key(folder: Path, selector: str) -> rsa.RSAPrivateKey:
    """Return the key of a selector, made the first time (RSA-2048, readable by the owner only)."""
    path = folder / "dkim" / f"{selector}.pem"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = keep_once(path, _make_key)
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _BITS:
        raise Unavailable(f"the DKIM key of {selector} is not an RSA key of 2048 bits or more")
    return key


def _make_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_record(key: rsa.RSAPrivateKey) -> str:
    """Return the text of the DNS record by which receivers check the signature."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


@cache
def cached_key(folder: Path, selector: str) -> rsa.RSAPrivateKey:
    """Return the key of a selector, read once in this process."""
    return load_key(folder, selector)


def relax_body(body: bytes) -> bytes:
    """Return a body in the relaxed form that is hashed."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    while body.endswith(b"\r\n\r\n"):
        body = body[:-2]
    return b"" if body == b"\r\n" else body


class Signer:
    """Signs messages of one domain."""

    def __init__(self, key: rsa.RSAPrivateKey, domain: str, selector: str) -> None:
        self._key = key
        self._begin = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector};\r\n t="
        ).encode()
        names = b":".join(SIGNED)
        # Folded where the header would grow longer than a line.
        half = names.index(b":MIME-Version") + 1
        self._names = b";\r\n h=" + names[:half] + b"\r\n " + names[half:] + b";\r\n bh="

    def sign(self, headers: Sequence[Header], body: bytes, at: int) -> tuple[bytes, bytes]:
        """Return the body of the `DKIM-Signature` header and the body's SHA-256.

        ``headers`` must be all there will be of the names in `SIGNED`, each at most once.
        """
        digest = hashlib.sha256(relax_body(body)).digest()
        unsigned = b"".join(
            (self._begin, b"%d" % at, self._names, base64.b64encode(digest), b";\r\n b=")
        )
        found = dict(headers)
        lines = []
        for name in SIGNED:
            value = found.pop(name, None)
            if value is not None:
                lines.append(name.lower() + b":" + b" ".join(value.split()))
        lines.append(b"dkim-signature:" + b" ".join(unsigned.split()))
        signature = base64.b64encode(self._key.sign(b"\r\n".join(lines), _PADDING, _SHA256))
        folded = b"\r\n ".join(signature[i : i + 72] for i in range(0, len(signature), 72))
        return unsigned + folded, digest

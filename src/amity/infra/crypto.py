"""Secrets of one installation, and the few things done with them."""

import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

import msgspec

from amity.infra.config import settings


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation must keep to itself; made once, kept in `secrets.json` (0600)."""

    owner_password: str
    app_password: str
    readonly_password: str
    web_key: str
    pepper: str


def _make() -> Secrets:
    names = Secrets.__struct_fields__
    return Secrets(**{name: secrets.token_urlsafe(32) for name in names})


def load_secrets(folder: Path) -> Secrets:
    """Read the secrets of an installation, making them the first time."""
    path = folder / "secrets.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        made = _make()
        draft = folder / f".secrets.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(made))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # the first of two processes wins; the other reads its file
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return msgspec.json.decode(path.read_bytes(), type=Secrets)


@cache
def _secrets(folder: Path) -> Secrets:
    return load_secrets(folder)


def installation_secrets() -> Secrets:
    """Return the secrets of the installation this process belongs to."""
    return _secrets(settings().data)


def make_token() -> str:
    """Return 256 random bits as text, for keys that are shown once."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a random token: what is stored in its place."""
    return hashlib.sha256(token.encode()).digest()


def pseudonym(text: str) -> str:
    """Return a keyed hash of an identifier, fit for logs and suppression lists."""
    key = installation_secrets().pepper.encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]

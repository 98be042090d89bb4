"""Asking again without doing again: the header `Idempotency-Key` on what writes.

The effect and the answer to it are committed in one transaction, so that there is no moment at
which the one is there and the other is not: a crash in between leaves neither.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse

from amity.infra import database
from amity.infra.crypto import decrypt, encrypt
from amity.web.api.problems import Refusal

HEADER: Final = "Idempotency-Key"
MOST_CHARACTERS: Final = 255
_KEPT: Final = timedelta(days=1)
_HEADERS: Final = ("Content-Type", "Location", "ETag")


def answer_once(
    request: HttpRequest, *, now: datetime, answer: Callable[[], HttpResponse]
) -> HttpResponse:
    """Answer a request with the key in its header: as before, when it was answered before.

    Refusals are not kept: whoever was refused may ask again with the same key.
    """
    key = request.headers[HEADER]
    if not (0 < len(key) <= MOST_CHARACTERS and key.isascii() and key.isprintable()):
        words = f"an {HEADER} has 1 to {MOST_CHARACTERS} printable ASCII characters"
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_idempotency_key", words)
    # Each API key has its own: the header of one that was let in says which it is.
    caller = request.headers["Authorization"].split()[-1]
    key_hash = hashlib.sha256(msgspec.json.encode([caller, key])).digest()
    asked = [request.method, request.get_full_path(), request.headers.get("If-Match")]
    request_hash = hashlib.sha256(msgspec.json.encode(asked) + request.body).digest()
    with _reserved(key_hash) as connection:
        kept = connection.execute(
            "SELECT request_hash, status, headers, content FROM staff_reply WHERE key_hash = %s"
            " AND replied_at > %s",
            [key_hash, now - _KEPT],
        ).fetchone()
        if kept is not None:
            return _again(request_hash, key_hash, *kept)
        with database.joining(connection):
            response = answer()
        row = [key_hash, request_hash, response.status_code, _headers(response), now]
        # One that is too old gives way to the new one; the others go by the rule of retention.
        connection.execute("DELETE FROM staff_reply WHERE key_hash = %s", [key_hash])
        connection.execute(
            "INSERT INTO staff_reply (key_hash, request_hash, status, headers, replied_at, content)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [*row, encrypt(response.content.decode(), about=_place(key_hash))],
        )
        return response


@contextmanager
def _reserved(key_hash: bytes) -> Iterator[database.Connection]:
    """Begin a transaction that has the key for itself; refuse while another has it."""
    with database.transaction() as connection:
        number = int.from_bytes(key_hash[:8], "big", signed=True)
        row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone()
        if row != (True,):
            raise Refusal(
                HTTPStatus.CONFLICT,
                "in_progress",
                f"a request with this {HEADER} is being answered; ask again in a moment",
                headers={"Retry-After": "1"},
            )
        yield connection


def _headers(response: HttpResponse) -> Any:
    kept = {name: response[name] for name in _HEADERS if name in response}
    return msgspec.json.encode(kept).decode()


def _place(key_hash: bytes) -> str:
    # An answer can hold a secret that is shown once, so it lies there encrypted.
    return f"reply.{key_hash.hex()}"


def _again(
    asked: bytes,
    key_hash: bytes,
    request_hash: bytes,
    status: int,
    headers: dict[str, str],
    content: bytes,
) -> HttpResponse:
    if bytes(request_hash) != asked:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            f"this {HEADER} was used for another request; take a new one for each",
        )
    response = HttpResponse(decrypt(bytes(content), about=_place(key_hash)), status=status)
    del response["Content-Type"]
    for name, value in headers.items():
        response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response

"""Who calls: the key in `Authorization: Bearer …`."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from amity.web.api.problems import Refusal
from amity.web.staff.api_keys import ApiKey, find_api_key

_SCHEME: Final = "bearer "
_MAX_LENGTH: Final = 200


def authenticate(header: str | None, *, now: datetime) -> ApiKey:
    """Return the key a request was sent with; a missing, unknown or dead one is a 401."""
    if header is None:
        raise _unknown("this needs an API key: send Authorization: Bearer KEY", error="")
    text = header[len(_SCHEME) :].strip()
    if not header.lower().startswith(_SCHEME) or not 0 < len(text) <= _MAX_LENGTH:
        raise _unknown("send Authorization: Bearer KEY", error="invalid_request")
    key = find_api_key(text=text, now=now) if text.isascii() else None
    if key is None:
        # Unknown, revoked and expired read the same: nothing is learned by trying.
        raise _unknown("this API key is not valid", error="invalid_token")
    return key


def _unknown(detail: str, *, error: str) -> Refusal:
    challenge = 'Bearer realm="amity"' + (f', error="{error}"' if error else "")
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        detail,
        headers={"WWW-Authenticate": challenge},
    )

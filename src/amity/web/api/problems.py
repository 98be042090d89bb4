"""What the API answers when it says no (RFC 9457), and how errors become that."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from amity.kernel.errors import AmityError, Unavailable

CONTENT_TYPE: Final = "application/problem+json"

STATUS_OF_KIND: Final = {
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "denied": HTTPStatus.FORBIDDEN,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
_PLACE: Final = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a request: where, as a JSONPath (`$.rule`), and what."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not done. `code` is stable and meant for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Flaw] = []


class Refusal(Exception):
    """A request that is not done, with the status and headers to say so."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        errors: list[Flaw] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = headers or {}
        self.problem = Problem(
            type=f"urn:amity:problem:{code}",
            title=status.phrase,
            status=status.value,
            detail=detail,
            code=code,
            errors=errors or [],
        )


def refuse(error: AmityError) -> Refusal:
    """Turn an engine's error into the answer its kind stands for."""
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_seconds)
    path = getattr(error, "path", None)
    errors = [Flaw(path=str(path), message=error.message)] if path else []
    return Refusal(
        STATUS_OF_KIND[error.kind], error.reason, error.message, headers=headers, errors=errors
    )


def refuse_invalid(error: msgspec.ValidationError, *, where: str) -> Refusal:
    """Turn a failed validation of ``where`` (the body, the query) into a 422 with its path."""
    match = _PLACE.match(str(error))
    found: dict[str, Any] = match.groupdict() if match else {"message": str(error), "path": None}
    flaw = Flaw(path=found["path"] or "$", message=found["message"])
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"{where} is not as it should be: {flaw.message} (at {flaw.path})",
        errors=[flaw],
    )

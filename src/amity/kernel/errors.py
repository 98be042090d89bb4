"""The one tree of errors: a kind says what went wrong, only the interfaces know HTTP."""

from typing import ClassVar, Literal

Kind = Literal["invalid", "not_found", "conflict", "denied", "unavailable"]


class AmityError(Exception):
    """Anything Amity says no to.

    ``kind`` decides the status an interface answers with; ``code`` is stable and meant for
    programs; the message is meant for people and says what to do.
    """

    kind: ClassVar[Kind] = "invalid"
    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = code or self.code


class Invalid(AmityError):
    """Input that cannot be accepted as it is."""


class NotFound(AmityError):
    """Nothing there, or nothing the caller may see: the two read the same."""

    kind = "not_found"
    code = "not_found"


class Conflict(AmityError):
    """The state has moved on, or something else already holds what is asked for."""

    kind = "conflict"
    code = "conflict"


class Denied(AmityError):
    """The caller is known and may not do this."""

    kind = "denied"
    code = "denied"


class Unavailable(AmityError):
    """Amity cannot do it now; the caller may try again after ``retry_after_seconds``."""

    kind = "unavailable"
    code = "unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: int = 5
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class Retryable(Unavailable):
    """What was called out there did not do it this time and may do it the next."""

    code = "try_again"


class Permanent(AmityError):
    """What was called out there will not do it, however often it is asked."""

    code = "refused_elsewhere"


class NeedsAttention(AmityError):
    """Calling out fails until a person mends something: a certificate, a password, an address."""

    kind = "unavailable"
    code = "needs_attention"

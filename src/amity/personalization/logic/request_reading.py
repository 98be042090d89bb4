"""Reading the body of a request for a decision, strictly: what is misspelt is said, not ignored."""

from typing import Any, Final

import msgspec

from amity.kernel.errors import Denied, Invalid
from amity.personalization.contracts import DecideRequest
from amity.store.contracts import IdentifierKind
from amity.store.hot import BadEvent, is_plain, normalize_identifier, parse_object

_LONGEST: Final = 255
_MOST_CHANNEL: Final = 40
_SMALL_BYTES: Final = 8_192
_SMALL_BRACKETS: Final = 64
# The most telling first: the first that is known says who it is.
_KINDS: Final[tuple[tuple[IdentifierKind, str], ...]] = (
    ("user_id", "userId"),
    ("email", "email"),
    ("phone", "phone"),
    ("anonymous_id", "anonymousId"),
)

Key = tuple[IdentifierKind, str]
_Id = str | int | None


class _Identifiers(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    user_id: _Id = None
    anonymous_id: _Id = None
    email: str | None = None
    phone: _Id = None
    userId: _Id = None
    anonymousId: _Id = None


class _Wire(_Identifiers, forbid_unknown_fields=True):
    placement: str = ""
    identifiers: _Identifiers | None = None
    context: dict[str, Any] | None = None
    channel: str | None = None
    writeKey: str | None = None


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request as read: the question, whom it is about, and the write key if it came inside."""

    request: DecideRequest
    keys: tuple[Key, ...]
    """In the form they are kept in, the most telling first."""
    write_key: str


_DECODER: Final = msgspec.json.Decoder(_Wire)


def read_request(body: bytes) -> Asked:
    """Read a body; raise Invalid for anything that is not a request, with where it is wrong."""
    wire = _decode(body)
    if not wire.placement:
        raise Invalid("name the placement", code="missing_placement")
    if len(wire.placement) > _LONGEST:
        raise Invalid("the placement's key is too long", code="bad_request")
    channel = wire.channel or "web"
    if len(channel) > _MOST_CHANNEL:
        raise Invalid("the channel's name is too long", code="bad_request")
    identifiers, keys = _identify(wire)
    request = DecideRequest(
        placement=wire.placement,
        identifiers=identifiers,
        context=wire.context or {},
        channel=channel,
    )
    return Asked(request, keys, wire.writeKey or "")


def check_public(asked: Asked) -> None:
    """Raise Denied unless the request may come from a browser, whose key everybody can read.

    An anonymous id is a secret of the browser it was made in; whoever knows an e-mail address must
    not learn by it what its owner is shown.
    """
    if asked.request.identifiers.keys() - {"anonymous_id"}:
        raise Denied(
            "a browser source may only name a person by anonymous_id; ask from a server with the "
            "key of a server source",
            code="identifier_not_allowed",
        )


def _decode(body: bytes) -> _Wire:
    small = len(body) <= _SMALL_BYTES and body.count(b"{") + body.count(b"[") <= _SMALL_BRACKETS
    if small and is_plain(body):
        try:
            return _DECODER.decode(body)
        except (msgspec.MsgspecError, ValueError):
            pass  # the long way says what is wrong, or puts right what can be
    try:
        value, _, _ = parse_object(body)
        return msgspec.convert(value, _Wire)
    except BadEvent as error:
        raise Invalid(error.message, code="bad_request") from error
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="bad_request") from error


def _identify(wire: _Wire) -> tuple[dict[str, str], tuple[Key, ...]]:
    found: dict[str, str] = {}
    keys: list[Key] = []
    places = (wire,) if wire.identifiers is None else (wire, wire.identifiers)
    for kind, spelling in _KINDS:
        value = _one_value(places, kind, spelling)
        if value:
            found[kind] = value
            normal = normalize_identifier(kind, value)
            if normal:
                keys.append((kind, normal))
    return found, tuple(keys)


def _one_value(places: tuple[_Identifiers, ...], kind: str, spelling: str) -> str:
    value = ""
    for place in places:
        for name in (kind, spelling):
            given = getattr(place, name)
            if given is None:
                continue
            text = str(given).strip()
            if len(text) > _LONGEST:
                raise Invalid(f"{kind} is too long", code="bad_request")
            if value and text and text != value:
                raise Invalid(f"{kind} is given twice, differently", code="bad_request")
            value = value or text
    return value

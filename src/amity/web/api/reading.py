"""Reading a request: what comes from outside is checked here, once, against the route's types."""

from collections.abc import Iterator
from http import HTTPStatus
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from django.http import HttpRequest

from amity.web.api.problems import Flaw, Refusal, refuse_invalid
from amity.web.api.routing import Route

MAX_BODY_BYTES: Final = 1_048_576
_MAX_PARAMETERS: Final = 100
_MAX_DEPTH: Final = 100


def read_path(route: Route, texts: dict[str, str]) -> dict[str, Any]:
    """Convert a path's parameters; what cannot be an id of anything reads as not found."""
    values = {}
    for name, kind in route.path_types.items():
        text = texts[name]
        try:
            if "\0" in text or not text.isprintable():
                raise msgspec.ValidationError
            values[name] = msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise not_found() from error
    return values


def not_found() -> Refusal:
    """Return the one answer for what is not there, whatever the reason."""
    return Refusal(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")


def read_query(route: Route, text: str) -> msgspec.Struct | None:
    """Convert the query string into the route's struct; unknown and repeated names are refused."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="replace", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:
        raise _bad_query("$", "too many parameters") from error
    if route.query_type is None:
        if pairs:
            raise _bad_query(f"$.{pairs[0][0]}", "this address takes no parameters")
        return None
    values = _gather(route.query_type, pairs)
    try:
        return msgspec.convert(values, route.query_type, strict=False)
    except msgspec.ValidationError as error:
        raise refuse_invalid(error, where="the query") from error


def _gather(kind: type[msgspec.Struct], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    lists = {field.name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
    values: dict[str, Any] = {}
    for name, text in pairs:
        if "\0" in name + text:
            raise _bad_query("$", "a NUL character")
        if name in lists:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise _bad_query(f"$.{name}", "given twice")
        else:
            values[name] = text
    return values


def _is_list(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return any(_is_list(part) for part in get_args(kind))
    return get_origin(kind) is list


def _bad_query(path: str, message: str) -> Refusal:
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"the query is not as it should be: {message}",
        errors=[Flaw(path=path, message=message)],
    )


def read_body(route: Route, request: HttpRequest) -> msgspec.Struct | None:
    """Convert the request's JSON into the route's struct.

    415 when it is not JSON by its type, 413 when too large, 400 when it is not JSON, 422 when it
    is JSON of another shape.
    """
    if route.body_type is None:
        return None
    _check_kind(request)
    data = _read_bytes(request)
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        detail = f"the body is not JSON: {error}"
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_json", detail) from error
    except RecursionError as error:
        raise _too_deep() from error
    for text in _texts(raw):
        _check_text(text)
    try:
        return msgspec.convert(raw, route.body_type)
    except msgspec.ValidationError as error:
        raise refuse_invalid(error, where="the body") from error


def _check_kind(request: HttpRequest) -> None:
    accepted = {"Accept": "application/json"}
    if request.content_type != "application/json":
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send JSON, with Content-Type: application/json",
            headers=accepted,
        )
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "send the body as it is, without Content-Encoding",
            headers=accepted,
        )


def _read_bytes(request: HttpRequest) -> bytes:
    if not request.META.get("CONTENT_LENGTH"):
        # WSGI has no say on chunked bodies: Django reads one without a length as empty.
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length_required", "send Content-Length")
    # Read one byte past the limit rather than trust the length the client names.
    data = request.read(MAX_BODY_BYTES + 1)
    assert isinstance(data, bytes)
    if len(data) > MAX_BODY_BYTES:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"the body is larger than {MAX_BODY_BYTES} bytes",
        )
    return data


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "the body holds a NUL character in a text"
        )


def _too_deep() -> Refusal:
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY, "too_deep", f"nested deeper than {_MAX_DEPTH} levels"
    )

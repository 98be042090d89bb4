"""Answering one request: who asks, may they, what exactly, and what has changed since."""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
import psycopg
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from amity.infra import database
from amity.kernel.errors import AmityError
from amity.web.api import problems
from amity.web.api.keys import authenticate
from amity.web.api.problems import Refusal, refuse
from amity.web.api.reading import not_found, read_body, read_path, read_query
from amity.web.api.repeating import HEADER, answer_once
from amity.web.api.routing import Call, Route
from amity.web.api.table import TABLE
from amity.web.restricting import RESTRICTED, is_restricted

PREFIX: Final = "/api/v1"
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_log = logging.getLogger(__name__)


def answer(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a request for ``path`` (below `/api/v1`); whatever happens, in the API's form."""
    try:
        return _answer(request, path)
    except Refusal as refusal:
        return _problem(refusal)
    except Exception as error:
        return _problem(_understand(error))


def _understand(error: Exception) -> Refusal:
    """Return the answer an error stands for; what nobody foresaw is logged and a 500."""
    if isinstance(error, AmityError):
        return refuse(error)
    if isinstance(error, RecursionError):
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "too_deep", "nested too deeply")
    if isinstance(error, psycopg.DataError):
        # Wrong data is refused by the database first; its text quotes rows, so it stays here.
        _log.warning("the database refused a value: %s", type(error).__name__)
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "a value cannot be stored")
    if isinstance(error, psycopg.OperationalError | OperationalError):
        _log.error("the database failed", exc_info=error)
        return _unavailable()
    _log.error("unexpected", exc_info=error)
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "unexpected",
        "something went wrong here; it is in the log",
    )


def _answer(request: HttpRequest, path: str) -> HttpResponse:
    route, texts = _find_route(request, path)
    call = _call(request, route)
    if route.method == "GET" or HEADER not in request.headers:
        return _carry_out(request, path, route, texts, call)
    response = answer_once(
        request,
        now=call.now,
        answer=lambda: _carry_out(request, path, route, texts, call),
    )
    return _finish(response)


def _carry_out(
    request: HttpRequest, path: str, route: Route, texts: dict[str, str], call: Call
) -> HttpResponse:
    arguments = read_path(route, texts)
    if route.method == "GET" and is_restricted(arguments.get("profile_id")):
        raise _restricted()
    if route.takes_call:
        arguments["call"] = call
    query = read_query(route, request.META.get("QUERY_STRING", ""))
    if query is not None:
        arguments["query"] = query
    body = read_body(route, request)
    if body is not None:
        arguments["body"] = body
    if not route.needs_match:
        return _respond(request, route, route.handler(**arguments))
    with _alone(path):
        _check_match(request, route, texts, call)
        return _respond(request, route, route.handler(**arguments))


def _restricted() -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, "restricted", RESTRICTED)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Let one change of a thing through at a time, so that what was compared is what changes.

    On a connection of its own: the engines below take theirs from the pool.
    """
    with psycopg.connect(database.conninfo("app"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"api {path}"])
        yield


def _find_route(request: HttpRequest, path: str) -> tuple[Route, dict[str, str]]:
    found = TABLE.match(path)
    if found is None:
        raise not_found()
    routes, texts = found
    method = "GET" if request.method == "HEAD" else request.method
    if method not in routes:
        allowed = sorted({*routes, *(["HEAD"] if "GET" in routes else [])})
        raise Refusal(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            f"this address takes {', '.join(allowed)}",
            headers={"Allow": ", ".join(allowed)},
        )
    return routes[method], texts


def _call(request: HttpRequest, route: Route) -> Call:
    now = datetime.now(UTC)
    key = authenticate(request.headers.get("Authorization"), now=now)
    call = Call(caller=f"key {key.name}", scopes=frozenset(key.scopes), now=now)
    if not call.may(route.scope):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            "insufficient_scope",
            f"this needs a key with the scope {route.scope}",
            headers={
                "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{route.scope}"'
            },
        )
    return call


def _check_match(request: HttpRequest, route: Route, texts: dict[str, str], call: Call) -> None:
    """Refuse to change what the caller has not seen as it is now (RFC 9110 section 13)."""
    wanted = request.headers.get("If-Match")
    if wanted is None:
        raise Refusal(
            HTTPStatus.PRECONDITION_REQUIRED,
            "precondition_required",
            "send If-Match with the ETag of what you are changing",
        )
    reader = TABLE.get("GET", route.path)
    arguments = read_path(reader, texts)
    if reader.takes_call:
        arguments["call"] = call
    tag = etag(msgspec.json.encode(reader.handler(**arguments)))
    if wanted.strip() != "*" and tag not in _TAG.findall(wanted):
        raise Refusal(
            HTTPStatus.PRECONDITION_FAILED,
            "stale",
            "it has changed since you read it; read it again",
            headers={"ETag": tag},
        )


def etag(content: bytes) -> str:
    """Return the entity tag of an answer: it changes when a byte of it does."""
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def _respond(request: HttpRequest, route: Route, document: Any) -> HttpResponse:
    if route.answer_type is None:
        return _finish(HttpResponse(status=HTTPStatus.NO_CONTENT))
    content = msgspec.json.encode(document)
    tag = etag(content)
    if route.method == "GET" and _is_known(request.headers.get("If-None-Match"), tag):
        response = HttpResponse(status=HTTPStatus.NOT_MODIFIED)
        del response["Content-Type"]
    else:
        response = HttpResponse(content, status=route.status, content_type="application/json")
        if route.location:
            response["Location"] = PREFIX + quote(route.location.format(it=document), safe="/*@:")
    # After a POST the tag is that of the thing made or changed, ready for the next If-Match.
    if route.method != "DELETE":
        response["ETag"] = tag
    return _finish(response, is_head=request.method == "HEAD")


def _is_known(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or tag in [
        known.removeprefix("W/") for known in _TAG.findall(header)
    ]


def _finish(response: HttpResponse, *, is_head: bool = False) -> HttpResponse:
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Authorization"
    response["X-Content-Type-Options"] = "nosniff"
    # Django would log the address of every refusal, and an address may hold an email.
    response._has_been_logged = True  # type: ignore[attr-defined]
    if is_head:
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
    return response


def _problem(refusal: Refusal) -> HttpResponse:
    response = HttpResponse(
        msgspec.json.encode(refusal.problem),
        status=refusal.problem.status,
        content_type=problems.CONTENT_TYPE,
        headers=refusal.headers,
    )
    return _finish(response)


def _unavailable() -> Refusal:
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "the database cannot answer now; try again",
        headers={"Retry-After": "5"},
    )

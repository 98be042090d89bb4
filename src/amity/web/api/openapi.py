"""The API's description as OpenAPI 3.1, made from the table and the types in it."""

from http import HTTPStatus
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from amity import __version__
from amity.web.api import repeating
from amity.web.api.problems import CONTENT_TYPE, Problem
from amity.web.api.routing import Route
from amity.web.api.table import TABLE, list_groups

_SCHEMAS: Final = "#/components/schemas/{name}"
_IDEMPOTENCY_KEY: Final = {
    "name": repeating.HEADER,
    "in": "header",
    "required": False,
    "description": "Chosen by the caller for this one request. Asked again with it within a day, "
    "the answer is as before (with `Idempotency-Replayed: true`) and nothing is done twice; "
    "409 while the first is being answered, 422 for another request with the same key.",
    "schema": {"type": "string", "minLength": 1, "maxLength": repeating.MOST_CHARACTERS},
}
_ALWAYS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_FOR_BODY: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_FOR_MATCH: Final = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)


def describe_api() -> dict[str, Any]:
    """Return the whole description as a document ready for JSON."""
    routes = list(TABLE)
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schemas)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Amity control API",
            "version": __version__,
            "description": "Profiles, segments, sources, events and numbers. Amounts ending in "
            "`_minor` are in the currency's minor unit. Lists go on with `next_cursor`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}],
        "tags": [{"name": group.name, "description": group.words} for group in list_groups()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key made by `amity key create NAME --scope …`.",
                }
            },
        },
    }


class _Schemas:
    """The JSON schemas of every type on the wire, each described once."""

    def __init__(self, routes: list[Route]) -> None:
        self._types = list(dict.fromkeys(_types(routes)))
        found, self.components = msgspec.json.schema_components(
            self._types, ref_template=_SCHEMAS, schema_hook=_schema_of
        )
        self._found = list(found)

    def of(self, kind: Any) -> dict[str, Any]:
        return self._found[self._types.index(kind)]


def _types(routes: list[Route]) -> list[Any]:
    kinds: list[Any] = [Problem]
    for route in routes:
        kinds += route.path_types.values()
        kinds += [kind for kind in (route.body_type, route.answer_type) if kind is not None]
        kinds += [kind for _, kind, _ in _query_fields(route)]
    return kinds


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {"description": "Any JSON."}
    raise NotImplementedError(kind)


def _query_fields(route: Route) -> list[tuple[str, Any, Any]]:
    if route.query_type is None:
        return []
    return [
        (field.encode_name, _without_none(field.type), field.default)
        for field in msgspec.structs.fields(route.query_type)
    ]


def _without_none(kind: Any) -> Any:
    # A parameter that may be absent is not one that may be null.
    if get_origin(kind) in (Union, UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    rest = route.words.removeprefix(route.summary).strip()
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.group],
        "summary": route.summary,
        "description": f"{rest}\n\nNeeds the scope `{route.scope}`.".strip(),
        "parameters": [*_parameters(route, schemas)],
        "responses": _responses(route, schemas),
    }
    if route.body_type is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.of(route.body_type)}},
        }
    return operation


def _parameters(route: Route, schemas: _Schemas) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": schemas.of(kind)}
        for name, kind in route.path_types.items()
    ]
    for name, kind, default in _query_fields(route):
        schema = schemas.of(kind)
        if default is not None and default is not msgspec.NODEFAULT:
            schema = {**schema, "default": default}
        made.append({"name": name, "in": "query", "required": False, "schema": schema})
    if route.needs_match:
        made.append(
            {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}}
        )
    if route.method != "GET":
        made.append(_IDEMPOTENCY_KEY)
    else:
        made.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    return made


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.answer_type is not None:
        good["content"] = {"application/json": {"schema": schemas.of(route.answer_type)}}
        if route.method != "DELETE":
            good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    responses = {str(route.status): good}
    if route.method == "GET":
        responses["304"] = {"description": "Unchanged since the ETag in If-None-Match."}
    problem = {CONTENT_TYPE: {"schema": schemas.of(Problem)}}
    for status in _problem_statuses(route):
        responses[str(status.value)] = {"description": status.phrase, "content": problem}
    return responses


def _problem_statuses(route: Route) -> list[HTTPStatus]:
    statuses = {*_ALWAYS, HTTPStatus.UNPROCESSABLE_ENTITY}
    if route.path_types:
        statuses.add(HTTPStatus.NOT_FOUND)
    if route.body_type is not None:
        statuses.update(_FOR_BODY)
    if route.method != "GET":
        statuses.update((HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT))
    if route.needs_match:
        statuses.update(_FOR_MATCH)
    return sorted(statuses)

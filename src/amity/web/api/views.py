"""Django's entry to the API: every address below `/api/` comes through here."""

from functools import cache

import msgspec
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from amity.web.access import public
from amity.web.api.answering import answer
from amity.web.api.openapi import describe_api
from amity.web.api.table import list_groups


# No cookie opens the API, only keys do, so there is nothing for a forged request to ride on.
@csrf_exempt
@public
def api_v1(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a request to the control API."""
    return answer(request, f"/{path}")


@public
def openapi(request: HttpRequest) -> HttpResponse:
    """Give the API's description as OpenAPI 3.1, to anyone."""
    return HttpResponse(_description(), content_type="application/json")


@public
def index(request: HttpRequest) -> HttpResponse:
    """Show the endpoints to people; needs nothing but itself."""
    return HttpResponse(render_to_string("api/index.html", {"groups": list_groups()}))


@cache
def _description() -> bytes:
    return msgspec.json.encode(describe_api())
